"""A TCP proxy that loses, delays, cuts and refuses, so that tests can break the network."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 16 * 1024


@dataclass(eq=False, slots=True)
class _Link:
    """One connection from a client through to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    is_forgotten: bool = False
    passed: int = 0

    def abort(self) -> None:
        for end in (self.client, self.server):
            if end is not None:
                end.transport.abort()


class TcpProxy:
    """Stands before a server on a free port of 127.0.0.1 for as long as the block runs.

    It passes bytes on as they are, so TLS goes through it from end to end.

    Args:
        url: The server, for example `https://127.0.0.1:6443`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._scheme = parts.scheme
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._passes = asyncio.Event()
        self._passes.set()
        self.delay = timedelta()
        """How much later whatever is sent arrives, in both directions."""
        self.bytes_per_second: int | None = None
        """How much each connection carries each way; None for no limit."""
        self.cut_after: int | None = None
        """After how many bytes to the client each connection is reset; None for never."""
        self.accepted = 0
        """How many connections there were so far."""

    @property
    def url(self) -> str:
        """Where the server seems to be."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def open_links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_listening()
        tasks = list(self._links.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def partition(self) -> None:
        """Let nothing through any more; nobody is told, neither by an end nor by a reset."""
        self._passes.clear()

    async def refuse(self) -> None:
        """Reset all connections, and refuse new ones."""
        self._stop_listening()
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Reset all connections."""
        for link in self._links:
            link.abort()

    async def heal(self, *, forgetful: bool = False) -> None:
        """End every fault.

        Args:
            forgetful: Whether connections from before stay silent for ever, as behind a firewall
                that has forgotten them. Otherwise they go on, with all that was sent meanwhile.
        """
        self.delay, self.bytes_per_second, self.cut_after = timedelta(), None, None
        if forgetful:
            for link in self._links:
                link.is_forgotten = True
        self._passes.set()
        if self._listener is None:
            await self._listen()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(writer)
        task = asyncio.current_task()
        assert task is not None
        self._links[link] = task
        try:
            with suppress(OSError):
                await self._pass_on(link, reader)
        except asyncio.CancelledError:
            # The proxy ends; whoever accepted the connection would report the cancellation.
            pass
        finally:
            del self._links[link]
            link.abort()

    async def _pass_on(self, link: _Link, reader: asyncio.StreamReader) -> None:
        await self._may_pass(link)
        answers, link.server = await asyncio.open_connection(*self._target)
        there = asyncio.create_task(self._pump(link, reader, link.server), name="pump-there")
        back = asyncio.create_task(
            self._pump(link, answers, link.client, counts=True), name="pump-back"
        )
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.wait({there, back})

    async def _may_pass(self, link: _Link) -> None:
        await self._passes.wait()
        if link.is_forgotten:
            await asyncio.Event().wait()

    async def _pump(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        counts: bool = False,
    ) -> None:
        """Pass on what comes until one end ends; both end then, which is enough for HTTP."""
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._may_pass(link)
                seconds = self.delay.total_seconds()
                if self.bytes_per_second is not None:
                    seconds += len(chunk) / self.bytes_per_second
                if seconds:
                    await asyncio.sleep(seconds)
                if counts:
                    link.passed += len(chunk)
                    if self.cut_after is not None and link.passed > self.cut_after:
                        link.abort()
                        return
                writer.write(chunk)
                await writer.drain()
        # A farewell gets through as little as anything else.
        await self._may_pass(link)
