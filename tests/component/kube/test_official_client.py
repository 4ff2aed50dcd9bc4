"""The official client under a credential that rotates: typed calls and watches go on."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio.watch import Watch

from support.clients import connection_to
from support.pki import Pki
from support.tls_server import TlsServer, event, status, stream
from support.waiting import eventually
from towline_kube.official_client import OfficialClient

WITHIN = timedelta(seconds=5)


@pytest.fixture
async def official(server: TlsServer, pki: Pki) -> AsyncIterator[OfficialClient]:
    made = OfficialClient(connection_to(server, pki), user_agent="towline-test")
    try:
        yield made
    finally:
        await made.close()


async def test_typed_calls_use_the_newest_certificate(
    server: TlsServer, official: OfficialClient, pki: Pki
) -> None:
    """The API object made before the rotation stays good."""
    core = kubernetes_client.CoreV1Api(official.api_client)
    found = await core.read_namespaced_secret("x", "c1")
    assert found.metadata.name == "x"
    official.use(connection_to(server, pki, user="two"))
    await core.read_namespaced_secret("x", "c1")
    await official.drain(within=WITHIN)
    await core.read_namespaced_secret("x", "c1")
    assert [seen.client for seen in server.seen] == ["one", "two", "two"]
    assert {seen.headers["User-Agent"] for seen in server.seen} == {"towline-test"}


async def test_no_call_fails_while_certificates_rotate_under_load(
    server: TlsServer, official: OfficialClient, pki: Pki
) -> None:
    """The promise of zero-downtime rotation holds for who uses the official client, too."""
    core = kubernetes_client.CoreV1Api(official.api_client)
    body = kubernetes_client.V1Secret(metadata=kubernetes_client.V1ObjectMeta(name="x"))
    connections = [connection_to(server, pki, user=f"user-{number}") for number in range(4)]
    done = False
    made = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.005)
        return web.json_response({"metadata": {"name": "x"}})

    server.handler = slow

    async def call() -> None:
        nonlocal made
        while not done:
            await core.create_namespaced_secret("c1", body)
            made += 1

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(call(), name=f"call-server/{number}")
        for connection in connections:
            before = made
            await eventually(lambda: made >= before + 12, what=lambda: made)  # noqa: B023
            official.use(connection)
            await official.drain(within=WITHIN)
        done = True
    assert made == len(server.seen)
    assert len({seen.client for seen in server.seen}) == 5


async def test_a_watch_goes_on_under_the_new_certificate(
    server: TlsServer, official: OfficialClient, pki: Pki
) -> None:
    """It ends as if the server had ended it, and whoever runs it opens the next one."""
    opened = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal opened
        opened += 1
        line = event("ADDED", opened)
        return await stream(request, line, then=asyncio.Event().wait())

    server.handler = handler
    core = kubernetes_client.CoreV1Api(official.api_client)
    seen: list[str] = []

    async def follow() -> None:
        async with Watch().stream(core.list_namespaced_secret, "c1") as events:
            async for found in events:
                seen.append(found["object"].metadata.name)
                if len(seen) == 2:
                    return

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(follow(), name="watch-secrets")
        await eventually(lambda: len(seen) == 1, what=lambda: seen)
        official.use(connection_to(server, pki, user="two"))
        await official.drain(within=timedelta(0))
    assert seen == ["o1", "o2"]
    assert [each.client for each in server.seen] == ["one", "two"]


async def test_an_answer_under_way_is_read_to_its_end(
    server: TlsServer, official: OfficialClient, pki: Pki
) -> None:
    """The connections of the old credential are closed when nothing is read from them any more."""
    release, sent = asyncio.Event(), asyncio.Event()

    async def halves(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"metadata": ')
        sent.set()
        await release.wait()
        await response.write(b'{"name": "whole"}}')
        await response.write_eof()
        return response

    server.handler = halves
    core = kubernetes_client.CoreV1Api(official.api_client)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        reading = group.create_task(core.read_namespaced_secret("x", "c1"), name="read-secret")
        await sent.wait()
        official.use(connection_to(server, pki, user="two"))
        draining = group.create_task(official.drain(within=WITHIN), name="drain")
        await asyncio.sleep(0.1)
        assert not draining.done()
        release.set()
    assert reading.result().metadata.name == "whole"


async def test_a_token_is_sent_and_read_again(server: TlsServer, pki: Pki, tmp_path: Path) -> None:
    """Behind an agent that uses tokens, and for kubeconfigs of other makes."""
    file = tmp_path / "token"
    file.write_text("first")
    connection = dataclasses.replace(connection_to(server, pki), token_file=file)
    official = OfficialClient(connection, user_agent="towline-test")
    core = kubernetes_client.CoreV1Api(official.api_client)
    await core.read_namespaced_secret("x", "c1")

    async def refuse(request: web.Request) -> web.StreamResponse:
        return status(401, "Unauthorized")

    file.write_text("second")
    accept, server.handler = server.handler, refuse
    with pytest.raises(kubernetes_client.ApiException):
        await core.read_namespaced_secret("x", "c1")
    server.handler = accept
    await core.read_namespaced_secret("x", "c1")
    official.use(dataclasses.replace(connection, token_file=None, token="third"))
    await core.read_namespaced_secret("x", "c1")
    await official.close()
    sent = [seen.headers["Authorization"].removeprefix("Bearer ") for seen in server.seen]
    assert sent == ["first", "first", "second", "third"]


async def test_the_hub_may_move(server: TlsServer, official: OfficialClient, pki: Pki) -> None:
    """A new address is taken over like a new credential."""

    async def there(request: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {"name": "there"}})

    async with TlsServer(pki.server_context(clients=pki), there) as other:
        official.use(connection_to(other, pki))
        found = await kubernetes_client.CoreV1Api(official.api_client).read_namespaced_secret(
            "x", "c1"
        )
    assert found.metadata.name == "there"
    assert not server.seen
