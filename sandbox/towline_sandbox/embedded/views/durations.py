"""Durations and moments the way `kubectl get` shows them.

The API server itself words them (kubectl prints a table as it comes), so they belong here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

UNKNOWN = "<unknown>"
INVALID = "<invalid>"

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_YEAR = 365 * _DAY


def human_duration(duration: timedelta) -> str:
    """Return a duration with the two units that matter, or one: `90s`, `3m5s`, `47h`, `2y30d`.

    A little in the future counts as now, since clocks differ; more than a second is invalid.
    """
    seconds = int(duration.total_seconds())  # cut toward zero, as Go does
    if seconds < -1:
        return INVALID
    if seconds < 0:
        return "0s"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two_units(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two_units(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two_units(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two_units(seconds, _YEAR, "y", _DAY, "d")
    return f"{seconds // _YEAR}y"


def _two_units(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


@dataclass(frozen=True, slots=True)
class Since:
    """A cell that says how long something has been; its text depends on when it is read.

    Args:
        moment: Since when; None if nobody knows.
        around: Text around the duration, which takes the place of `{}`.
    """

    moment: datetime | None
    around: str = "{}"

    def at(self, now: datetime) -> str:
        """Return the cell's text at this moment."""
        if self.moment is None:
            return self.around.format(UNKNOWN)
        return self.around.format(human_duration(now - self.moment))


def parse_moment(text: object) -> datetime | None:
    """Return a Kubernetes timestamp as aware UTC; None if it is missing or none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
