"""A task group leaves behind no cancellation of its own, and keeps everybody else's."""

import asyncio

import pytest

from support.clock import FakeClock
from support.tasks import background
from support.waiting import eventually
from towline_api.errors import TransientError
from towline_kube.cancellation import heed_cancellation
from towline_kube.controller import DONE, Controller, Result
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup


async def fail_in_a_moment() -> None:
    await asyncio.sleep(0)
    raise ValueError("as expected")


async def fail_in_a_group(*, body_waits: bool) -> None:
    async with TaskGroup() as group:
        group.create_task(fail_in_a_moment())
        if body_waits:
            await asyncio.Event().wait()


def pending_cancellations() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@pytest.mark.parametrize("body_waits", [True, False], ids=["body runs", "body has ended"])
async def test_a_failed_group_leaves_no_cancellation_behind(*, body_waits: bool) -> None:
    """Whoever survives the failure is not to take it for an order to end, now or later."""
    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            await fail_in_a_group(body_waits=body_waits)
        assert pending_cancellations() == 0
        heed_cancellation()


async def test_a_group_that_is_cancelled_while_it_fails_still_counts_as_cancelled() -> None:
    """The failure hides the order to end, which is told only once."""
    survived = False

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("on the way out")

    async def work() -> None:
        nonlocal survived
        try:
            with one_failure():
                async with TaskGroup() as group:
                    group.create_task(fail_when_cancelled())
        except ExceptionGroup:
            survived = True

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not survived


async def test_a_cancellation_from_outside_after_a_failure_is_kept() -> None:
    """The group has cancelled its task itself by then; one of the two is not its own."""
    may_end = asyncio.Event()

    async def end_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    async def work() -> int:
        try:
            async with TaskGroup() as group:
                group.create_task(end_slowly())
                group.create_task(fail_in_a_moment())
        except ExceptionGroup:
            return pending_cancellations()
        raise AssertionError("the failure got lost")

    task = asyncio.create_task(work())
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    may_end.set()
    assert await task == 1


async def test_a_controller_goes_on_after_passes_that_failed_in_groups(clock: FakeClock) -> None:
    """Its workers are few: each that took a failure for its own end would be missed."""
    passes = 0

    async def fail() -> None:
        await asyncio.sleep(0)
        raise TransientError("busy")

    async def reconcile(_: str) -> Result:
        nonlocal passes
        passes += 1
        with one_failure():
            async with TaskGroup() as group:
                group.create_task(fail())
        return DONE

    controller: Controller[str] = Controller("fail-in-groups", reconcile, clock=clock)
    async with background(controller.run(), name="run-controller"):
        asked: list[str] = []
        for key in ("first", "second", "third"):
            asked.append(key)
            controller.enqueue(key)
            await eventually(
                lambda: passes >= controller.failures >= len(asked), what=lambda: asked
            )
