"""A call whose task is cancelled ends as cancelled, whatever else ends it in the same moment.

After a freeze everything is due at once: the limit of a call, and the news that its process does
not lead any more. Whoever takes its own cancellation for a call that failed goes on for ever.
"""

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from support.clients import connection_to
from support.pki import Pki
from support.tls_server import TlsServer
from towline_api.resources import SECRETS
from towline_kube import Client, RetryPolicy

LIMIT = timedelta(seconds=30)


@pytest.mark.parametrize("after_seconds", [-1, 1], ids=["before-the-limit", "after-the-limit"])
async def test_a_call_cancelled_and_timed_out_at_once_is_cancelled(
    server: TlsServer, pki: Pki, monkeypatch: pytest.MonkeyPatch, after_seconds: int
) -> None:
    """Time stands still for the process until both are due; they come in this order."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    never: asyncio.Future[web.StreamResponse] = loop.create_future()

    async def fall_silent(request: web.Request) -> web.StreamResponse:
        arrived.set()
        return await never

    server.handler = fall_silent
    async with Client(
        connection_to(server, pki),
        field_manager="test",
        request_timeout=LIMIT,
        retry=RetryPolicy(attempts=1),
    ) as client:
        call = asyncio.create_task(client.get(SECRETS, "x", namespace="c1"), name="call")
        await arrived.wait()
        loop.call_later(LIMIT.total_seconds() + after_seconds, call.cancel, "by its owner")
        awake = loop.time
        monkeypatch.setattr(loop, "time", lambda: awake() + 2 * LIMIT.total_seconds())
        await asyncio.wait({call})
    assert call.cancelled(), call.exception()
