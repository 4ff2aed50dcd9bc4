"""Waiting for the real world: bounded polls that say what they saw last."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from towline_api.errors import TowlineError

T = TypeVar("T")

_POLL_INTERVAL = timedelta(milliseconds=50)


class NotSeenError(TowlineError):
    """What was waited for did not come in time."""


async def until(
    what: str,
    look: Callable[[], Awaitable[T | None]],
    *,
    within: timedelta,
    last_seen: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """Return the first answer of `look` that is not None.

    Args:
        what: What is waited for, for the message.
        look: Looks once.
        within: How long to keep looking.
        last_seen: Describes the state of things for the message when time is up.

    Raises:
        NotSeenError: Time was up; names what was waited for and what was there instead.
    """
    deadline = time.monotonic() + within.total_seconds()
    while True:
        answer = await look()
        if answer is not None:
            return answer
        if time.monotonic() > deadline:
            found = f"; last seen: {await last_seen()}" if last_seen else ""
            raise NotSeenError(f"{what} was not seen within {within.total_seconds():g} s{found}")
        await asyncio.sleep(_POLL_INTERVAL.total_seconds())
