"""Virtual time passes in order, and nobody is left running when `advance` returns."""

import asyncio
from datetime import timedelta

import pytest

from support.clock import START, FakeClock
from support.tasks import background
from towline_kube.clock import Clock

SECOND = timedelta(seconds=1)


def test_it_is_a_clock(clock: FakeClock) -> None:
    """Whatever takes the real one takes it."""
    real: Clock = clock
    assert (real.now(), real.monotonic()) == (START, 0.0)


async def test_sleepers_wake_in_order_of_time(clock: FakeClock) -> None:
    """Each sees the time at which it asked to be woken, not the end of the jump."""
    woken: list[float] = []

    async def sleep(seconds: int) -> None:
        await clock.sleep(seconds * SECOND)
        woken.append(clock.monotonic())

    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2):
            group.create_task(sleep(seconds), name=f"sleep/{seconds}")
        await clock.advance(2 * SECOND)
        assert (woken, clock.sleepers) == ([1, 2], 1)
        await clock.advance(10 * SECOND)
    assert woken == [1, 2, 3]
    assert clock.now() == START + 12 * SECOND


async def test_a_loop_gets_every_turn_of_a_long_jump(clock: FakeClock) -> None:
    """Whoever falls asleep again on the way is woken again."""
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await clock.sleep(60 * SECOND)
            beats.append(clock.monotonic())

    async with background(beat(), name="beat"):
        await clock.advance(timedelta(minutes=5))
        assert beats == [60, 120, 180, 240, 300]
    assert clock.sleepers == 0


async def test_a_spinning_task_is_reported(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hot loop must fail the test, not hang it."""
    monkeypatch.setattr("support.clock._MAX_ROUNDS", 100)

    async def spin() -> None:
        while True:
            await clock.sleep(timedelta(0))

    async with background(spin(), name="spin"):
        with pytest.raises(AssertionError, match="a hot loop"):
            await clock.advance(SECOND)


async def test_waiting_for_what_does_not_happen_ends(clock: FakeClock) -> None:
    """The limit is in virtual time."""
    with pytest.raises(AssertionError, match="did not happen within 0:01:00"):
        await clock.advance_until(lambda: False, step=SECOND, limit=60 * SECOND)
    assert clock.monotonic() == 60


async def test_waiting_stops_where_it_happens(clock: FakeClock) -> None:
    """Not one step later."""
    await clock.advance_until(
        lambda: clock.monotonic() >= 3, step=SECOND, limit=timedelta(minutes=1)
    )
    assert clock.monotonic() == 3
