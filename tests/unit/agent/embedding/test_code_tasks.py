"""Tasks of an add-on's developer: whatever they do, they are run again."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_agent.embedding.code_tasks import PROVEN_AFTER, run_task
from towline_agent.station.user_code import Role, UserCode, UserFunction

TASK = UserFunction(Role.TASK, "main")
SECOND = timedelta(seconds=1)


@pytest.fixture
def code() -> UserCode:
    """The functions of one add-on."""
    return UserCode("helloworld")


@pytest.mark.parametrize("error", [ZeroDivisionError("no"), asyncio.CancelledError()])
async def test_a_task_that_fails_is_started_again_ever_later(
    code: UserCode, clock: FakeClock, error: BaseException
) -> None:
    """Also one that waited for something that others cancelled, which must not pass for its end."""
    calls: list[float] = []

    async def work() -> None:
        calls.append(clock.monotonic())
        if len(calls) < 4:
            raise error

    task = asyncio.create_task(run_task(lambda: work(), function=TASK, code=code, clock=clock))
    await clock.advance_until(task.done, step=SECOND, limit=timedelta(minutes=1))
    await task
    assert len(calls) == 4
    assert code.failures[TASK] == 3
    assert code.faults == ()
    pauses = [later - earlier for earlier, later in itertools.pairwise(calls)]
    assert all(pause <= 2.0**number for number, pause in enumerate(pauses))


async def test_a_task_that_goes_on_for_a_while_works_again(
    code: UserCode, clock: FakeClock
) -> None:
    """One that is meant to run for ever never ends to say so."""
    calls: list[float] = []

    async def work() -> None:
        calls.append(clock.monotonic())
        if len(calls) == 1:
            raise ZeroDivisionError("no")
        await asyncio.Event().wait()

    async with background(
        run_task(lambda: work(), function=TASK, code=code, clock=clock), name="run-task"
    ):
        await clock.advance(2 * SECOND)
        assert len(calls) == 2
        assert [fault.attempt for fault in code.faults] == [1]
        await clock.advance(PROVEN_AFTER)
        assert code.faults == ()


async def test_a_task_ends_when_it_is_told_to(code: UserCode, clock: FakeClock) -> None:
    """Its own cancellation is no failure."""
    task = asyncio.create_task(
        run_task(lambda: asyncio.sleep(3600), function=TASK, code=code, clock=clock)
    )
    await clock.settle()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not code.failures
