"""Lengths of time as people read them."""

from datetime import timedelta


def rough(duration: timedelta) -> str:
    """Return a duration in its one or two largest units, for example `3h20m`; 0s for none."""
    seconds = max(0, int(duration.total_seconds()))
    for unit, size, smaller, divisor in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "m", 60),
        ("m", 60, "s", 1),
    ):
        if seconds >= size:
            rest = seconds % size // divisor
            return f"{seconds // size}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{seconds}s"
