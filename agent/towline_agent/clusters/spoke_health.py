"""Whether the managed cluster's own API server is well: one probe, and a judgement over time."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_agent.clusters.status import Healthy, Unhealthy
from towline_kube.client import Client
from towline_kube.errors import ApiError, Forbidden, NotFound

log = logging.getLogger(__name__)

PROBE_AGAIN_AFTER = timedelta(seconds=5)
"""After a failed probe: soon enough to see a restart of the API server through."""
UNHEALTHY_AFTER = timedelta(seconds=20)
"""For how long probes must have failed before anybody is told; both as in OCM."""


@dataclass(frozen=True, slots=True)
class HealthHistory:
    """What earlier probes have found.

    Args:
        health: The last judgement; None before the first.
        failing_since: When the present row of failures began; None if the last probe was good.
    """

    health: Healthy | Unhealthy | None = None
    failing_since: datetime | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether probes fail but not for long enough; another one is due soon."""
        return self.failing_since is not None and not isinstance(self.health, Unhealthy)


def judge(history: HealthHistory, *, failure: str | None, now: datetime) -> HealthHistory:
    """Return the history with one more probe in it.

    Args:
        history: What came before.
        failure: What went wrong this time; None if all was well.
        now: When the probe ended.
    """
    if failure is None:
        return HealthHistory(Healthy())
    since = history.failing_since or now
    if now - since < UNHEALTHY_AFTER:
        return HealthHistory(history.health, failing_since=since)
    return HealthHistory(Unhealthy(failure), failing_since=since)


async def probe(client: Client) -> str | None:
    """Return what is wrong with an API server, in OCM's words; None if it says it is well.

    `/livez` is asked, and `/healthz` where that is not served or not allowed.
    """
    for path in ("/livez", "/healthz"):
        try:
            await client.request_text(path)
        except (NotFound, Forbidden) as error:
            if path == "/livez":
                continue
            return _failure(error)
        except ApiError as error:
            return _failure(error)
        return None
    return None


def _failure(error: ApiError) -> str:
    return f"The kube-apiserver is not ok, status code: {error.status}, {error}"
