"""A plane asks conversion webhooks as long as Kubernetes does, and says what came of it."""

import asyncio

import pytest

from towline_sandbox.embedded.custom import WebhookUnreachable
from towline_sandbox.embedded.serving import webhook_calls
from towline_sandbox.embedded.serving.webhook_calls import WebhookCalls


async def test_a_webhook_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of a real API server, which whoever reads its answer may know."""
    monkeypatch.setattr(webhook_calls, "_LIMIT_SECONDS", 0.1)

    async def fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(fall_silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        calls = WebhookCalls()
        with pytest.raises(WebhookUnreachable, match=r"^Post .*: context deadline exceeded$"):
            await calls.call({"url": f"http://127.0.0.1:{port}/convert"}, {})
        await calls.close()
