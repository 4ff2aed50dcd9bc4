"""The proxy does to connections what it says, and nothing to the others."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

import pytest

from support.tcp_proxy import TcpProxy


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(1024):
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with TcpProxy(f"tcp://127.0.0.1:{port}") as running:
            yield running
        for caller in Caller.opened:
            caller.writer.transport.abort()
        Caller.opened.clear()
        await asyncio.sleep(0)


class Caller:
    """A connection that says something and hears it again."""

    opened: ClassVar[list["Caller"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def of(cls, proxy: TcpProxy) -> "Caller":
        port = int(proxy.url.rpartition(":")[2])
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def call(self, what: bytes = b"hello", *, within: float = 5.0) -> bytes:
        self.writer.write(what)
        async with asyncio.timeout(within):
            return await self.reader.readexactly(len(what))


async def test_without_a_fault_everything_passes(proxy: TcpProxy) -> None:
    """In both directions, over several connections."""
    first, second = await Caller.of(proxy), await Caller.of(proxy)
    assert await first.call(b"x" * 100_000) == b"x" * 100_000
    assert await second.call() == b"hello"
    assert proxy.accepted == 2


async def test_in_a_partition_nothing_passes_and_nobody_is_told(proxy: TcpProxy) -> None:
    """Neither on a connection from before nor on a new one; then it all arrives."""
    before = await Caller.of(proxy)
    await before.call()
    proxy.partition()
    during = await Caller.of(proxy)
    for caller in (before, during):
        with pytest.raises(TimeoutError):
            await caller.call(within=0.05)
        assert not caller.reader.at_eof()
    await proxy.heal()
    for caller in (before, during):
        assert await caller.reader.readexactly(5) == b"hello"


async def test_a_forgetful_healing_leaves_old_connections_silent(proxy: TcpProxy) -> None:
    """As a firewall does that lost its table: only new ones work."""
    before = await Caller.of(proxy)
    await before.call()
    proxy.partition()
    await proxy.heal(forgetful=True)
    with pytest.raises(TimeoutError):
        await before.call(within=0.05)
    assert await (await Caller.of(proxy)).call() == b"hello"


async def test_refusing_resets_what_is_open(proxy: TcpProxy) -> None:
    """As a server that was stopped; afterwards it is at the same address."""
    before = await Caller.of(proxy)
    await before.call()
    await proxy.refuse()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await before.call()
    with pytest.raises(ConnectionError):
        await Caller.of(proxy)
    await proxy.heal()
    assert await (await Caller.of(proxy)).call() == b"hello"


async def test_connections_are_cut_after_so_many_bytes(proxy: TcpProxy) -> None:
    """Each by itself, in the middle of an answer."""
    proxy.cut_after = 7
    for _ in range(2):
        caller = await Caller.of(proxy)
        assert await caller.call() == b"hello"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await caller.call()


@pytest.mark.parametrize(("delay", "rate"), [(0.1, None), (0.0, 50)])
async def test_answers_come_late(proxy: TcpProxy, delay: float, rate: int | None) -> None:
    """Later by the delay of both directions, or by what the bytes take."""
    proxy.delay, proxy.bytes_per_second = timedelta(seconds=delay), rate
    caller = await Caller.of(proxy)
    began = time.monotonic()
    assert await caller.call() == b"hello"
    assert time.monotonic() - began >= 0.2
