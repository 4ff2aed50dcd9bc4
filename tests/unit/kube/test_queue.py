"""The keyed queue loses nothing, repeats nothing needlessly and never hands a key out twice."""

import asyncio
from datetime import timedelta

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_kube.backoff import Backoff
from towline_kube.queue import KeyedQueue

SECOND = timedelta(seconds=1)


@pytest.fixture
def queue(clock: FakeClock) -> KeyedQueue[str]:
    """Return a queue in virtual time and without chance."""
    backoff = Backoff(first=SECOND, limit=8 * SECOND)
    return KeyedQueue(backoff=backoff, clock=clock, roll=lambda: 0.0)


class Worker:
    """Takes keys as they come and writes down when."""

    def __init__(self, queue: KeyedQueue[str], clock: FakeClock) -> None:
        self.queue = queue
        self.clock = clock
        self.got: list[tuple[str, float]] = []

    async def run(self) -> None:
        while True:
            key = await self.queue.get()
            self.got.append((key, self.clock.monotonic()))
            self.queue.done(key)


async def test_keys_come_in_the_order_they_were_added(queue: KeyedQueue[str]) -> None:
    """First come, first served: no key starves."""
    for key in "cab":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["c", "a", "b"]


async def test_a_waiting_key_is_not_added_twice(queue: KeyedQueue[str]) -> None:
    """A burst of changes of one object costs one pass."""
    for _ in range(100):
        queue.add("a")
    assert len(queue) == 1
    queue.done(await queue.get())
    assert len(queue) == 0


async def test_a_key_added_during_its_pass_runs_once_more_afterwards(
    queue: KeyedQueue[str],
) -> None:
    """The pass may have read the state before the change; another worker must not start yet."""
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"  # not "a", though it was added before
    assert queue.processing == 2
    queue.done(key)
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_key_nobody_took_cannot_be_done(queue: KeyedQueue[str]) -> None:
    """A mistake in a worker is reported where it is made."""
    queue.add("a")
    with pytest.raises(ValueError, match="'a' is not being processed"):
        queue.done("a")


