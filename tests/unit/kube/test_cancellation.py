"""A cancellation and an error at the same time: the task ends."""

import asyncio

import pytest

from towline_api.errors import TowlineError
from towline_kube.cancellation import heed_cancellation
from towline_kube.failures import one_failure


async def _fail_slowly(failing: asyncio.Event) -> None:
    """Raise an error out of a task group that takes a moment to end its tasks."""

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            failing.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(linger(), name="linger")
        await asyncio.sleep(0)
        raise TowlineError("the watch broke")


async def test_a_loop_that_survives_errors_still_ends_when_cancelled() -> None:
    """Asyncio tells a task once; the task group of Python 3.11 swallows that beside an error."""
    failing = asyncio.Event()

    async def survive_everything() -> None:
        for _ in range(1000):  # if it is broken, the test fails instead of hanging
            try:
                with one_failure():
                    await _fail_slowly(failing)
            except TowlineError:
                await asyncio.sleep(0)

    task = asyncio.create_task(survive_everything(), name="survive")
    await failing.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({task})
    assert task.cancelled()


async def test_without_a_cancellation_nothing_happens() -> None:
    """An error alone is handled by whoever caught it."""
    heed_cancellation()
    with pytest.raises(TowlineError, match="the watch broke"), one_failure():
        await _fail_slowly(asyncio.Event())


async def test_a_time_limit_stays_a_time_limit() -> None:
    """`asyncio.timeout` cancels too, and turns it into its own error."""

    async def wait_in_a_group() -> None:
        with one_failure():
            async with asyncio.TaskGroup():
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait_in_a_group(), timeout=0.01)
