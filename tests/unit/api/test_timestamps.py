"""Instants keep their meaning on the way to the wire and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.errors import WireError
from towline_api.timestamps import (
    InvalidTimeError,
    format_micro_time,
    format_time,
    parse_time,
)

NOON = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)

aware = st.datetimes(
    timezones=st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
        lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    ),
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
)


def test_time_is_cut_to_whole_seconds():
    """An API server refuses a condition's time with a fraction of another length."""
    assert format_time(NOON) == "2026-01-31T12:00:00Z"


def test_micro_time_always_has_six_digits():
    """A lease's renewTime without its six digits is refused by an API server."""
    assert format_micro_time(NOON) == "2026-01-31T12:00:00.250000Z"
    assert format_micro_time(NOON.replace(microsecond=0)) == "2026-01-31T12:00:00.000000Z"


@given(aware)
def test_micro_time_reads_back_as_the_same_instant(instant: datetime):
    """Leases are compared after a trip over the wire; nothing may shift."""
    assert parse_time(format_micro_time(instant)) == instant
    assert parse_time(format_time(instant)) == instant.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", NOON.replace(microsecond=0)),
        ("2026-01-31T13:00:00.25+01:00", NOON),
        ("2026-01-31T12:00:00.250000999Z", NOON),
        ("2026-01-31T07:00:00-05:00", NOON.replace(microsecond=0)),
    ],
)
def test_offsets_and_fractions_are_understood(text: str, expected: datetime):
    """Other writers use other offsets and as many digits as they like."""
    parsed = parse_time(text)
    assert parsed == expected
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-02-31T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:00Z\n",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+25:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-01-31T12:00:00Z",
        "20260131T120000Z",
        "1769860800",
    ],
)
def test_what_is_not_rfc_3339_is_refused_with_its_field(text: str):
    """A half-understood time would make a live cluster look dead."""
    with pytest.raises(InvalidTimeError, match=r"spec\.renewTime should be") as caught:
        parse_time(text, field="spec.renewTime")
    assert caught.value.field == "spec.renewTime"
    assert isinstance(caught.value, WireError)
    assert isinstance(caught.value, ValueError)


@given(st.text(max_size=40))
def test_any_text_is_either_an_instant_or_a_wire_error(text: str):
    """Whatever another program wrote, no other exception escapes."""
    try:
        parsed = parse_time(text)
    except InvalidTimeError:
        return
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize("write", [format_time, format_micro_time])
def test_naive_datetimes_are_a_programming_error(write):
    """A datetime without a zone would be written as if it were UTC."""
    with pytest.raises(ValueError, match="time zone"):
        write(datetime(2026, 1, 31))  # noqa: DTZ001
