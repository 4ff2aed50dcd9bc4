"""Virtual time: a clock that only moves when the test moves it."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

START = datetime(2026, 1, 1, tzinfo=UTC)
"""What a fresh `FakeClock` shows."""

_MAX_ROUNDS = 100_000


class FakeClock:
    """A `towline_kube.clock.Clock` whose time stands still until `advance`.

    It knows about its own sleepers only. A task that waits for a socket, a thread or
    `asyncio.timeout` (which counts real time) is taken to be asleep.

    Args:
        start: What `now` shows at first; aware, UTC.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = timedelta(0)  # exact, so that sums of delays are
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []
        self._order = count()
        self.shift = timedelta(0)
        """How far somebody has set `now` ahead; nothing else of the clock moves with it."""
        self.sleeps: list[timedelta] = []
        """How long each sleep so far was asked to last, in the order they began."""

    def now(self) -> datetime:
        return self._start + self._elapsed + self.shift

    def monotonic(self) -> float:
        return self._elapsed.total_seconds()

    async def sleep(self, delay: timedelta) -> None:
        self.sleeps.append(delay)
        if delay <= timedelta(0):
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + delay, next(self._order), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many tasks are asleep on this clock now."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def advance(self, duration: timedelta) -> None:
        """Let time pass, waking sleepers in order; return once every task waits again.

        Whoever falls asleep on the way and is due before the end is woken as well.

        Raises:
            AssertionError: Some task never waits: it spins.
        """
        await self.settle()
        end = self._elapsed + duration
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue  # cancelled in its sleep
            self._elapsed = max(self._elapsed, due)
            woken.set_result(None)
            await self.settle()
        self._elapsed = end

    async def advance_until(
        self, happened: Callable[[], bool], *, step: timedelta, limit: timedelta
    ) -> None:
        """Let time pass in steps until something is true.

        Raises:
            AssertionError: It was not true within `limit`.
        """
        end = self._elapsed + limit
        await self.settle()
        while not happened():
            if self._elapsed >= end:
                raise AssertionError(f"it did not happen within {limit} of virtual time")
            await self.advance(step)

    async def settle(self) -> None:
        """Return once every other task waits for something, without letting time pass.

        Raises:
            AssertionError: Some task never waits: it spins.
        """
        # asyncio has no public way to ask whether anything is left to run.
        ready = cast("Any", asyncio.get_running_loop())._ready
        for _ in range(_MAX_ROUNDS):
            await asyncio.sleep(0)
            if not ready:
                return
        raise AssertionError(f"some task still runs after {_MAX_ROUNDS} turns: a hot loop?")
