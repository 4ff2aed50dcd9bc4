"""Watches over a real connection: long lines, odd chunks, silence, and every kind of end."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest
from aiohttp import web

from support.clients import connection_to, follow
from support.pki import Pki
from support.tasks import background
from support.tls_server import TlsServer, event, stream
from towline_api.resources import SECRETS
from towline_kube import Client, Gone, ServerError, Unreachable, WatchEvent, WatchEventType
from towline_kube.errors import Forbidden


async def test_events_and_bookmarks_arrive_until_the_server_ends_the_watch(
    server: TlsServer, client: Client
) -> None:
    """The end of the server's time is no error: the owner watches on."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, event("ADDED", 1), event("BOOKMARK", 2), event("DELETED", 3))

    server.handler = handler
    seen = [
        (found.type, found.object["metadata"]["resourceVersion"])
        async for found in client.watch(
            SECRETS,
            resource_version="0",
            namespace="c1",
            label_selector="a=b",
            lasting=timedelta(seconds=300),
        )
    ]
    assert seen == [
        (WatchEventType.ADDED, "1"),
        (WatchEventType.BOOKMARK, "2"),
        (WatchEventType.DELETED, "3"),
    ]
    assert server.seen[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "300",
        "resourceVersion": "0",
        "labelSelector": "a=b",
    }
    assert client.calls == {("watch", "secrets"): 1}


async def test_a_line_of_megabytes_arrives_whole(server: TlsServer, client: Client) -> None:
    """Readers with a line limit break on the first large Secret or CRD."""
    big = event("ADDED", 1, data={"blob": "x" * 8_000_000})

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, event("ADDED", 0) + big + event("MODIFIED", 2))

    server.handler = handler
    seen = [found async for found in client.watch(SECRETS)]
    assert [found.object["metadata"]["resourceVersion"] for found in seen] == ["0", "1", "2"]
    assert len(seen[1].object["data"]["blob"]) == 8_000_000


async def test_lines_are_found_wherever_the_chunks_break(server: TlsServer, client: Client) -> None:
    """Proxies cut chunks at their own buffers' ends, in the middle of a character too."""
    whole = event("ADDED", 1, note="grün") + event("MODIFIED", 2)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, *(bytes([byte]) for byte in whole))

    server.handler = handler
    assert len([found async for found in client.watch(SECRETS)]) == 2


async def test_a_silent_watch_ends(server: TlsServer, client: Client) -> None:
    """A half-open connection says nothing, for ever; kernels may take hours to notice.

    Nor does a server that has nothing to tell of a kind, so it is no failure.
    """
    never = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, event("ADDED", 1), then=never.wait())

    server.handler = handler
    seen: list[WatchEvent] = []
    await follow(client.watch(SECRETS, silence=timedelta(milliseconds=200)), into=seen)
    assert len(seen) == 1
    never.set()


async def test_a_watch_that_never_opens_is_given_up(server: TlsServer, pki: Pki) -> None:
    """Without a limit of its own for the opening, a watch without a total limit hangs here."""
    never = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    server.handler = handler
    async with Client(
        connection_to(server, pki), field_manager="t", request_timeout=timedelta(milliseconds=150)
    ) as client:
        with pytest.raises(Unreachable, match=r"no answer within 0\.15 s"):
            await anext(client.watch(SECRETS))
    never.set()


async def test_a_broken_connection_is_not_a_good_end(server: TlsServer, client: Client) -> None:
    """The owner backs off after a failure, and does not after the server's time is over."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event("ADDED", 1) + b'{"type": "MODI')
        assert request.transport is not None
        request.transport.close()
        return response

    server.handler = handler
    seen: list[WatchEvent] = []
    with pytest.raises(Unreachable, match="broke"):
        await follow(client.watch(SECRETS), into=seen)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param(
            b'{"type": "ERROR", "object": {"kind": "Status", "code": 410}}',
            Gone,
            id="gone",
        ),
        pytest.param(
            b'{"type": "ERROR", "object": {"kind": "Status", "code": 403}}', Forbidden, id="rights"
        ),
        pytest.param(b'{"type": "ERROR", "object": {"code": true}}', ServerError, id="odd-status"),
        pytest.param(b'{"type": "ERROR", "object": "x"}', ServerError, id="no-object"),
        pytest.param(b'{"type": "WHAT", "object": {}}', ServerError, id="unknown-type"),
        pytest.param(b'{"object": {}}', ServerError, id="no-type"),
        pytest.param(b"<html>", ServerError, id="not-json"),
        pytest.param(b"[" * 100_000, ServerError, id="nested"),
    ],
)
async def test_errors_inside_a_watch_are_typed(
    server: TlsServer, client: Client, line: bytes, error: type[Exception]
) -> None:
    """The stream has status 200 whatever happens later; the error is a line like any other."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, event("ADDED", 1), line + b"\n")

    server.handler = handler
    with pytest.raises(error):
        async for _ in client.watch(SECRETS):
            pass


async def test_a_watch_left_early_closes_its_connection(server: TlsServer, client: Client) -> None:
    """Otherwise every cancelled cache would leave a watch running at the server."""
    gone = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await stream(request, event("ADDED", 1), then=asyncio.Event().wait())
        finally:
            gone.set()

    server.handler = handler
    async with aclosing(client.watch(SECRETS)) as events:
        async for _ in events:
            break
    async with asyncio.timeout(5):
        await gone.wait()


async def test_a_cancelled_watch_ends_at_once(server: TlsServer, client: Client) -> None:
    """Shutdown must not wait for bookmarks."""
    opened = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        opened.set()
        return await stream(request, event("ADDED", 1), then=asyncio.Event().wait())

    server.handler = handler
    watching = follow(client.watch(SECRETS), into=[])
    async with asyncio.timeout(5):
        async with background(watching, name="watch-secrets"):
            await opened.wait()
