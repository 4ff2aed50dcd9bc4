"""A small real HTTPS server that answers as an API server would, or however a test wants."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    client: str
    """Common name in the client's certificate; empty if it showed none."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class TlsServer:
    """Answers on a free port of 127.0.0.1 for as long as the block runs.

    Args:
        context: TLS settings.
        handler: Answers every request.
    """

    def __init__(self, context: ssl.SSLContext, handler: Handler) -> None:
        self.handler = handler
        self.seen: list[Seen] = []
        self._context = context
        self._runner = web.ServerRunner(
            # What a handler waits for ends when its client goes.
            web.Server(self._answer, handler_cancellation=True),
            shutdown_timeout=0.1,
        )
        self._port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        names = dict(part[0] for part in certificate.get("subject", ()))
        seen = Seen(
            request.method,
            request.path_qs.partition("?")[0],
            dict(request.query),
            dict(request.headers),
            await request.read(),
            names.get("commonName", ""),
        )
        self.seen.append(seen)
        return await self.handler(request)  # type: ignore[arg-type] # all that handlers use is there


def status(code: int, reason: str, message: str = "", **details: Any) -> web.Response:
    """Return a Status object, as API servers answer errors."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    return web.json_response(body, status=code)


def answers(*responses: web.Response | Exception) -> Handler:
    """Return a handler that gives these answers, one after the other."""
    left = list(responses)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = left.pop(0)
        if isinstance(response, Exception):
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
            return web.Response()
        return response

    return handler


async def stream(
    request: web.Request, *lines: bytes, then: Awaitable[object] | None = None
) -> web.StreamResponse:
    """Answer with lines as they are, wait for `then`, and end the answer in good order."""
    response = web.StreamResponse()
    await response.prepare(request)
    for line in lines:
        await response.write(line)
    if then is not None:
        await then
    await response.write_eof()
    return response


def event(kind: str, version: int, **extra: Any) -> bytes:
    """Return one line of a watch."""
    obj = {"metadata": {"name": f"o{version}", "resourceVersion": str(version)}, **extra}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"
