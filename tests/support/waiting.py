"""Waiting for what other processes do: a bounded poll that reports the last state seen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

_T = TypeVar("_T")

LIMIT = timedelta(seconds=45)
"""Far more than anything takes: it only decides how long a failing test takes to say so."""

_POLL = timedelta(milliseconds=20)


async def eventually(
    check: Callable[[], bool], *, what: Callable[[], object], within: timedelta = LIMIT
) -> None:
    """Wait until the check holds.

    Args:
        check: What is to become true.
        what: Describes the last state seen, for the failure.
        within: How long to wait.
    """

    async def ask() -> bool:
        return check()

    await until(ask, what=what, within=within)


async def until(
    check: Callable[[], Awaitable[_T]], *, what: Callable[[], object], within: timedelta = LIMIT
) -> _T:
    """Wait until the check returns something true, and return that.

    Args:
        check: Asked again and again.
        what: Describes the last state seen, for the failure.
        within: How long to wait.
    """
    deadline = time.monotonic() + within.total_seconds()
    while not (seen := await check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still not after {within}: {what()}")
        await asyncio.sleep(_POLL.total_seconds())
    return seen
