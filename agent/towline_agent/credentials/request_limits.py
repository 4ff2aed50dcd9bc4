"""How often an agent asks for a certificate at most, whatever becomes of its requests. Pure.

A request that waits is never joined by another; those that come to nothing are followed by
growing pauses (`DEFAULT_PAUSES`), and whatever happens, no credential asks more than
`REQUESTS_AN_HOUR` times in any hour (`time_until_request`).
"""

from collections.abc import Sequence
from datetime import timedelta

from towline_agent.credentials.enrollment import LONGEST_PAUSE
from towline_kube.backoff import Backoff

DEFAULT_PAUSES = Backoff(first=timedelta(seconds=30), limit=LONGEST_PAUSE)
"""Between a certificate request that came to nothing and the next one."""
REQUESTS_AN_HOUR = 20
"""More than twice what the shortest certificates of Kubernetes take, which live for ten minutes."""

_HOUR = timedelta(hours=1)


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
