"""`towline status`: collecting the state of a fleet from its hub."""

import logging

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTERS,
    KubeObject,
)
from towline_hub.fleet.state import (
    Acceptance,
    AddonStatus,
    ClusterStatus,
    ConfigStatus,
    FleetStatus,
    PendingRequest,
    fleet_status,
)
from towline_kube.addon_api import choose_codec
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

__all__ = [
    "Acceptance",
    "AddonStatus",
    "ClusterStatus",
    "ConfigStatus",
    "FleetStatus",
    "PendingRequest",
    "collect_status",
]

log = logging.getLogger(__name__)

EVENTS_NAMESPACE = "default"
"""Where events about cluster-scoped objects go."""
REQUEST_EVENTS = f"regarding.kind={CERTIFICATE_SIGNING_REQUESTS.kind}"
"""Field selector of the Events about certificate requests."""


async def collect_status(
    client: Client, *, codec: AddonCodec | None = None, clock: Clock = SYSTEM_CLOCK
) -> FleetStatus:
    """Return the state of the fleet whose hub a client talks to.

    Raises:
        ApiError: The hub cannot be asked, or this identity may not list what is shown. Without
            the right to list Events, why a request waits stays unsaid.
    """
    # First and alone: what keeps these from being listed is the first thing to put right.
    clusters = await client.list(MANAGED_CLUSTERS)
    codec = codec or await choose_codec(client)
    with one_failure():
        async with TaskGroup() as group:
            addons = group.create_task(
                client.list(codec.managed_cluster_addons), name="list-addons"
            )
            leases = group.create_task(
                client.list(
                    LEASES,
                    label_selector=names.CLUSTER_NAME_LABEL,
                    field_selector=f"metadata.name={names.CLUSTER_LEASE}",
                ),
                name="list-leases",
            )
            requests = group.create_task(
                client.list(CERTIFICATE_SIGNING_REQUESTS, label_selector=names.CLUSTER_NAME_LABEL),
                name="list-requests",
            )
            events = group.create_task(request_events(client), name="list-events")
    return fleet_status(
        clusters=clusters.items,
        addons=addons.result().items,
        leases=leases.result().items,
        requests=requests.result().items,
        events=events.result(),
        codec=codec,
        now=clock.now(),
    )


async def request_events(client: Client) -> list[KubeObject]:
    """Return the Events about certificate requests; none without the right to list them."""
    try:
        found = await client.list(
            EVENTS,
            namespace=EVENTS_NAMESPACE,
            field_selector=REQUEST_EVENTS,
        )
    except Forbidden as error:
        log.debug("events cannot be listed", extra={"error": str(error)})
        return []
    return list(found.items)
