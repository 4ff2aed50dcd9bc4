"""What controllers tell of their passes, and how they and their caches come to rest."""

import asyncio
from datetime import timedelta

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from support.tasks import background
from towline_api.errors import TransientError
from towline_api.resources import MANAGED_CLUSTERS
from towline_kube.cache import Cache
from towline_kube.controller import DONE, Controller, Pass, Result
from towline_kube.fence import NotLeading
from towline_kube.queue import KeyedQueue
from towline_kube.store import Change

SECOND = timedelta(seconds=1)


class Slow:
    """A reconciler that takes a second of virtual time, and may be told to fail."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.began: list[str] = []
        self.ended: list[str] = []
        self.fails = False

    async def __call__(self, key: str) -> Result:
        self.began.append(key)
        await self.clock.sleep(SECOND)
        self.ended.append(key)
        if self.fails:
            raise TransientError("no")
        return DONE


@pytest.fixture
def slow(clock: FakeClock) -> Slow:
    return Slow(clock)


@pytest.fixture
def controller(slow: Slow, clock: FakeClock) -> Controller[str]:
    return Controller("slow", slow, clock=clock, roll=lambda: 0.0)


async def test_each_pass_tells_how_long_its_key_waited_and_how_long_it_took(
    slow: Slow, controller: Controller[str], clock: FakeClock
) -> None:
    """An operator sees by it whether a hub is too slow, or what it asks is."""
    told: list[Pass] = []
    controller.on_pass(told.append)
    async with background(controller.run(), name="run"):
        controller.enqueue("a")
        controller.enqueue("b")
        await clock.advance(2 * SECOND)
        assert [(p.waited, p.took, p.failed) for p in told] == [
            (timedelta(0), SECOND, False),
            (SECOND, SECOND, False),
        ]
        assert {p.controller for p in told} == {"slow"}
        slow.fails = True
        controller.enqueue("c")
        await clock.advance(SECOND)
        assert told[-1].failed


async def test_a_delayed_key_waits_from_when_it_is_due(
    controller: Controller[str], clock: FakeClock
) -> None:
    """That it was told to come back in a minute is not the queue's fault."""
    told: list[Pass] = []
    controller.on_pass(told.append)
    async with background(controller.run(), name="run"):
        controller.enqueue("a", after=60 * SECOND)
        await clock.advance(61 * SECOND)
        assert [p.waited for p in told] == [timedelta(0)]


async def test_a_key_that_falls_due_while_all_workers_are_busy_waits_from_then(
    controller: Controller[str], clock: FakeClock
) -> None:
    """Nobody looks at the schedule meanwhile, and it waits all the same."""
    told: list[Pass] = []
    controller.on_pass(told.append)
    async with background(controller.run(), name="run"):
        controller.enqueue("a")
        controller.enqueue("b", after=SECOND / 4)
        await clock.advance(2 * SECOND)
        assert [p.waited for p in told] == [timedelta(0), 3 * SECOND / 4]


async def test_a_key_that_changes_during_its_pass_waits_from_then(
    controller: Controller[str], clock: FakeClock
) -> None:
    """One key, one pass at a time: the second is late by what was left of the first."""
    told: list[Pass] = []
    controller.on_pass(told.append)
    async with background(controller.run(), name="run"):
        controller.enqueue("a")
        await clock.advance(SECOND / 4)
        controller.enqueue("a")
        await clock.advance(2 * SECOND)
        assert [p.waited for p in told] == [timedelta(0), 3 * SECOND / 4]


async def test_only_who_has_a_key_may_ask_how_long_it_waited(clock: FakeClock) -> None:
    """Anything else is a mistake of the caller."""
    queue: KeyedQueue[str] = KeyedQueue(clock=clock)
    queue.add("a")
    with pytest.raises(ValueError, match="not being processed"):
        queue.waited("a")


async def test_draining_ends_what_began_and_begins_nothing(
    slow: Slow, controller: Controller[str], clock: FakeClock
) -> None:
    """What waits, comes later or falls due is the next hub's."""
    async with background(controller.run(), name="run"):
        for key in ("a", "b"):
            controller.enqueue(key)
        controller.enqueue("c", after=SECOND / 2)
        await clock.advance(SECOND / 4)
        async with background(controller.drain(), name="drain") as draining:
            await clock.advance(SECOND / 4)
            assert not draining.done()
            controller.enqueue("d")
            await clock.advance(SECOND)
            assert draining.done()
        await clock.advance(60 * SECOND)
        assert slow.began == slow.ended == ["a"]


async def test_an_idle_controller_is_drained_at_once(
    controller: Controller[str], clock: FakeClock
) -> None:
    """Also one that never ran."""
    async with asyncio.timeout(1):
        await controller.drain()


async def test_a_pass_that_the_fence_stopped_is_no_news(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A leader that loses the lead says so once, not once for each of its passes."""

    async def fenced(key: str) -> Result:
        raise NotLeading("not now")

    controller: Controller[str] = Controller("fenced", fenced, clock=clock, roll=lambda: 0.0)
    async with background(controller.run(), name="run"):
        controller.enqueue("a")
        await clock.advance(SECOND)
        assert controller.failures > 1
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


async def test_handlers_of_a_term_go_with_it(clock: FakeClock) -> None:
    """A leader's reconcilers must neither hear on nor pile up when it stands by again."""
    server = FakeClient(clock)
    cache = Cache(server, MANAGED_CLUSTERS, clock=clock)
    lasting: list[Change] = []
    cache.on_change(lasting.append)
    async with background(cache.run(), name="cache"):
        await clock.settle()
        for name in ("one", "two"):
            heard: list[Change] = []
            with cache.temporary_handlers():
                cache.on_change(heard.append)
                before = len(heard)
                server.put(MANAGED_CLUSTERS, {"metadata": {"name": name}})
                await clock.settle()
                assert len(heard) == before + 1
            server.put(MANAGED_CLUSTERS, {"metadata": {"name": f"{name}-later"}})
            await clock.settle()
            assert len(heard) == before + 1
        assert len(lasting) == 4
        assert len(cache._handlers) == 1
