"""What a fence keeps from leaving the process, seen by a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from support.clients import IMPATIENT, connection_to
from support.pki import Pki
from support.tls_server import TlsServer
from support.waiting import eventually
from towline_api.resources import SECRETS, SUBJECT_ACCESS_REVIEWS
from towline_kube import Call, Client
from towline_kube.errors import Unreachable
from towline_kube.fence import Fence, NotLeading

SECRET = {"metadata": {"name": "x", "namespace": "default"}}


class Reading:
    """A monotonic clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def reading() -> Reading:
    return Reading()


@pytest.fixture
def fence(reading: Reading) -> Fence:
    made = Fence(reading=reading)
    made.open(until=106.0, ends=108.0)
    return made


@pytest.fixture
def calls() -> list[Call]:
    return []


@pytest.fixture
async def fenced(
    server: TlsServer, pki: Pki, fence: Fence, calls: list[Call]
) -> AsyncIterator[Client]:
    async with Client(
        connection_to(server, pki),
        field_manager="test",
        retry=IMPATIENT,
        fence=fence,
        on_call=calls.append,
    ) as made:
        yield made


async def test_a_leader_writes(fenced: Client, server: TlsServer) -> None:
    """While the fence is open nothing is in the way, on a new connection and a used one."""
    await fenced.create(SECRETS, SECRET)
    await fenced.replace(SECRETS, SECRET)
    assert [seen.method for seen in server.seen] == ["POST", "PUT"]


WRITES = {
    "create": lambda client: client.create(SECRETS, SECRET),
    "replace": lambda client: client.replace(SECRETS, SECRET),
    "apply": lambda client: client.apply(SECRETS, SECRET),
    "patch": lambda client: client.patch(SECRETS, "x", {"data": {}}, namespace="default"),
    "delete": lambda client: client.delete(SECRETS, "x", namespace="default"),
}


@pytest.mark.parametrize("verb", WRITES)
async def test_no_verb_writes_past_a_closed_fence(
    verb: str, fenced: Client, server: TlsServer, reading: Reading, calls: list[Call]
) -> None:
    """The refusal is our own: the server hears nothing, and nothing counts as a call."""
    reading.now = 106.0
    with pytest.raises(NotLeading):
        await WRITES[verb](fenced)
    assert server.seen == []
    assert calls == []


async def test_who_does_not_lead_still_reads_and_asks(
    fenced: Client, server: TlsServer, fence: Fence
) -> None:
    """A standby keeps its caches warm, and its readiness is a real call."""
    fence.close()
    await fenced.get(SECRETS, "x", namespace="default")
    await fenced.review_access(user="u", verb="get", group="", resource="secrets")
    assert [seen.method for seen in server.seen] == ["GET", "POST"]
    assert server.seen[-1].path.endswith(SUBJECT_ACCESS_REVIEWS.plural)


@pytest.mark.parametrize("used", [False, True], ids=["new-connection", "used-connection"])
async def test_a_fence_that_closes_after_the_look_at_it_still_holds_the_bytes_back(
    used: bool, fenced: Client, server: TlsServer, fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between deciding to write and writing lie a free connection, TLS, and whole freezes."""
    if used:
        await fenced.create(SECRETS, SECRET)
    before = len(server.seen)
    monkeypatch.setattr(fence, "check", lambda: None)
    monkeypatch.setattr(Fence, "time_left", timedelta(seconds=5))
    fence.close()
    with pytest.raises(NotLeading, match="does not lead any more"):
        await fenced.replace(SECRETS, SECRET)
    await asyncio.sleep(0.05)
    assert len(server.seen) == before


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_a_body_that_is_half_sent_stays_half_sent(
    pki: Pki, fenced: Client, fence: Fence
) -> None:
    """A write begun in time must not be completed late: the server would carry it out."""
    arrived = asyncio.Event()
    whole, ended = asyncio.Event(), asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        # Only now does it make room, so that the rest has to be sent after the fence has closed.
        await closed.wait()
        try:
            await reader.readexactly(size)
            whole.set()
        except asyncio.IncompleteReadError:
            ended.set()
        writer.close()

    size = 20_000_000
    closed = asyncio.Event()
    listening = await asyncio.start_server(
        take, "127.0.0.1", 0, ssl=pki.server_context(clients=pki), limit=2**16
    )
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        base = fenced.connection
        async with Client(
            replace(base, server=f"https://127.0.0.1:{port}"),
            field_manager="test",
            retry=IMPATIENT,
            fence=fence,
        ) as client:
            body = SECRET | {"data": {"x": "y" * size}}
            task = asyncio.create_task(client.replace(SECRETS, body))
            async with asyncio.timeout(5):
                await arrived.wait()
            fence.close()
            closed.set()
            async with asyncio.timeout(5):
                with pytest.raises((NotLeading, Unreachable)):
                    await task
        async with asyncio.timeout(5):
            await ended.wait()
    assert not whole.is_set()


async def test_a_write_takes_no_longer_than_the_lease_lasts(
    pki: Pki, fence: Fence, reading: Reading
) -> None:
    """What is still under way when another may lead is given up, and its connection cut."""
    cut = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()
        raise AssertionError("never")

    reading.now = 105.8
    fence.open(until=106.0, ends=106.1)
    async with (
        TlsServer(pki.server_context(clients=pki), never) as server,
        Client(
            connection_to(server, pki), field_manager="test", retry=IMPATIENT, fence=fence
        ) as client,
    ):
        with pytest.raises(Unreachable, match=r"0\.3"):
            await client.create(SECRETS, SECRET)
        await eventually(cut.is_set, what=lambda: "the server still works on it")
