"""Time, passed in: instants, the monotonic counter and sleeping, so that tests can move it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What loops and retries are given instead of reading the machine's clock themselves."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; never goes back, whatever is done to `now`."""
        ...

    async def sleep(self, delay: timedelta) -> None:
        """Return after `delay`; if it is not positive, once other tasks had a turn."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on the clock that never goes back."""
        return time.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        """Return after `delay`; if it is not positive, once other tasks had a turn."""
        await asyncio.sleep(max(0.0, delay.total_seconds()))


SYSTEM_CLOCK = SystemClock()
"""The clock of daemons; it has no state, so one is enough."""
