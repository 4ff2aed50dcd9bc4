"""Tasks that come and go neither take each other down nor get lost."""

import asyncio
import logging
from datetime import timedelta

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_agent.running.task_set import TaskSet


class Work:
    """Endless work that fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.runs = 0
        self.ended = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


async def test_a_failing_task_is_started_again_and_its_neighbours_never_notice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One add-on's bug must not end another add-on's channel."""
    clock = FakeClock()
    tasks: TaskSet[str] = TaskSet(clock=clock)
    good, bad = Work(), Work(failures=2)
    tasks.start("good", good.run, name="run-good")
    async with background(tasks.run(), name="run-tasks"):
        tasks.start("bad", bad.run, name="run-bad")
        await clock.settle()
        assert (good.runs, bad.runs) == (1, 1)
        await clock.advance(timedelta(minutes=1))
        assert (good.runs, bad.runs) == (1, 3)
    failures = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert [record.__dict__["task"] for record in failures] == ["run-bad", "run-bad"]
    assert good.ended.is_set()
    assert bad.ended.is_set()


async def test_a_stopped_task_has_ended_when_stop_returns() -> None:
    """What follows, the deletion of its Secret say, must not race with it."""
    clock = FakeClock()
    tasks: TaskSet[str] = TaskSet(clock=clock)
    work = Work()
    async with background(tasks.run(), name="run-tasks"):
        tasks.start("x", work.run, name="run-x")
        await clock.settle()
        await tasks.stop("x")
        assert work.ended.is_set()
        assert "x" not in tasks
        tasks.start("x", work.run, name="run-x")
        await clock.settle()
        assert work.runs == 2
        await tasks.stop("unknown")


async def test_one_key_means_one_task() -> None:
    """Two keepers of one Secret would fight over it."""
    tasks: TaskSet[str] = TaskSet()
    tasks.start("x", Work().run, name="run-x")
    with pytest.raises(ValueError, match="running already"):
        tasks.start("x", Work().run, name="run-x")


async def test_work_that_ends_by_itself_is_a_bug_and_begins_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A channel that quietly ended would leave an add-on silent for ever."""
    clock = FakeClock()
    runs: list[int] = []

    async def ends() -> None:
        runs.append(1)

    tasks: TaskSet[str] = TaskSet(clock=clock)
    tasks.start("x", ends, name="run-x")
    async with background(tasks.run(), name="run-tasks"):
        await clock.advance(timedelta(seconds=2))
    assert len(runs) >= 2
    assert "endless task ended" in caplog.text
