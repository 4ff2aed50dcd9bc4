from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_certs import SIGNER_BACKDATING, Validity, renewal_time, share_left_for

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAIVE = START.replace(tzinfo=None)

instants = st.datetimes(NAIVE, NAIVE.replace(year=2040), timezones=st.just(UTC))
lifetimes = st.timedeltas(timedelta(0), timedelta(days=800))
shares = st.floats(0.20, 0.25, exclude_max=True)


@st.composite
def windows(draw):
    start = draw(instants)
    return Validity(start, start + draw(lifetimes))


@given(st.text(max_size=80))
def test_the_share_is_drawn_once_per_certificate(fingerprint):
    """A fresh roll on every call could put renewal off again and again."""
    share = share_left_for(fingerprint)
    assert 0.20 <= share < 0.25
    assert share == share_left_for(fingerprint)


def test_shares_spread_over_the_whole_range():
    """A fleet that joined in one minute must not come back in one minute."""
    shares = [share_left_for(f"{number:064x}") for number in range(1000)]
    counts = [sum(low <= share < low + 0.01 for share in shares) for low in _STEPS]
    assert min(counts) > 140
    assert sum(counts) == 1000


_STEPS = (0.20, 0.21, 0.22, 0.23, 0.24)


@given(windows(), st.none() | instants, shares)
def test_renewal_lies_within_the_usable_life(validity, issued_at, share):
    """Earlier would loop, later would cut the channel."""
    when = renewal_time(validity, issued_at=issued_at, share_left=share)
    assert validity.not_before <= when <= validity.not_after
    if issued_at is not None and issued_at <= validity.not_after:
        assert when >= issued_at


@given(windows(), st.none() | instants, shares, shares)
def test_leaving_more_unused_means_renewing_no_later(validity, issued_at, one, other):
    """The share is what spreads a fleet, so it has to order it."""
    more, less = max(one, other), min(one, other)
    assert renewal_time(validity, issued_at=issued_at, share_left=more) <= renewal_time(
        validity, issued_at=issued_at, share_left=less
    )


def test_a_years_certificate_is_renewed_when_a_fifth_is_left():
    """The plain case, by hand."""
    validity = Validity(START, START + timedelta(days=100))
    assert renewal_time(validity, issued_at=START, share_left=0.2) == START + timedelta(days=80)


def test_backdating_does_not_eat_a_short_certificates_life():
    """The signer dates back by five minutes: of ten minutes, all ten are used, not five of fifteen.

    Counted from `notBefore`, three quarters of the window would be over six minutes after issue
    instead of seven and a half, and a two-minute certificate would be renewed before it is used.
    """
    issued_at = START
    validity = Validity(START - 5 * MINUTE, START + 2 * MINUTE)
    when = renewal_time(validity, issued_at=issued_at, share_left=0.25)
    assert when == START + timedelta(seconds=90)


def test_backdating_is_assumed_when_the_moment_of_issue_is_unknown():
    """A certificate found on disk does not say when it came."""
    validity = Validity(START - SIGNER_BACKDATING, START + 10 * MINUTE)
    when = renewal_time(validity, share_left=0.2)
    assert when == START + 8 * MINUTE == renewal_time(validity, issued_at=START, share_left=0.2)


def test_backdating_is_not_assumed_where_it_does_not_fit():
    """A four-minute window cannot have begun five minutes before its issue."""
    validity = Validity(START, START + 4 * MINUTE)
    assert renewal_time(validity, share_left=0.25) == START + 3 * MINUTE


def test_a_certificate_received_after_its_end_is_due_at_its_end():
    """Renewal is then overdue, which the caller sees by comparing with now."""
    validity = Validity(START, START + MINUTE)
    late = START + timedelta(hours=1)
    assert renewal_time(validity, issued_at=late, share_left=0.2) == validity.not_after


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_a_mistake_of_the_caller(share):
    """Zero would mean renewing when it is too late."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        renewal_time(Validity(START, START + MINUTE), share_left=share)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START + MINUTE, START),
        (START.replace(tzinfo=None), START),
        (START, START.replace(tzinfo=None)),
    ],
)
def test_a_window_has_two_aware_ends_in_order(start, end):
    """A naive instant is in nobody's time zone."""
    with pytest.raises(ValueError, match=r"aware|no instant"):
        Validity(start, end)


def test_both_ends_belong_to_the_window():
    """RFC 5280 counts them in."""
    validity = Validity(START, START + MINUTE)
    assert validity.lifetime == MINUTE
    assert validity.covers(START)
    assert validity.covers(START + MINUTE)
    assert not validity.covers(START - timedelta(seconds=1))
    assert not validity.covers(START + MINUTE + timedelta(seconds=1))
