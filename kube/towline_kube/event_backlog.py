"""What waits to be told: sent in its order, and in a storm only so much of it a second."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NoReturn

from towline_kube.clock import Clock

log = logging.getLogger(__name__)

BURST = 20
"""How many are sent at once after a quiet time: whatever happens to one cluster."""
EVERY = timedelta(milliseconds=100)
"""How far apart they are sent from then on. A fleet that joins has its API server store ten objects
for each cluster; what is told about them can come after them."""
MOST_WAITING = 5_000
"""About eight minutes' worth. Beyond that the oldest are given up: nobody reads that many."""

Sending = Callable[[], Awaitable[None]]
"""Sends one; must not fail for the API server's sake."""


class EventBacklog:
    """Sends at once what it is given while it does not run, and by and by while it does.

    Args:
        clock: For the pace.
        on_dropped: Called for each that is given up because too many wait.
    """

    def __init__(self, *, clock: Clock, on_dropped: Callable[[], None]) -> None:
        self._clock = clock
        self._on_dropped = on_dropped
        self._waiting: deque[Sending] = deque()
        self._news = asyncio.Event()
        self._runs = False
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    async def take(self, sending: Sending) -> None:
        """Send one, or note that it is to be sent."""
        if not self._runs:
            await sending()
            return
        self._waiting.append(sending)
        self._news.set()
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            if not self._dropped:
                log.warning("too many events at a time; the oldest are not recorded")
            self._dropped += 1
            self._on_dropped()

    async def run(self) -> NoReturn:
        """Send what comes, until cancelled; what waits by then is for `flush`."""
        self._runs = True
        full_at = self._clock.monotonic()
        try:
            while True:
                self._news.clear()
                if not self._waiting:
                    self._dropped = 0
                    await self._news.wait()
                # A bucket of `BURST` that gains one every `EVERY`, told by when it is full again.
                now = self._clock.monotonic()
                full_at = max(full_at, now) + EVERY.total_seconds()
                early = full_at - now - BURST * EVERY.total_seconds()
                if early > 0:
                    await self._clock.sleep(timedelta(seconds=early))
                await self._send_oldest()
        finally:
            self._runs = False

    async def flush(self) -> None:
        """Send all that waits, without a pause."""
        while self._waiting:
            await self._send_oldest()

    async def _send_oldest(self) -> None:
        if not self._waiting:
            return
        sending = self._waiting[0]
        await sending()
        # Not before, so that one that is cut off is sent again; and it may have been given up.
        if self._waiting and self._waiting[0] is sending:
            self._waiting.popleft()
