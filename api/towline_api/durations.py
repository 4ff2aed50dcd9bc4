"""Durations as people write them for Kubernetes (`90s`, `1h30m`, `500ms`), as `timedelta` inside.

The grammar is the one of Go's `time.ParseDuration`: decimal numbers, each with its unit, largest
first or in any order. A bare number is refused, because nobody can tell seconds from minutes; only
`0` needs no unit.
"""

import re
from datetime import timedelta
from fractions import Fraction

_MICROSECONDS = {
    "h": Fraction(3_600_000_000),
    "m": Fraction(60_000_000),
    "s": Fraction(1_000_000),
    "ms": Fraction(1_000),
    "us": Fraction(1),
    "µs": Fraction(1),  # micro sign, U+00B5
    "μs": Fraction(1),
    "ns": Fraction(1, 1_000),
}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"([+-]?)((?:{_PART.pattern})+)")
_LONGEST_TEXT = 64


def parse_duration(text: str) -> timedelta:
    """Return the duration a text like `90s`, `1h30m`, `1.5h` or `500ms` names.

    Raises:
        ValueError: The text is no duration, is a number without a unit, is finer than a
            microsecond, or is longer than a `timedelta` can hold.
    """
    if text in ("0", "+0", "-0"):
        return timedelta()
    if re.fullmatch(rf"[+-]?{_NUMBER}", text[:_LONGEST_TEXT]):
        raise ValueError(
            f"duration {text[:_LONGEST_TEXT]!r} has no unit; write for example '{text[:12]}s' for "
            f"seconds or '{text[:12]}m' for minutes"
        )
    match = _WHOLE.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError(
            f"{text[:_LONGEST_TEXT]!r} is not a duration; write numbers with units h, m, s or ms, "
            "for example '90s' or '1h30m'"
        )
    total = sum(
        (
            Fraction(_plain(number)) * _MICROSECONDS[unit]
            for number, unit in _PART.findall(match[2])
        ),
        start=Fraction(0),
    )
    if total.denominator != 1:
        raise ValueError(f"duration {text!r} is finer than a microsecond; write it in 'us'")
    try:
        duration = timedelta(microseconds=total.numerator)
    except OverflowError as error:
        raise ValueError(f"duration {text!r} is too long; the longest is 999999999 days") from error
    return -duration if match[1] == "-" else duration


def format_duration(duration: timedelta) -> str:
    """Return the shortest text in h, m, s (or ms, us below a second) that parses back to the same.

    `timedelta(minutes=90)` is `1h30m`, zero is `0s`.
    """
    if duration < timedelta():
        return f"-{format_duration(-duration)}"
    seconds, microseconds = divmod(duration // timedelta(microseconds=1), 1_000_000)
    if seconds == 0 and microseconds:
        return _below_a_second(microseconds)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours}h"] if hours else []
    if minutes:
        parts.append(f"{minutes}m")
    if microseconds:
        parts.append(f"{seconds}.{microseconds:06d}".rstrip("0") + "s")
    elif seconds or not parts:
        parts.append(f"{seconds}s")
    return "".join(parts)


def _plain(number: str) -> str:
    # Go takes "1." and ".5"; Fraction takes only the second.
    return f"{number}0" if number.endswith(".") else number


def _below_a_second(microseconds: int) -> str:
    if microseconds % 1_000 == 0:
        return f"{microseconds // 1_000}ms"
    return f"{microseconds}us"
