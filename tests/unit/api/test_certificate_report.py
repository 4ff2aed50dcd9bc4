"""What an agent writes about its certificate is what the hub reads."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.certificate_report import (
    find_certificate_end,
    rotated_message,
    rotation_failed_message,
)

START = datetime(2026, 7, 1, 11, 55, tzinfo=UTC)
END = datetime(2026, 7, 3, 12, tzinfo=UTC)
INSTANTS = st.integers(min_value=0, max_value=2**32).map(lambda s: datetime.fromtimestamp(s, UTC))


def test_success_is_told_as_ocm_tells_it() -> None:
    """Hubs of both projects read this sentence."""
    assert rotated_message(start=START, end=END) == (
        "client certificate rotated starting from 2026-07-01T11:55:00Z to 2026-07-03T12:00:00Z"
    )


def test_a_failure_is_told_with_the_end_of_what_is_left() -> None:
    """What went wrong comes first, for people; how much time is left follows."""
    assert rotation_failed_message("request x was denied", end=END) == (
        "request x was denied; the newest client certificate ends at 2026-07-03T12:00:00Z"
    )


@given(start=INSTANTS, end=INSTANTS)
def test_the_end_is_read_from_a_success(start: datetime, end: datetime) -> None:
    """Agent and hub cannot drift apart in their one sentence."""
    assert find_certificate_end(rotated_message(start=start, end=end)) == end


@given(failure=st.text(), end=INSTANTS)
def test_the_end_is_read_from_a_failure_whatever_went_wrong(failure: str, end: datetime) -> None:
    """Failures quote servers and people: several lines, anything."""
    assert find_certificate_end(rotation_failed_message(failure, end=end)) == end


def test_a_failure_that_quotes_another_report_does_not_count_for_it() -> None:
    """The agent's own last word decides, not what somebody wrote into a denial."""
    quoted = rotation_failed_message("denied", end=END - timedelta(days=1))
    assert find_certificate_end(rotation_failed_message(quoted, end=END)) == END
    assert find_certificate_end(f"{quoted}: said the hub") is None
    success = rotated_message(start=START, end=END - timedelta(days=1))
    assert find_certificate_end(rotation_failed_message(success, end=END)) == END


def test_without_a_certificate_no_end_is_told() -> None:
    """The first request of an add-on may fail before there is anything that could end."""
    message = rotation_failed_message("request x was denied", end=None)
    assert message == "request x was denied"
    assert find_certificate_end(message) is None


@pytest.mark.parametrize(
    "message",
    [
        "",
        "halted",
        "denied; the newest client certificate ends at noon",
        "denied; the newest client certificate ends at 2026-02-31T00:00:00Z",
        "client certificate rotated starting from x to 0001-01-01 00:00:00 +2359 UTC",
    ],
)
def test_nonsense_tells_no_end(message: str) -> None:
    """Anybody with an agent's rights writes this text; it must not raise, nor prove an expiry."""
    assert find_certificate_end(message) is None
