"""Durations are worded as `kubectl get` shows them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.views.durations import Since, human_duration, parse_moment

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=-2), "<invalid>"),
        (timedelta(seconds=-1), "0s"),
        (timedelta(seconds=0.9), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=9, seconds=59), "9m59s"),
        (timedelta(minutes=10, seconds=59), "10m"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=7, minutes=59), "7h59m"),
        (timedelta(hours=47, minutes=59), "47h"),
        (timedelta(days=2), "2d"),
        (timedelta(days=7, hours=23), "7d23h"),
        (timedelta(days=8, hours=23), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=730), "2y"),
        (timedelta(days=800), "2y70d"),
        (timedelta(days=365 * 8 + 100), "8y"),
    ],
)
def test_a_duration_is_shown_in_the_units_that_matter(duration: timedelta, text: str) -> None:
    """People compare what they see on both planes."""
    assert human_duration(duration) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40_000)))
def test_every_duration_is_short(duration: timedelta) -> None:
    """At most two units, so that the column stays narrow."""
    text = human_duration(duration)
    assert 2 <= len(text) <= 7
    assert sum(letter.isalpha() for letter in text) <= 2


def test_an_unknown_beginning_is_said_to_be_unknown() -> None:
    """Objects without a creation time exist: bookmarks of a watch."""
    assert Since(None).at(NOW) == "<unknown>"
    assert Since(NOW - timedelta(minutes=3), "2 ({} ago)").at(NOW) == "2 (3m ago)"


@pytest.mark.parametrize("text", [None, 5, "", "yesterday"])
def test_what_is_no_moment_is_none(text: object) -> None:
    """Columns are made of what objects hold, whatever that is."""
    assert parse_moment(text) is None
