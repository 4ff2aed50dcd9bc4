"""How agents come back to a hub that was away, and what a whole fleet asks of it at most. Pure.

Two bounds, for any number of agents that lose their hub at one moment:

* Tries. Everything in an agent that asks the hub by itself (a *loop*: a watch, the lease, a report)
  follows one `ReturnPolicy`, so a fleet makes no more than `tries_per_second`.
* Certificate requests. A request that waits is never joined by another; those that come to nothing
  are followed by growing pauses (`DEFAULT_PAUSES`), and whatever happens, no credential asks more
  than `REQUESTS_AN_HOUR` times in any hour (`time_until_request`).
"""

from collections.abc import Sequence
from datetime import timedelta

from towline_agent.enrollment import LONGEST_PAUSE
from towline_api.errors import TransientError
from towline_kube.backoff import Backoff
from towline_kube.patience import ReturnPolicy

DEFAULT_SPREAD = timedelta(seconds=30)
"""Ten thousand agents without add-ons then come back with a thousand tries a second, which is what
one small API server takes; and a lease may be late by far more than that."""
_LIMIT_IN_SPREADS = 4

CLUSTER_LOOPS = 3
"""What an agent asks with by itself: the watches of its cluster and of its add-ons, and the
lease."""

DEFAULT_PAUSES = Backoff(first=timedelta(seconds=30), limit=LONGEST_PAUSE)
"""Between a certificate request that came to nothing and the next one."""
REQUESTS_AN_HOUR = 20
"""More than twice what the shortest certificates of Kubernetes take, which live for ten minutes."""

_HOUR = timedelta(hours=1)


def return_policy(spread: timedelta = DEFAULT_SPREAD) -> ReturnPolicy:
    """Return when agents try again that lost their hub.

    Args:
        spread: Over what time their first tries spread.

    Raises:
        ValueError: It is not positive.
    """
    return ReturnPolicy(spread=spread, limit=_LIMIT_IN_SPREADS * spread)


def tries_per_second(
    agents: int, *, loops: int = CLUSTER_LOOPS, spread: timedelta = DEFAULT_SPREAD
) -> float:
    """Return how often a second a fleet tries its hub at most, on average, once it was lost.

    Args:
        agents: How many there are; that all lose the hub at once is the worst case.
        loops: What each asks with.
        spread: As in `return_policy`.
    """
    return agents * loops / spread.total_seconds()


def not_before(delay: timedelta, error: Exception) -> timedelta:
    """Return how long to wait after an error: `delay`, or longer if whoever failed asked for it."""
    asked = error.retry_after if isinstance(error, TransientError) else None
    return delay if asked is None else max(delay, asked)


def requests_in(within: timedelta, *, pauses: Backoff = DEFAULT_PAUSES) -> int:
    """Return how many certificate requests of one credential fit into a time if all are refused.

    Args:
        within: The time, from the first request on.
        pauses: How long is waited after each; chance always takes away as much as it can.
    """
    count, at = 1, timedelta()
    while (at := at + pauses.delay(count, roll=1.0)) <= within:
        count += 1
    return count


def time_until_request(
    made: Sequence[float], *, now: float, most: int = REQUESTS_AN_HOUR
) -> timedelta:
    """Return how long to wait before one more certificate request; zero for not at all.

    Args:
        made: When the latest ones of this credential were made, in order, on a clock that never
            goes back.
        now: The present on that clock.
        most: How many there may be in any hour.
    """
    if len(made) < most:
        return timedelta()
    return max(timedelta(), timedelta(seconds=made[-most] - now) + _HOUR)
