"""The queue of keys that wait for a reconciler."""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable, Hashable
from datetime import timedelta
from itertools import count
from typing import Generic, TypeVar

from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.task_groups import TaskGroup

K = TypeVar("K", bound=Hashable)

RECONCILE_BACKOFF = Backoff(first=timedelta(milliseconds=100), limit=timedelta(minutes=2))
"""100 ms is about what a cache needs to hear of the write one has collided with; two minutes is
what somebody who has just repaired the cause will wait, and keeps 10,000 failing keys below some
110 tries a second."""

_NOTHING = timedelta(0)


class KeyedQueue(Generic[K]):
    """Keys in the order they came, each at most once, never handed to two workers at a time.

    A key added while it waits is not added again; one added while a worker has it waits until that
    worker is done. Keys can also be added for later. Whoever gets a key looks at the present state
    and says afresh when to look again, so getting a key drops what was set for it before.

    Not for use from several threads. Memory is bounded by the number of different keys: each
    stands at most once among the waiting, the delayed and the failed.

    Args:
        backoff: Delays of `add_failed`.
        clock: Where time comes from.
        roll: Source of chance for the backoff: numbers from 0 up to 1.
    """

    def __init__(
        self,
        *,
        backoff: Backoff = RECONCILE_BACKOFF,
        clock: Clock = SYSTEM_CLOCK,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._backoff = backoff
        self._clock = clock
        self._roll = roll
        self._waiting: dict[K, float] = {}  # since when, in the order they came
        self._processing: dict[K, timedelta] = {}  # how long they had waited
        self._again: dict[K, float] = {}  # added while being processed, and when
        self._due: dict[K, float] = {}
        self._schedule: list[tuple[float, int, K]] = []  # may hold entries that `_due` disowns
        self._order = count()  # breaks ties, since keys need not be comparable
        self._failures: dict[K, int] = {}
        self._getters: deque[asyncio.Event] = deque()
        self._stopped = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Return how many keys could be worked on now; those added for later do not count."""
        return len(self._waiting) + len(self._again)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._due)

    @property
    def processing(self) -> int:
        """How many keys are with a worker."""
        return len(self._processing)

    @property
    def failing(self) -> int:
        """How many keys have failed and were not forgotten since."""
        return len(self._failures)

    def add(self, key: K) -> None:
        """Have a key processed as soon as a worker is free."""
        self._add(key, since=self._clock.monotonic())

    def add_after(self, key: K, delay: timedelta) -> None:
        """Have a key processed once, after a delay; of several delays the earliest end counts."""
        if delay <= _NOTHING:
            self.add(key)
            return
        due = self._clock.monotonic() + delay.total_seconds()
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        heapq.heappush(self._schedule, (due, next(self._order), key))
        self._forget_disowned()
        self._wake_one()

    def add_failed(self, key: K, *, at_least: timedelta = _NOTHING) -> timedelta:
        """Have a key tried again later, the later the more often it has failed in a row.

        Args:
            key: What failed.
            at_least: Least delay, for when the other side has named one.

        Returns:
            How long it will wait.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = max(self._backoff.delay(failures, roll=self._roll()), at_least)
        self.add_after(key, delay)
        return delay

    def stop(self) -> None:
        """Hand out no key any more; those that workers have stay theirs."""
        self._stopped = True

    async def wait_idle(self) -> None:
        """Return once no worker has a key; bound it with `asyncio.timeout`."""
        await self._idle.wait()

    def waited(self, key: K) -> timedelta:
        """Return how long a key that a worker has got had waited for one.

        Raises:
            ValueError: No worker has that key.
        """
        if key not in self._processing:
            raise ValueError(f"{key!r} is not being processed, so nobody knows how long it waited")
        return self._processing[key]

    def failures(self, key: K) -> int:
        """Return how often a key has failed in a row."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """Take a key's failures as over: the next one is its first again."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for a key and take it; the caller owes a `done` for it.

        Cancelling the wait loses no key. There is no limit: a worker waits for work.
        """
        while True:
            self._release_due()
            if self._waiting and not self._stopped:
                key = next(iter(self._waiting))
                since = self._waiting.pop(key)
                self._due.pop(key, None)
                self._processing[key] = timedelta(seconds=self._clock.monotonic() - since)
                self._idle.clear()
                # Somebody has to serve what is left and keep an eye on the schedule.
                self._wake_one()
                return key
            await self._wait_for_change()

    def done(self, key: K) -> None:
        """Give a key back, after which it may be handed out again.

        Raises:
            ValueError: No worker has that key.
        """
        if key not in self._processing:
            raise ValueError(f"{key!r} is not being processed, so it cannot be done")
        del self._processing[key]
        if not self._processing:
            self._idle.set()
        if key in self._again:
            self._add(key, since=self._again.pop(key))

    def _add(self, key: K, *, since: float) -> None:
        if key in self._processing:
            self._again.setdefault(key, since)
        elif key not in self._waiting:
            self._waiting[key] = since
            self._wake_one()

    def _release_due(self) -> None:
        """Move the keys whose time has come to the waiting ones."""
        while self._schedule:
            due, _, key = self._schedule[0]
            if self._due.get(key) != due:
                heapq.heappop(self._schedule)
            elif self._time_left(due) <= _NOTHING:
                heapq.heappop(self._schedule)
                del self._due[key]
                self._add(key, since=due)
            else:
                return

    async def _wait_for_change(self) -> None:
        """Wait until a key was added or the next delayed one is due."""
        woken = asyncio.Event()
        self._getters.append(woken)
        try:
            if self._schedule and not self._stopped:
                async with TaskGroup() as group:
                    time_left = self._time_left(self._schedule[0][0])
                    alarm = group.create_task(
                        self._set_after(woken, time_left), name="await-due-key"
                    )
                    await woken.wait()
                    alarm.cancel("no longer needed")
            else:
                await woken.wait()
        except BaseException:
            self._stop_waiting(woken)
            # The news, or the watch over the schedule, may have been ours alone: pass it on.
            self._wake_one()
            raise
        self._stop_waiting(woken)

    def _stop_waiting(self, woken: asyncio.Event) -> None:
        if woken in self._getters:
            self._getters.remove(woken)

    async def _set_after(self, event: asyncio.Event, delay: timedelta) -> None:
        await self._clock.sleep(delay)
        event.set()

    def _time_left(self, due: float) -> timedelta:
        # Rounded to what a sleep can express, or the last half microsecond would become a spin.
        return timedelta(seconds=due - self._clock.monotonic())

    def _wake_one(self) -> None:
        if self._getters and not self._stopped and (self._waiting or self._schedule):
            self._getters.popleft().set()

    def _forget_disowned(self) -> None:
        """Keep the schedule's size within a constant factor of the keys it serves."""
        if len(self._schedule) > 2 * len(self._due) + 64:
            self._schedule = [
                entry for entry in self._schedule if self._due.get(entry[2]) == entry[0]
            ]
            heapq.heapify(self._schedule)
