"""How agents come back to a hub that was away, and how often a whole fleet tries at most. Pure.

Everything in an agent that asks the hub by itself (a *loop*: a watch, the lease, a report) follows
one `ReturnPolicy`, so any number of agents that lose their hub at one moment make no more than
`tries_per_second`. How many certificates they ask for,
`towline_agent.credentials.request_limits` bounds.
"""

from datetime import timedelta

from towline_api.errors import TransientError
from towline_kube.patience import ReturnPolicy

DEFAULT_SPREAD = timedelta(seconds=30)
"""Ten thousand agents without add-ons then come back with a thousand tries a second, which is what
one small API server takes; and a lease may be late by far more than that."""
_LIMIT_IN_SPREADS = 4

CLUSTER_LOOPS = 3
"""What an agent asks with by itself: the watches of its cluster and of its add-ons, and the
lease."""


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
