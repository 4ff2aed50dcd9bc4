"""How long a server that fails is left alone: bounded both ways, and the same for all who call."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clock import FakeClock
from towline_kube.patience import Patience, ReturnPolicy

SPREAD, LIMIT = timedelta(seconds=30), timedelta(minutes=2)
POLICY = ReturnPolicy(spread=SPREAD, limit=LIMIT)
SECOND = timedelta(seconds=1)

rolls = st.floats(0, 1, exclude_max=True)
times = st.timedeltas(timedelta(), timedelta(days=400))


@pytest.mark.parametrize(
    ("away", "roll", "seconds"),
    [
        pytest.param(0, 0.0, 0, id="the-first-of-a-fleet-comes-at-once"),
        pytest.param(0, 0.5, 15, id="the-first-tries-fill-the-spread"),
        pytest.param(2, 0.0, 60, id="the-second-pause-is-twice-the-spread"),
        pytest.param(2, 0.5, 45, id="less-by-chance"),
        pytest.param(40, 0.0, 80, id="twice-as-long-as-it-was-away"),
        pytest.param(3600, 0.0, 120, id="up-to-the-limit"),
    ],
)
def test_pauses_grow_with_the_time_a_server_is_away(
    away: float, roll: float, seconds: float
) -> None:
    """Not with the number of failures: an agent with many loops has more of those."""
    pause = POLICY.pause(timedelta(seconds=away), roll=roll)
    assert pause == timedelta(seconds=seconds)


@given(away=times, roll=rolls)
def test_a_pause_is_never_longer_than_the_limit(away: timedelta, roll: float) -> None:
    """So a hub that is back is noticed within two minutes, however long it was away."""
    assert timedelta() <= POLICY.pause(away, roll=roll) <= LIMIT


@given(away=st.timedeltas(SECOND, timedelta(days=400)), roll=rolls)
def test_from_the_second_try_on_a_pause_is_at_least_the_spread(
    away: timedelta, roll: float
) -> None:
    """What a single loop can ask for is bounded as well as what a fleet can."""
    assert POLICY.pause(away, roll=roll) >= SPREAD


@given(away=times, roll=rolls, asked=times)
def test_nobody_comes_before_the_server_wants(
    away: timedelta, roll: float, asked: timedelta
) -> None:
    """It tells all the same time, so chance is added to that rather than hidden in it."""
    assert POLICY.pause(away, roll=roll, asked=asked) == asked + POLICY.pause(away, roll=roll)


@pytest.mark.parametrize(("spread", "limit"), [(0, 10), (-1, 10), (6, 10)])
def test_a_policy_that_makes_no_sense_is_refused(spread: int, limit: int) -> None:
    """Without a spread, a fleet comes back in one moment."""
    with pytest.raises(ValueError, match="a return needs"):
        ReturnPolicy(spread=timedelta(seconds=spread), limit=timedelta(seconds=limit))


async def test_an_answer_to_anybody_ends_the_absence_for_everybody() -> None:
    """The next failure is a first one again, and may be that of a single connection."""
    clock = FakeClock()
    patience = Patience(POLICY, clock=clock, roll=lambda: 0.0)
    seen = [patience.is_away]
    patience.note_failure()
    await clock.advance(50 * SECOND)
    patience.note_failure()
    seen.append(patience.is_away)
    assert patience.pause() == 100 * SECOND
    patience.note_answer()
    seen.append(patience.is_away)
    assert seen == [False, True, False]
    patience.note_failure()
    assert patience.pause(asked=SECOND) == SECOND
