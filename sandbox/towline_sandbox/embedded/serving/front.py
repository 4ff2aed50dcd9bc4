"""The server's place in the network: a port, TLS, HTTP, and the connections that are open."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import StreamReader, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from towline_sandbox.embedded.faults import ALL_CALLS, CallLost, Calls, Seen
from towline_sandbox.embedded.serving.answers import Answer, HttpRequest, StreamAnswer
from towline_sandbox.embedded.serving.bodies import LARGEST_BODY, too_large
from towline_sandbox.embedded.serving.connections import Connections
from towline_sandbox.embedded.serving.pipeline import Pipeline

log = logging.getLogger(__name__)

_BACKLOG = 512
_LAST_CALLS_SECONDS = 1.0
"""How long a server that stops lets calls go on: enough for all but those that a fault holds."""
_T = TypeVar("_T")


class Front:
    """Serves a pipeline over HTTPS.

    Args:
        pipeline: Answers requests.
        context: TLS settings.
    """

    def __init__(self, pipeline: Pipeline, *, context: ssl.SSLContext) -> None:
        self._pipeline = pipeline
        self._context = context
        self._http: Connections | None = None
        self._listener: asyncio.Server | None = None
        self._watches: dict[asyncio.Task[object], Seen] = {}
        self._carried_out: set[asyncio.Future[object]] = set()

    async def start(self, listening: socket.socket) -> None:
        """Listen on a bound socket, which belongs to the front from then on."""
        loop = asyncio.get_running_loop()
        self._http = Connections(
            self._serve,
            request_factory=_make_request,
            # Whoever hangs up does not wait for the rest of a watch.
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=3600.0,
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,
        )
        self._listener = await loop.create_server(
            self._http, sock=listening, ssl=self._context, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Stop listening and close all connections, whatever goes on in them."""
        if self._listener is None or self._http is None:
            return
        self._listener.close()
        self._http.abort()
        await self._http.shutdown(timeout=0.0)
        if self._carried_out:
            _, held = await asyncio.wait(self._carried_out, timeout=_LAST_CALLS_SECONDS)
            for task in held:
                task.cancel("the server stops")
            await asyncio.gather(*held, return_exceptions=True)
        self._listener = self._http = None

    def cut_watches(self, calls: Calls = ALL_CALLS) -> int:
        """End the connections of these watches; return how many there were."""
        found = [task for task, seen in self._watches.items() if calls.include(seen)]
        for task in found:
            task.cancel()
        return len(found)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        answered = self._pipeline.handle(_as_request(request))
        try:
            if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
                answer, seen = await answered
            else:
                answer, seen = await self._whole(answered)
        except CallLost:
            return _hang_up(request)
        if isinstance(answer, StreamAnswer):
            return await self._stream(request, answer, seen)
        return _response(request, answer)

    async def _whole(self, carried_out: Awaitable[_T]) -> _T:
        """Go on with a write although its caller hangs up: it might be half done otherwise."""
        task = asyncio.ensure_future(carried_out)
        self._carried_out.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self._carried_out.discard)
        return await asyncio.shield(task)

    async def _stream(
        self, request: web.BaseRequest, answer: StreamAnswer, seen: Seen
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={**answer.headers, hdrs.CONTENT_TYPE: "application/json"}
        )
        response.enable_chunked_encoding()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is a task's
        self._watches[task] = seen
        try:
            await response.prepare(request)
            async for line in answer.lines:
                await response.write(line)
            await response.write_eof()
        except asyncio.CancelledError:
            if request.transport is None or request.transport.is_closing():
                raise
            # Cut by a test: the reader is to see a connection that broke.
            return _hang_up(request)
        except ConnectionError:
            log.debug("watcher hung up", extra={"object": request.path})
        finally:
            del self._watches[task]
            await answer.lines.aclose()
        return response


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY + 1
    )


def _as_request(request: web.BaseRequest) -> HttpRequest:
    transport = request.transport
    secured = transport.get_extra_info("ssl_object") if transport is not None else None
    query = request.query

    async def read_body() -> bytes:
        length = request.content_length
        if length is not None and length > LARGEST_BODY:
            raise too_large()
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise too_large() from None

    return HttpRequest(
        method=request.method,
        path=request.path,
        target=request.path_qs,
        query={name: query.getall(name)[-1] for name in query} if query else {},
        headers=request.headers,
        all_headers=lambda: list(request.headers.items()),
        certificate_der=secured.getpeercert(binary_form=True) if secured is not None else None,
        read_body=read_body,
    )


def _response(request: web.BaseRequest, answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=b"" if request.method == hdrs.METH_HEAD else answer.body,
        headers={**answer.headers, hdrs.CONTENT_TYPE: answer.content_type},
    )


def _hang_up(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # which nobody gets
