"""Trying again: which failures of which calls, after how long, and when to give up."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from towline_kube.clock import Clock
from towline_kube.errors import ApiError, ServerError, Throttled, Unreachable

log = logging.getLogger(__name__)

T = TypeVar("T")


class Repeat(StrEnum):
    """When the same call may be made again after it failed."""

    WHEN_TRANSIENT = "when-transient"
    """Doing it twice is doing it once: reads, server-side apply, writes bound to one version."""
    WHEN_NOT_DONE = "when-not-done"
    """Only if the server cannot have done it: it said so (429), or the request never left."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient one call is with its server.

    Args:
        attempts: How often it is tried in all. Longer outages are for the loop around the call,
            which backs off by the minute; this is for a leader election or a dropped connection.
        first_delay: Upper bound of the first pause; it doubles with each attempt.
        longest_delay: Upper bound of every pause that the server did not ask for.
        longest_retry_after: A server that asks for more patience gets it from the loop around the
            call: the error is raised, with its `retry_after`.
        give_up_after: No attempt begins later than this after the first.
    """

    attempts: int = 5
    first_delay: timedelta = timedelta(milliseconds=250)
    longest_delay: timedelta = timedelta(seconds=5)
    longest_retry_after: timedelta = timedelta(seconds=30)
    give_up_after: timedelta = timedelta(seconds=60)


def may_repeat(error: BaseException, repeat: Repeat) -> bool:
    """Return whether a call that failed like this may be made once more."""
    match error:
        case Throttled():
            return True
        case Unreachable(was_sent=was_sent):
            return repeat is Repeat.WHEN_TRANSIENT or not was_sent
        case ServerError():
            return repeat is Repeat.WHEN_TRANSIENT
        case _:
            return False


async def with_retries(
    attempt: Callable[[int], Awaitable[T]],
    *,
    repeat: Repeat,
    policy: RetryPolicy,
    clock: Clock,
) -> T:
    """Return the result of the first attempt that succeeds.

    Args:
        attempt: Called with the attempt's number, from 1.
        repeat: After which failures the call may be made again.
        policy: Pauses and limits.
        clock: Sleeps through the pauses.

    Raises:
        ApiError: The last attempt's.
    """
    started = clock.monotonic()
    try:
        # Nearly all calls end here, and what it takes to try again takes as long as a fast call.
        return await attempt(1)
    except ApiError as error:
        if not may_repeat(error, repeat):
            raise
        first = error
    backoff = wait_random_exponential(
        multiplier=policy.first_delay.total_seconds(),
        max=policy.longest_delay.total_seconds(),
    )

    def pause(state: RetryCallState) -> float:
        drawn = float(backoff(state))
        asked = _asked_for(state)
        # Jitter on top, so that all who were turned away together do not come back together.
        return drawn if asked is None else max(asked.total_seconds(), drawn) + drawn / 2

    def enough(state: RetryCallState) -> bool:
        if state.attempt_number >= policy.attempts:
            return True
        asked = _asked_for(state)
        if asked is not None and asked > policy.longest_retry_after:
            return True
        ends = clock.monotonic() - started + state.upcoming_sleep
        return ends > policy.give_up_after.total_seconds()

    async def sleep(seconds: float) -> None:
        await clock.sleep(timedelta(seconds=seconds))

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.debug(
            "call failed, trying again",
            extra={
                "object": getattr(error, "object", ""),
                "attempt": state.attempt_number,
                "delay_s": round(state.upcoming_sleep, 3),
                "error": str(error),
            },
        )

    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: may_repeat(error, repeat)),
        wait=pause,
        stop=enough,
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    number = 0

    async def numbered() -> T:
        nonlocal number
        number += 1
        if number == 1:  # that was above
            raise first
        return await attempt(number)

    return await retrying(numbered)


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Return the pause a `Retry-After` header asks for: seconds or an HTTP date.

    None if the header is absent or says nothing usable: then our own backoff decides.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return timedelta(seconds=min(int(value[:9]), 86_400))
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta()), timedelta(days=1))


def _asked_for(state: RetryCallState) -> timedelta | None:
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, ApiError) else None
