"""Instants as Kubernetes reads and writes them: to the second (`Time`) or to the microsecond."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

# Pieces of Go's reference time: how the layout spells them, what they match, what they are called.
_PIECES: tuple[tuple[str, str, str], ...] = (
    ("2006", r"(?P<year>\d{4})", ""),
    ("-", "-", ""),
    ("01", r"(?P<month>\d{2})", "month"),
    ("-", "-", ""),
    ("02", r"(?P<day>\d{2})", "day"),
    ("T", "T", ""),
    ("15", r"(?P<hour>\d{2})", "hour"),
    (":", ":", ""),
    ("04", r"(?P<minute>\d{2})", "minute"),
    (":", ":", ""),
    ("05", r"(?P<second>\d{2})(?P<loose>[.,]\d+)?", "second"),
)
_MICROSECONDS = (".000000", r"\.(?P<fraction>\d{6})", "")
_ZONE = ("Z07:00", r"(?P<zone>Z|[+-]\d{2}:\d{2})", "")


class TimestampError(ValueError):
    """The text is no instant; says why in Go's words."""


class Precision(Enum):
    """How finely an instant is told."""

    SECONDS = "seconds"
    MICROSECONDS = "microseconds"


@dataclass(frozen=True, slots=True)
class _Layout:
    pieces: tuple[tuple[str, re.Pattern[str], str], ...]
    text: str
    whole: re.Pattern[str]


def _layout(precision: Precision) -> _Layout:
    pieces = [*_PIECES]
    if precision is Precision.MICROSECONDS:
        # Told to the microsecond, the fraction is a piece of its own; it has to be there, whole.
        pieces[-1] = ("05", r"(?P<second>\d{2})", "second")
        pieces.append(_MICROSECONDS)
    pieces.append(_ZONE)
    return _Layout(
        tuple((name, re.compile(pattern, re.ASCII), range_) for name, pattern, range_ in pieces),
        "".join(name for name, _, _ in pieces),
        re.compile("".join(pattern for _, pattern, _ in pieces), re.ASCII),
    )


_LAYOUTS = {precision: _layout(precision) for precision in Precision}
_UTC_FORM = {
    Precision.SECONDS: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII),
    Precision.MICROSECONDS: re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII),
}


def parse_timestamp(text: str, *, precision: Precision) -> datetime:
    """Return the instant, in UTC; what is finer than the precision is dropped.

    Raises:
        TimestampError: The text is no instant in this precision's form.
    """
    layout = _LAYOUTS[precision]
    found = layout.whole.fullmatch(text)
    if found is None:
        raise TimestampError(_complaint(text, layout))
    parts = found.groupdict()
    limits = {"month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}
    for name, (low, high) in limits.items():
        if not low <= int(parts[name]) <= high:
            raise TimestampError(f'parsing time "{text}": {name} out of range')
    date = (int(parts["year"]), int(parts["month"]), int(parts["day"]))
    time = (int(parts["hour"]), int(parts["minute"]), int(parts["second"]))
    fraction = int(parts.get("fraction") or 0)
    try:
        instant = datetime(*date, *time, fraction, tzinfo=UTC)
    except ValueError:
        raise TimestampError(f'parsing time "{text}": day out of range') from None
    return instant - _offset(parts["zone"])


def format_timestamp(instant: datetime, *, precision: Precision) -> str:
    """Return the instant as Kubernetes writes it."""
    text = instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{instant.microsecond:06d}" if precision is Precision.MICROSECONDS else ""
    return f"{text.rjust(19, '0')}{fraction}Z"


def canonical_timestamp(text: str, *, precision: Precision) -> str:
    """Return the instant in the form Kubernetes writes it in: UTC, in full.

    Raises:
        TimestampError: The text is no instant in this precision's form.
    """
    instant = parse_timestamp(text, precision=precision)
    if _UTC_FORM[precision].fullmatch(text):
        return text
    return format_timestamp(instant, precision=precision)


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta()
    hours, minutes = zone[1:].split(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return -offset if zone[0] == "-" else offset


def _complaint(text: str, layout: _Layout) -> str:
    rest = text
    for name, pattern, _ in layout.pieces:
        found = pattern.match(rest)
        if found is None:
            return f'parsing time "{text}" as "{layout.text}": cannot parse "{rest}" as "{name}"'
        rest = rest[found.end() :]
    return f'parsing time "{text}": extra text: "{rest}"'
