"""How many requests one identity may have: protection from an agent that never stops asking.

Whoever asks is known by user name, and by what it asks for: cluster, add-on and signer. Each such
identity has its own quota, so that none can use up another's. Requests are answered in the order in
which they were made: the ones in excess wait, those before them do not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(hours=1)
"""What "per hour" means. Kubernetes keeps a decided request for as long, so that one that could
still count is still there to be counted."""


@dataclass(frozen=True, slots=True)
class FloodKey:
    """One identity, as far as quotas go.

    Args:
        username: Who asks, as the API server knows it.
        cluster: The cluster label, empty if there is none.
        addon: The add-on label, empty if there is none.
        signer_name: The signer.
    """

    username: str
    cluster: str
    addon: str
    signer_name: str


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """How much is too much.

    Args:
        max_pending: Undecided requests of an identity that are looked at, at least 1.
        max_per_hour: Requests of an identity that are decided within an hour; 0 for any number.
    """

    max_pending: int = 10
    max_per_hour: int = 30

    @property
    def waiting_line(self) -> int:
        """How many undecided requests of an identity are looked at: those made first."""
        if self.max_per_hour == 0:
            return self.max_pending
        return min(self.max_pending, self.max_per_hour)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the identity behind a request asked besides.

    Args:
        older_pending: How many of its undecided requests were made before this one.
        decided: When its latest requests were decided, the oldest first; those within the last hour
            count.
    """

    older_pending: int = 0
    decided: tuple[datetime, ...] = ()

    def full_until(self, *, limits: FloodLimits, now: datetime) -> datetime | None:
        """Return when an hour's quota has room for the request; None if it has now."""
        if limits.max_per_hour == 0:
            return None
        # Those before it go first, so that much room is theirs.
        room = limits.max_per_hour - self.older_pending
        if room <= 0:
            return now + WINDOW
        recent = [when for when in self.decided if when + WINDOW > now]
        return recent[-room] + WINDOW if len(recent) >= room else None


DEFAULT_LIMITS = FloodLimits()
NO_TRAFFIC = Traffic()
