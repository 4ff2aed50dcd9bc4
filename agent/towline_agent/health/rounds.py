"""Asking an add-on's health checks, all at once, and none of them twice at the same time.

A check is code of the add-on's developer. Each has a limit of its own, and one that hangs, raises
or pays no attention to being cancelled fails by itself: it neither delays nor hides another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import UserCode, UserFunction
from towline_api.errors import TowlineError
from towline_kube.task_groups import TaskGroup

CHECK_LIMIT = timedelta(seconds=10)
"""How long a health check may take unless it was registered with another limit."""
LONGEST_LIMIT = timedelta(minutes=1)
"""The longest limit: as long as from one renewal of the Lease to the next."""
_GRACE = timedelta(seconds=1)
"""How long a check that was cancelled may take to end, before it is left to itself."""


class UnhealthyError(TowlineError):
    """Raised by a health check: the add-on is not healthy, and the message says why."""


@dataclass(frozen=True, slots=True)
class RegisteredCheck:
    """A health check as it was registered.

    Args:
        ask: What to call; what it returns says whether all is well.
        function: What messages call it; no other check of the add-on is called so.
        limit: How long it may take.
    """

    ask: Callable[[Spoke], Awaitable[object]]
    function: UserFunction
    limit: timedelta = CHECK_LIMIT


class HealthRounds:
    """Asks the health checks of one add-on.

    Args:
        checks: The checks.
        code: Told how each of them fares.
    """

    def __init__(self, checks: Sequence[RegisteredCheck], *, code: UserCode) -> None:
        self._checks = checks
        self._code = code
        self._under_way: dict[UserFunction, asyncio.Task[object]] = {}
        for check in checks:
            code.expect(check.function)

    async def are_well(self, spoke: Spoke) -> bool:
        """Return whether every check says that all is well; without checks it is.

        It takes as long as the slowest check, and at most a second more than the longest limit.

        Args:
            spoke: Handed to the checks.
        """
        async with TaskGroup() as group:
            asked = [
                group.create_task(
                    self._find_failure(check, spoke), name=f"ask-{check.function.name}"
                )
                for check in self._checks
            ]
        is_well = True
        for check, task in zip(self._checks, asked, strict=True):
            failure = task.result()
            if failure is None:
                self._code.succeeded(check.function)
            else:
                self._code.failed(check.function, failure)
                is_well = False
        return is_well

    async def _find_failure(self, check: RegisteredCheck, spoke: Spoke) -> BaseException | None:
        """Ask one check; return what is wrong, or None."""
        earlier = self._under_way.get(check.function)
        if earlier is not None and not earlier.done():
            return UnhealthyError("it was cancelled and goes on; not asked again before it ends")
        # In a task of its own, which may refuse to end without holding anybody up.
        task = asyncio.create_task(_ask(check, spoke), name=f"check-health/{check.function.name}")
        self._under_way[check.function] = task
        try:
            await asyncio.wait({task}, timeout=check.limit.total_seconds())
            if task.done():
                return failure_of(task)
            return UnhealthyError(f"no answer within {check.limit.total_seconds():g} s")
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_GRACE.total_seconds())


def failure_of(task: asyncio.Task[object]) -> BaseException | None:
    """Return what is wrong by a check that has ended; None if it says that all is well."""
    if task.cancelled():
        # Not by us: it waited for something that others cancelled.
        return asyncio.CancelledError()
    error = task.exception()
    if error is not None:
        return error
    answer = task.result()
    if answer is None:
        return UnhealthyError("it returned nothing; a health check returns True or False")
    return None if answer else UnhealthyError("it says that the add-on is not healthy")


async def _ask(check: RegisteredCheck, spoke: Spoke) -> object:
    return await check.ask(spoke)
