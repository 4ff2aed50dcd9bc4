"""Instants are read and complained about as Go does it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.built_in.timestamps import (
    Precision,
    TimestampError,
    canonical_timestamp,
    format_timestamp,
    parse_timestamp,
)

SECONDS, MICROSECONDS = Precision.SECONDS, Precision.MICROSECONDS
MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"


@pytest.mark.parametrize(
    ("text", "precision", "canonical"),
    [
        ("2026-01-01T00:00:00Z", SECONDS, "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.5Z", SECONDS, "2026-01-01T00:00:00Z"),
        ("2026-01-01T02:00:00+02:00", SECONDS, "2026-01-01T00:00:00Z"),
        ("2026-01-01T02:00:00.000001+02:00", MICROSECONDS, "2026-01-01T00:00:00.000001Z"),
    ],
)
def test_an_instant_is_handed_back_in_utc(text: str, precision: Precision, canonical: str) -> None:
    """Two spellings of an instant are one value; compared as text, they must be equal."""
    assert canonical_timestamp(text, precision=precision) == canonical


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-01-01T00:00:00Z", f'as "{MICRO_LAYOUT}": cannot parse "Z" as ".000000"'),
        ("2026-01-01T00:00:00.5Z", f'as "{MICRO_LAYOUT}": cannot parse ".5Z" as ".000000"'),
        (
            "2026-01-01T00:00:00.123456789Z",
            f'as "{MICRO_LAYOUT}": cannot parse "789Z" as "Z07:00"',
        ),
        ("2026-01-01", f'as "{MICRO_LAYOUT}": cannot parse "" as "T"'),
        ("", f'as "{MICRO_LAYOUT}": cannot parse "" as "2006"'),
        ("2026-1-01T00:00:00Z", f'as "{MICRO_LAYOUT}": cannot parse "1-01T00:00:00Z" as "01"'),
        ("2026-13-01T00:00:00.000000Z", ": month out of range"),
        ("2026-02-30T00:00:00.000000Z", ": day out of range"),
        ("2026-01-01T25:00:00.000000Z", ": hour out of range"),
        ("2026-01-01T00:00:00.000000Zx", ': extra text: "x"'),
    ],
)
def test_what_is_no_instant_is_refused_in_gos_words(text: str, told: str) -> None:
    """Lease renewals with a wrong precision are a mistake every client makes once."""
    with pytest.raises(TimestampError) as refusal:
        parse_timestamp(text, precision=MICROSECONDS)
    assert str(refusal.value) == f'parsing time "{text}"{"" if told[0] == ":" else " "}{told}'


@given(
    instant=st.datetimes(
        datetime(1000, 1, 2),  # noqa: DTZ001  # hypothesis wants them without a zone
        datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    offset=st.integers(-12 * 60, 12 * 60),
)
def test_the_same_instant_comes_back_whatever_zone_it_was_told_in(
    instant: datetime, offset: int
) -> None:
    """No instant moves on its way through the server."""
    told = instant.astimezone(timezone(timedelta(minutes=offset)))
    text = told.isoformat(timespec="microseconds")
    assert parse_timestamp(text, precision=MICROSECONDS) == instant
    canonical = canonical_timestamp(text, precision=MICROSECONDS)
    assert canonical == format_timestamp(instant, precision=MICROSECONDS)
