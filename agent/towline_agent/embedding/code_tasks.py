"""Running the tasks of an add-on's developer, whatever they raise."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from towline_agent.station.user_code import UserCode, UserFunction
from towline_kube.backoff import Backoff
from towline_kube.cancellation import heed_cancellation
from towline_kube.clock import Clock

RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=5))
"""A bug must not fill logs, nor load either cluster."""
PROVEN_AFTER = timedelta(minutes=1)
"""A task that has run for so long works: its earlier failures are over, and the next one begins at
the shortest delay."""


async def run_task(
    work: Callable[[], Awaitable[object]], *, function: UserFunction, code: UserCode, clock: Clock
) -> None:
    """Run a developer's task to its end, again after each failure.

    Args:
        work: Called for what to await.
        function: What it is called.
        code: Told how it fares.
        clock: Time for the delays.
    """
    code.expect(function)
    while True:
        try:
            await _run_once(work, function=function, code=code, clock=clock)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - told
            # A cancellation that is not ours comes from something the code waited for.
            heed_cancellation()
            failures = code.failed(function, error)
        else:
            code.succeeded(function)
            return
        roll = random.random()  # noqa: S311 - spreads load
        await clock.sleep(RETRIES.delay(failures, roll=roll))


async def _run_once(
    work: Callable[[], Awaitable[object]], *, function: UserFunction, code: UserCode, clock: Clock
) -> None:
    async def prove() -> None:
        await clock.sleep(PROVEN_AFTER)
        code.succeeded(function)

    # Not in a task group, which would wrap what the work raises.
    proving = asyncio.create_task(prove(), name=f"prove/{function.name}")
    try:
        await work()
    finally:
        proving.cancel()
        await asyncio.wait({proving})