async def test_a_getter_that_waits_is_served_at_once(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """Nobody polls."""
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        await clock.settle()
        queue.add("a")
        await clock.settle()
        assert worker.got == [("a", 0)]
    assert clock.sleeps == []


async def test_a_delayed_key_comes_when_it_is_due(queue: KeyedQueue[str], clock: FakeClock) -> None:
    """Not before, and without anything else having to happen."""
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        queue.add_after("a", 10 * SECOND)
        assert (len(queue), queue.delayed) == (0, 1)
        await clock.advance(9.999 * SECOND)
        assert worker.got == []
        await clock.advance(SECOND)
        assert worker.got == [("a", 10)]
        assert queue.delayed == 0


async def test_a_getter_that_waits_hears_of_an_earlier_date(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """The alarm set for a far date must not keep a nearer one waiting."""
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        queue.add_after("late", 100 * SECOND)
        await clock.settle()
        queue.add_after("early", 1 * SECOND)
        await clock.advance(200 * SECOND)
        assert worker.got == [("early", 1), ("late", 100)]


async def test_of_several_delays_the_earliest_counts(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """One pass serves them all; it says itself when to look again."""
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        for delay in (5, 3, 8):
            queue.add_after("a", delay * SECOND)
        await clock.advance(20 * SECOND)
        assert worker.got == [("a", 3)]


async def test_a_pass_replaces_what_was_set_for_later(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """A deadline that moves with each pass must not leave a trail of needless passes."""
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        queue.add_after("a", 5 * SECOND)
        await clock.advance(SECOND)
        queue.add("a")
        await clock.advance(20 * SECOND)
        assert worker.got == [("a", 1)]


async def test_a_delay_set_during_the_pass_is_kept(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """Only what was set before the pass began is answered by it."""
    queue.add("a")
    queue.add_after("a", 5 * SECOND)
    key = await queue.get()
    queue.add_after("a", 7 * SECOND)
    queue.done(key)
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        await clock.advance(20 * SECOND)
        assert worker.got == [("a", 7)]


async def test_a_key_due_during_its_pass_waits_for_the_end_of_it(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """Time must not break the rule of one worker a key."""
    queue.add("a")
    await queue.get()
    queue.add_after("a", SECOND)
    worker = Worker(queue, clock)
    async with background(worker.run(), name="work"):
        await clock.advance(5 * SECOND)
        assert worker.got == []
        queue.done("a")
        await clock.settle()
        assert worker.got == [("a", 5)]


@pytest.mark.parametrize("delay", [timedelta(0), -SECOND], ids=["none", "negative"])
async def test_no_delay_means_now(queue: KeyedQueue[str], delay: timedelta) -> None:
    """A deadline that has passed is not an error."""
    queue.add_after("a", delay)
    assert len(queue) == 1


async def test_failures_double_the_delay_until_forgotten(queue: KeyedQueue[str]) -> None:
    """Each key has a count of its own, and success starts it over."""
    delays = [queue.add_failed("a").total_seconds() for _ in range(6)]
    assert delays == [1, 2, 4, 8, 8, 8]
    assert queue.add_failed("b") == SECOND
    assert (queue.failures("a"), queue.failing) == (6, 2)
    queue.forget("a")
    queue.forget("a")  # nothing to forget is fine
    assert (queue.failures("a"), queue.failing) == (0, 1)
    assert queue.add_failed("a") == SECOND


async def test_a_wish_of_the_server_lengthens_the_delay(queue: KeyedQueue[str]) -> None:
    """Retry-After wins when it is longer, and only then."""
    assert queue.add_failed("a", at_least=timedelta(minutes=5)) == timedelta(minutes=5)
    assert queue.add_failed("a", at_least=SECOND) == 2 * SECOND


async def test_a_cancelled_getter_passes_its_news_on(queue: KeyedQueue[str]) -> None:
    """Woken and cancelled in the same turn: the key must go to the next one who waits."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(queue.get(), name="get-first")
        second = group.create_task(queue.get(), name="get-second")
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
    assert first.cancelled()
    assert second.result() == "a"


async def test_a_cancelled_getter_passes_the_alarm_on(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """The one who watched the schedule goes; somebody else has to."""
    worker = Worker(queue, clock)
    async with background(queue.get(), name="get-first") as first:
        queue.add_after("a", SECOND)
        await clock.settle()
        async with background(worker.run(), name="work"):
            await clock.settle()
            first.cancel()
            await clock.advance(2 * SECOND)
            assert worker.got == [("a", 1)]


async def test_a_timeout_around_get_loses_no_key(queue: KeyedQueue[str]) -> None:
    """Whoever waits with a limit may try again."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await queue.get()
    queue.add("a")
    assert await queue.get() == "a"


async def test_many_getters_share_many_due_keys(queue: KeyedQueue[str], clock: FakeClock) -> None:
    """All keys of one date are worked on at that date, by as many workers as there are."""
    taken: list[str] = []

    async def take_one_and_keep_it() -> None:
        taken.append(await queue.get())

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            queue.add_after(f"k{number}", 5 * SECOND)
            group.create_task(take_one_and_keep_it(), name=f"take-key/{number}")
        await clock.advance(5 * SECOND)
        assert len(taken) == 20


async def test_moving_a_date_again_and_again_needs_no_more_memory(
    queue: KeyedQueue[str], clock: FakeClock
) -> None:
    """A lease renewed for a month moves its deadline 43,200 times."""
    queue.add_after("first", timedelta(minutes=1))  # hides what lies behind it in the schedule
    for _ in range(2_000):
        queue.add("a")
        queue.done(await queue.get())
        queue.add_after("a", timedelta(minutes=5))
        await clock.advance(0.001 * SECOND)
    assert queue.delayed == 2
    assert len(queue._schedule) < 100


async def test_odd_fractions_of_time_do_not_spin(clock: FakeClock) -> None:
    """A wait shorter than a sleep can express counts as over."""
    queue: KeyedQueue[str] = KeyedQueue(clock=clock, roll=lambda: 1 / 3)
    worker = Worker(queue, clock)
    await clock.advance(timedelta(days=400, microseconds=7))
    async with background(worker.run(), name="work"):
        for _ in range(50):
            queue.add_failed("a")
            await clock.advance(timedelta(minutes=3, microseconds=1))
    assert len(worker.got) == 50
    assert len(clock.sleeps) <= 100
