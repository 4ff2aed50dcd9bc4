"""The clocks of a plane, which tests may move."""

from datetime import UTC, datetime, timedelta


class Clock:
    """The real time, shifted.

    A shift is one assignment, so any thread may make it.
    """

    def __init__(self) -> None:
        self.shift = timedelta(0)
        """How far it is ahead of the real time."""

    def now(self) -> datetime:
        """Return its time, aware UTC."""
        return datetime.now(UTC) + self.shift
