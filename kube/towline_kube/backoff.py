"""How long to wait before trying again."""

from dataclasses import dataclass
from datetime import timedelta

_MAX_DOUBLINGS = 64  # past every sensible limit, and far from overflowing a float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays that double from `first` to `limit`, each shortened by chance.

    Args:
        first: Longest delay after the first failure.
        limit: Longest delay ever.
    """

    first: timedelta
    limit: timedelta

    def __post_init__(self) -> None:
        if not timedelta(0) < self.first <= self.limit:
            raise ValueError(
                f"backoff needs 0 < first <= limit; got first {self.first}, limit {self.limit}"
            )

    def delay(self, failures: int, *, roll: float) -> timedelta:
        """Return how long to wait after so many failures in a row.

        Args:
            failures: How many tries have failed, at least 1.
            roll: A fresh random number, 0 <= roll < 1. It takes away up to half of the delay, so
                that those who failed together do not come back together.
        """
        doublings = min(max(failures, 1) - 1, _MAX_DOUBLINGS)
        longest = min(self.first.total_seconds() * 2.0**doublings, self.limit.total_seconds())
        return timedelta(seconds=longest * (1.0 - roll / 2.0))
