"""Waiting for what other processes do: a bounded poll that reports the last state seen."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

_T = TypeVar("_T")

LIMIT = timedelta(seconds=45)
"""Far more than anything takes: it only decides how long a failing test takes to say so."""

_POLL_SECONDS = 0.02
_RARE_POLL_SECONDS = 0.1
_SHARE_OF_WAIT = 0.05
"""A question takes processor time on both sides, which is what a run of all tests is bound by."""


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
        check: Asked again and again, less often the longer it takes.
        what: Describes the last state seen, for the failure.
        within: How long to wait.
    """
    began = time.monotonic()
    while not (seen := await check()):
        waited = time.monotonic() - began
        if waited > within.total_seconds():
            raise AssertionError(f"still not after {within}: {what()}")
        await asyncio.sleep(min(_POLL_SECONDS + _SHARE_OF_WAIT * waited, _RARE_POLL_SECONDS))
    return seen
