"""In a storm, what is told waits for what happens: nobody's pass, and no busy API server."""

from datetime import timedelta
from functools import partial

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from support.tasks import background
from towline_api.resources import EVENTS
from towline_kube.event_backlog import BURST, EVERY, MOST_WAITING, EventBacklog
from towline_kube.events import EventRecorder

LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "managed-cluster-lease", "namespace": "c1", "uid": "u1"},
}


class _Teller:
    """Gives a backlog numbers to tell, and sees which were told."""

    def __init__(self, clock: FakeClock) -> None:
        self.told: list[int] = []
        self.dropped = 0
        self.backlog = EventBacklog(clock=clock, on_dropped=self._count)

    def _count(self) -> None:
        self.dropped += 1

    async def give(self, numbers: range) -> None:
        for number in numbers:
            await self.backlog.take(partial(self._tell, number))

    async def _tell(self, number: int) -> None:
        self.told.append(number)


@pytest.fixture
def teller(clock: FakeClock) -> _Teller:
    return _Teller(clock)


async def test_one_that_does_not_run_sends_at_once(teller: _Teller) -> None:
    """A short command has nobody who would send later."""
    await teller.give(range(BURST * 2))
    assert teller.told == list(range(BURST * 2))


async def test_a_few_are_sent_at_once_and_a_storm_by_and_by(
    teller: _Teller, clock: FakeClock
) -> None:
    """One cluster's events are there when somebody looks; five hundred clusters' come after."""
    async with background(teller.backlog.run(), name="backlog"):
        await clock.settle()
        await teller.give(range(BURST + 50))
        await clock.settle()
        assert teller.told == list(range(BURST))
        for sent in range(1, 51):
            await clock.advance(EVERY)
            assert teller.told == list(range(BURST + sent)), "in their order"


async def test_after_a_quiet_time_a_burst_is_sent_at_once_again(
    teller: _Teller, clock: FakeClock
) -> None:
    """The pace is for storms only."""
    async with background(teller.backlog.run(), name="backlog"):
        await clock.settle()
        await teller.give(range(BURST))
        await clock.settle()
        await clock.advance(BURST * EVERY)
        await teller.give(range(BURST, 2 * BURST))
        await clock.settle()
        assert teller.told == list(range(2 * BURST))


async def test_what_is_left_when_it_ends_is_flushed(teller: _Teller, clock: FakeClock) -> None:
    """A hub that is replaced has told everything."""
    async with background(teller.backlog.run(), name="backlog"):
        await clock.settle()
        await teller.give(range(BURST + 5))
        await clock.settle()
    await teller.backlog.flush()
    assert teller.told == list(range(BURST + 5))
    assert not len(teller.backlog)


async def test_of_too_many_the_oldest_are_given_up_and_that_is_said_once(
    teller: _Teller, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory is bounded whatever happens."""
    async with background(teller.backlog.run(), name="backlog"):
        await clock.settle()
        await teller.give(range(BURST))
        await clock.settle()
        await teller.give(range(BURST, BURST + MOST_WAITING + 3))
        assert (len(teller.backlog), teller.dropped) == (MOST_WAITING, 3)
    await teller.backlog.flush()
    assert teller.told == [*range(BURST), *range(BURST + 3, BURST + MOST_WAITING + 3)]
    assert [record.message for record in caplog.records].count(
        "too many events at a time; the oldest are not recorded"
    ) == 1


async def test_a_repeat_told_while_the_first_waits_is_counted(clock: FakeClock) -> None:
    """Two passes that tell the same make one event, also when neither is sent yet."""
    server = FakeClient(clock)
    recorder = EventRecorder(server, controller="towline-hub", instance="pod-1", clock=clock)
    async with background(recorder.run(), name="record"):
        await clock.settle()
        for _ in range(2):
            await recorder.record(LEASE, reason="Stumbled", note="over a stone", action="Walk")
        assert server.called("create") == 0, "nobody's pass waits for it"
        await clock.settle()
        await clock.advance(timedelta(seconds=1))
    await recorder.flush()
    (event,) = server.stored(EVENTS).values()
    assert event["series"]["count"] == 2
