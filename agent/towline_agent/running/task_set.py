"""Tasks that come and go while their owner runs, each started again if it fails."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Hashable
from datetime import timedelta
from typing import Any, Generic, NoReturn, TypeVar

from towline_kube.backoff import Backoff
from towline_kube.cancellation import heed_cancellation
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

RESTART_BACKOFF = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=5))
"""One task's bug must neither stop its neighbours nor fill the log."""
FORGIVEN_AFTER = timedelta(minutes=10)
"""A task that ran this long before it failed starts again from the shortest delay."""


class TaskSet(Generic[K]):
    """Endless tasks by key, all inside one task group.

    What a task raises is logged with its name, and the task is started again after a while. Tasks
    may be started before `run` is: they begin with it.

    Args:
        clock: Time for the delays.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._work: dict[K, tuple[str, Callable[[], Coroutine[Any, Any, object]]]] = {}
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self._group: TaskGroup | None = None

    def __contains__(self, key: K) -> bool:
        return key in self._work

    async def run(self) -> NoReturn:
        """Run the tasks until cancelled; then all of them have ended."""
        async with TaskGroup() as group:
            self._group = group
            try:
                for key in self._work:
                    self._begin(key)
                await asyncio.Event().wait()
            finally:
                self._group = None
                for task in self._tasks.values():
                    task.cancel()
                self._tasks.clear()
        raise AssertionError("unreachable: the wait ends by cancellation only")

    def start(self, key: K, work: Callable[[], Coroutine[Any, Any, object]], *, name: str) -> None:
        """Start a task.

        Args:
            key: Its key.
            work: Called for the coroutine to run, again after each failure.
            name: The task's name, `verb-noun/object`.

        Raises:
            ValueError: There is a task with that key; `stop` it first.
        """
        if key in self._work:
            raise ValueError(f"task {key!r} is running already")
        self._work[key] = (name, work)
        if self._group is not None:
            self._begin(key)

    async def stop(self, key: K) -> None:
        """Cancel a task and return once it has ended; without such a task, at once."""
        self._work.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            # Not `await task`: our own cancellation and its end must stay apart.
            await asyncio.wait({task})

    def _begin(self, key: K) -> None:
        assert self._group is not None  # noqa: S101 - both callers have looked
        name, work = self._work[key]
        self._tasks[key] = self._group.create_task(self._keep_up(name, work), name=name)

    async def _keep_up(self, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        failures = 0
        while True:
            started = self._clock.monotonic()
            try:
                await work()
                log.error("endless task ended", extra={"task": name})
            except Exception:
                heed_cancellation()
                log.exception("task failed", extra={"task": name})
            ran = timedelta(seconds=self._clock.monotonic() - started)
            failures = 1 if ran >= FORGIVEN_AFTER else failures + 1
            delay = RESTART_BACKOFF.delay(failures, roll=random.random())  # noqa: S311 - no secret
            log.info(
                "starting task again later",
                extra={"task": name, "delay_s": round(delay.total_seconds(), 1)},
            )
            await self._clock.sleep(delay)
