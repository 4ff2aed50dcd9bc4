"""Instants on the wire: RFC 3339 text on one side, aware UTC `datetime` on the other.

Kubernetes has two kinds. `Time` (creation, conditions) holds whole seconds; `MicroTime` (leases,
events) holds six digits of fraction and an API server refuses it with fewer.
"""

import re
from datetime import UTC, datetime

from towline_api.errors import WireError

# Go, whose parser is on the other side, wants the capital letters and the colon in the offset.
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?P<fraction>\.[0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


class InvalidTimeError(WireError, ValueError):
    """Text that should be an instant is not one; both a `WireError` and a `ValueError`."""


def format_time(instant: datetime) -> str:
    """Return an instant as Kubernetes' `Time`, cut to whole seconds: `2026-01-31T12:00:00Z`.

    Raises:
        ValueError: The instant carries no time zone.
    """
    return _utc(instant).isoformat(timespec="seconds") + "Z"


def format_micro_time(instant: datetime) -> str:
    """Return an instant as Kubernetes' `MicroTime`: `2026-01-31T12:00:00.000000Z`.

    Raises:
        ValueError: The instant carries no time zone.
    """
    return _utc(instant).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str, *, field: str = "time") -> datetime:
    """Return the instant an RFC 3339 text names, in UTC.

    Digits beyond the microsecond are cut off: `datetime` has no room for them.

    Args:
        text: What the other side wrote.
        field: Path of the field it stands in, for the error.

    Raises:
        InvalidTimeError: The text is not RFC 3339, has no offset, or names no real instant.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise InvalidTimeError(_complaint(text, field), field=field)
    fraction = match["fraction"]
    plain = text.replace(fraction, fraction[:7], 1) if fraction else text
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTimeError(_complaint(text, field), field=field) from error


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"instant {instant.isoformat()} has no time zone; use aware datetimes")
    return instant.astimezone(UTC).replace(tzinfo=None)


def _complaint(text: str, field: str) -> str:
    return f"{field} should be an RFC 3339 time such as 2026-01-31T12:00:00Z; found {text[:64]!r}"
