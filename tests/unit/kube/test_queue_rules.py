"""The rules of the keyed queue, held against every order of calls that hypothesis can think of."""

import asyncio
from collections import defaultdict
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.clock import FakeClock
from towline_kube.backoff import Backoff
from towline_kube.queue import KeyedQueue

KEYS = st.sampled_from("abcd")
BACKOFF = Backoff(first=timedelta(seconds=1), limit=timedelta(seconds=8))


class QueueMachine(RuleBasedStateMachine):
    """Adds, delays and fails keys while workers come, go and are cancelled.

    `owed` says by when each key has to be handed out; whatever is owed and late is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.runner.get_loop()
        self.clock = FakeClock()
        self.queue: KeyedQueue[str] = KeyedQueue(
            backoff=BACKOFF, clock=self.clock, roll=lambda: 0.0
        )
        self.getters: list[asyncio.Task[str]] = []
        self.held: set[str] = set()
        self.owed: dict[str, float] = {}
        self.failures: defaultdict[str, int] = defaultdict(int)

    def teardown(self) -> None:
        self.runner.run(self._cancel(self.getters))
        self.runner.close()

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self._owe(key, 0)

    @rule(key=KEYS, seconds=st.integers(0, 10))
    def add_after(self, key: str, seconds: int) -> None:
        self.queue.add_after(key, timedelta(seconds=seconds))
        self._owe(key, seconds)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), fails=st.booleans())
    def end_pass(self, data: st.DataObject, fails: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        self.held.remove(key)
        if fails:
            self.failures[key] += 1
            delay = self.queue.add_failed(key)
            assert delay == BACKOFF.delay(self.failures[key], roll=0.0)
            self._owe(key, delay.total_seconds())
        else:
            self.failures.pop(key, None)
            self.queue.forget(key)
        self.queue.done(key)

    @rule()
    def start_getter(self) -> None:
        async def start() -> None:
            self.getters.append(asyncio.create_task(self.queue.get(), name="get-key"))

        self.runner.run(start())

    @precondition(lambda self: self.getters)
    @rule(data=st.data(), key=st.none() | KEYS)
    def cancel_getter(self, data: st.DataObject, key: str | None) -> None:
        """Cancel one, perhaps in the very turn in which a key wakes it."""
        victim = data.draw(st.sampled_from(range(len(self.getters))))

        async def cancel() -> None:
            task = self.getters.pop(victim)
            if key is not None:
                self.queue.add(key)
            await self._cancel([task])

        if key is not None:
            self._owe(key, 0)
        self.runner.run(cancel())

    @rule(milliseconds=st.integers(0, 5_000))
    def advance(self, milliseconds: int) -> None:
        self.runner.run(self.clock.advance(timedelta(milliseconds=milliseconds)))
        self._collect()

    @invariant()
    def the_rules_hold(self) -> None:
        self.runner.run(self.clock.settle())
        self._collect()
        if self.getters:
            now = self.clock.monotonic()
            late = {key for key, due in self.owed.items() if due <= now} - self.held
            assert not late, f"nobody was handed {late} though {len(self.getters)} wait"
        assert self.queue.processing == len(self.held)
        assert self.queue.failing == len(self.failures)

    def _owe(self, key: str, seconds: float) -> None:
        due = self.clock.monotonic() + seconds
        self.owed[key] = min(due, self.owed.get(key, due))

    def _collect(self) -> None:
        for task in [task for task in self.getters if task.done()]:
            self.getters.remove(task)
            key = task.result()
            assert key not in self.held, f"{key} was handed out twice at a time"
            assert key in self.owed, f"{key} was handed out without being asked for"
            assert self.owed.pop(key) <= self.clock.monotonic(), f"{key} came too early"
            self.held.add(key)

    async def _cancel(self, tasks: list[asyncio.Task[str]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueRules = QueueMachine.TestCase
