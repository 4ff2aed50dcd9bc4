"""Delays grow, stay within their limits, and differ between those who failed together."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_kube.backoff import Backoff

BACKOFF = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10**9, 60)]
)
def test_delay_doubles_up_to_the_limit(failures: int, seconds: int) -> None:
    """However long a fault lasts, the delay neither overflows nor grows beyond the limit."""
    assert BACKOFF.delay(failures, roll=0.0) == timedelta(seconds=seconds)


@given(failures=st.integers(1, 10_000), roll=st.floats(0, 1, exclude_max=True))
def test_chance_takes_away_at_most_half(failures: int, roll: float) -> None:
    """Clients that failed together spread out, yet none comes back at once."""
    longest = BACKOFF.delay(failures, roll=0.0)
    assert longest / 2 <= BACKOFF.delay(failures, roll=roll) <= longest


@pytest.mark.parametrize(("first", "limit"), [(0, 1), (-1, 1), (2, 1)])
def test_limits_that_make_no_sense_are_refused(first: int, limit: int) -> None:
    """A first delay of zero would be a hot loop."""
    with pytest.raises(ValueError, match="backoff needs"):
        Backoff(first=timedelta(seconds=first), limit=timedelta(seconds=limit))
