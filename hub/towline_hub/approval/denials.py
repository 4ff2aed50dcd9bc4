"""Denying what a cluster's agents asked for before its owner turned them away.

A request that is left undecided could be approved at any later time, by a person who looks at an
old list, or once a cluster of the same name is accepted. Denied, it is dead.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from towline_api.errors import TransientError
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import format_time
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval.decision_record import decided
from towline_hub.caches import BY_CLUSTER, HubCaches
from towline_hub.metrics import HubMetrics
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import ApiError, Conflict, NotFound
from towline_kube.events import EventRecorder, EventType
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_AT_ONCE = 10
"""Requests denied at a time; a hostile requester may have left hundreds."""


class Dismissal(StrEnum):
    """Why the requests of a cluster are denied; stands on them, so never renamed."""

    REMOVED = "ClusterRemoved"
    DENIED = "ClusterDenied"


_MESSAGES = {
    Dismissal.REMOVED: "cluster {!r} is being removed from this hub; to come back, its agent "
    "registers it again and asks anew",
    Dismissal.DENIED: "the hub's owner denied cluster {!r}; once it is accepted again, its agent "
    "asks anew",
}


class RequestDenials:
    """Denies the undecided certificate requests of a cluster.

    Args:
        client: Whom to ask.
        caches: What exists.
        events: Where each denial is told.
        metrics: Where it is counted.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        events: EventRecorder,
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._metrics = metrics
        self._clock = clock

    async def deny_undecided(
        self, cluster: str, *, why: Dismissal, until: datetime | None = None
    ) -> None:
        """Deny every request labelled with a cluster's name, add-ons' included.

        Those for a signer for which the hub may not decide are left to whoever does; the hub never
        approves them either.

        Args:
            cluster: Name of the cluster.
            why: What happened to it.
            until: Only requests from before this instant, or from the second it falls in.
        """
        requests = self._caches.requests.by_index(BY_CLUSTER, cluster)
        dismissed = dismissed_requests(requests, until=until)
        for start in range(0, len(dismissed), _AT_ONCE):
            with one_failure():
                async with TaskGroup() as group:
                    for obj in dismissed[start : start + _AT_ONCE]:
                        group.create_task(
                            self._deny(obj, cluster=cluster, why=why),
                            name=f"deny-request/{obj['metadata']['name']}",
                        )

    async def _deny(self, obj: KubeObject, *, cluster: str, why: Dismissal) -> None:
        request = SigningRequest.from_csr(obj)
        message = _MESSAGES[why].format(cluster)
        facts = {
            "csr": request.name,
            "csr_uid": obj["metadata"]["uid"],
            "cluster": cluster,
            "reason": f"{why}: {message}",
        }
        now = self._clock.now()
        try:
            await self._client.replace(
                CERTIFICATE_SIGNING_REQUESTS,
                decided(
                    obj,
                    condition="Denied",
                    reason=why.value,
                    message=message,
                    now=format_time(now),
                ),
                subresource="approval",
            )
        except (NotFound, Conflict) as error:
            # It is gone, or somebody decided; a request that changes is looked at again.
            log.debug("certificate request changed meanwhile", extra=facts | {"error": str(error)})
            return
        except TransientError:
            raise
        except ApiError as error:
            log.warning("certificate request not denied", extra=facts | {"error": str(error)})
            return
        log.warning("certificate request denied", extra=facts)
        self._metrics.decided(
            "deny",
            why.value,
            kind="cluster" if request.addon is None else "addon",
            waited=None if request.created is None else now - request.created,
        )
        await self._events.record(
            obj, reason=why.value, note=message, type=EventType.WARNING, action="Deny"
        )


def dismissed_requests(
    requests: Iterable[KubeObject], *, until: datetime | None
) -> list[KubeObject]:
    """Return the requests that nobody decided, only those from before an instant if one is given.

    Requests of the very second count as before: their times are cut to seconds.
    """
    dismissed = []
    for obj in requests:
        request = SigningRequest.from_csr(obj)
        if not request.is_decided and (
            until is None or request.created is None or request.created <= until
        ):
            dismissed.append(obj)
    return dismissed
