"""How long a server that fails is left alone, by everybody in this process who calls it.

One client's loops (watches, renewals, reports) each try again by themselves. What they have in
common is the server: while it fails, each failure says when to come again, by one rule. So however
many loops there are, and however many clients lost the server at the same moment, how often it is
asked can be told beforehand.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from towline_kube.clock import SYSTEM_CLOCK, Clock

_SAME_MOMENT = timedelta(seconds=1)
"""Within this time after the first failure, others have the same cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPolicy:
    """When those who lost a server try again.

    The first try comes anywhere within `spread`: all clients of a server lose it at one moment, so
    this is what keeps them from coming back at one moment. Every later pause is twice as long as
    the server has been away, at least twice `spread` and at most `limit`, less up to half of it.

    So `count` loops that lost a server together make at most `count / spread` tries a second, as an
    average over the tries that fall into any second, however long it was away.

    Args:
        spread: Over what time the first tries spread.
        limit: Longest pause ever that the server did not ask for.

    Raises:
        ValueError: The limit is shorter than the shortest pause that grows.
    """

    spread: timedelta
    limit: timedelta

    def __post_init__(self) -> None:
        if not timedelta(0) < 2 * self.spread <= self.limit:
            raise ValueError(
                f"a return needs 0 < 2 * spread <= limit; got {self.spread}, limit {self.limit}"
            )

    def pause(self, away: timedelta, *, roll: float, asked: timedelta | None = None) -> timedelta:
        """Return how long to leave the server alone.

        Args:
            away: How long ago the first of the failures since its last answer was.
            roll: A fresh random number, 0 <= roll < 1.
            asked: What the server asked for (`Retry-After`); it asks all the same, so our own pause
                comes on top of it.
        """
        if away < _SAME_MOMENT:
            own = self.spread * roll
        else:
            longest = min(max(2 * away, 2 * self.spread), self.limit)
            own = longest * (1.0 - roll / 2.0)
        return own if asked is None else asked + own


class Patience:
    """Whether a server answers, and how long to leave it alone if it does not.

    Shared by all clients of one server in this process.

    Args:
        policy: When to come again.
        clock: Time.
        roll: Source of chance: numbers from 0 up to 1.
    """

    def __init__(
        self,
        policy: ReturnPolicy,
        *,
        clock: Clock = SYSTEM_CLOCK,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._roll = roll
        self._away_since: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether the last thing the server did was to fail."""
        return self._away_since is not None

    def note_answer(self) -> None:
        """Take in that the server answered; a refusal is an answer."""
        self._away_since = None

    def note_failure(self) -> None:
        """Take in that the server did not answer, or only that it cannot."""
        if self._away_since is None:
            self._away_since = self._clock.monotonic()

    def pause(self, *, asked: timedelta | None = None) -> timedelta:
        """Return how long whoever just failed leaves it alone; see `ReturnPolicy.pause`."""
        now = self._clock.monotonic()
        since = now if self._away_since is None else self._away_since
        return self._policy.pause(timedelta(seconds=now - since), roll=self._roll(), asked=asked)
