"""Running the tasks and health checks of an add-on's developer, whatever they raise."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from towline_agent.user_code import Role, UserCode, UserFunction, function_name
from towline_api.errors import TowlineError
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


async def is_healthy(
    check: Callable[[], Awaitable[bool]], *, code: UserCode, limit: timedelta
) -> bool:
    """Return whether a health check says that all is well, and says so in time.

    Args:
        check: The check.
        code: Told how it fares.
        limit: How long it may take.
    """
    function = UserFunction(Role.HEALTH, function_name(check))
    error: BaseException
    try:
        async with asyncio.timeout(limit.total_seconds()):
            if await check():
                code.succeeded(function)
                return True
        error = UnhealthyError("it says that the add-on is not healthy")
    except TimeoutError:
        error = UnhealthyError(f"no answer within {limit.total_seconds():g} s")
    except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - told
        heed_cancellation()
        error = raised
    code.failed(function, error)
    return False


class UnhealthyError(TowlineError):
    """A health check did not say that all is well."""
