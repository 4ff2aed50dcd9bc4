"""The least a hub can do: approve whoever asks, and make what a joining cluster needs.

No policy, no cache, no events, nothing put right: the writes of a join and nothing else, each of
them once. What the hub takes longer than this is its own.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED, HUB_ACCEPTED_MESSAGE, REASON_HUB_ACCEPTED
from towline_api.conditions import with_condition
from towline_api.metadata import name_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    KubeObject,
    Resource,
)
from towline_api.timestamps import format_micro_time, format_time
from towline_hub.approval.decision_record import decided
from towline_hub.clusters import rbac
from towline_hub.clusters.acceptance import cluster_lease
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.watch import WatchEventType

_AT_ONCE = 20
"""How many clusters and requests are worked on at a time."""


async def serve(client: Client) -> None:
    """Take every cluster and every request that comes, until cancelled."""
    listed = [await client.list(kind) for kind in (CERTIFICATE_SIGNING_REQUESTS, MANAGED_CLUSTERS)]
    limit = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:

        async def take(work: Coroutine[None, None, None]) -> None:
            async with limit:
                await work

        async def follow(
            resource: Resource,
            version: str,
            work: Callable[[Client, KubeObject], Coroutine[None, None, None]],
        ) -> None:
            async for event in client.watch(resource, resource_version=version):
                if event.type is WatchEventType.ADDED:
                    group.create_task(take(work(client, event.object)), name="serve")

        group.create_task(
            follow(CERTIFICATE_SIGNING_REQUESTS, listed[0].resource_version, _approve),
            name="watch-requests",
        )
        group.create_task(
            follow(MANAGED_CLUSTERS, listed[1].resource_version, _accept), name="watch-clusters"
        )
        # Last, as a hub does: from here on clusters come.
        for role in (*rbac.shared_cluster_roles(), rbac.bootstrap_rbac()[0]):
            await client.apply(CLUSTER_ROLES, role)
        await client.apply(CLUSTER_ROLE_BINDINGS, rbac.bootstrap_rbac()[1])


async def _approve(client: Client, request: KubeObject) -> None:
    now = format_time(datetime.now(UTC))
    body = decided(request, condition="Approved", reason="Floor", message="as all", now=now)
    await client.replace(CERTIFICATE_SIGNING_REQUESTS, body, subresource="approval")


async def _accept(client: Client, cluster: KubeObject) -> None:
    name = name_of(cluster)
    patch = {
        "metadata": {"finalizers": [names.API_RESOURCE_CLEANUP_FINALIZER]},
        "spec": {"hubAcceptsClient": True},
    }
    accepted = await client.patch(MANAGED_CLUSTERS, name, patch)
    await client.create(NAMESPACES, rbac.cluster_namespace(name))
    await client.create(CLUSTER_ROLES, rbac.accepted_cluster_role(name))
    async with asyncio.TaskGroup() as group:
        for binding, resource in (
            (rbac.own_cluster_role_binding(name), CLUSTER_ROLE_BINDINGS),
            (rbac.registration_role_binding(name), ROLE_BINDINGS),
            (rbac.work_role_binding(name), ROLE_BINDINGS),
        ):
            group.create_task(client.create(resource, binding), name="bind")
    now = datetime.now(UTC)
    await client.create(LEASES, cluster_lease(name, renew_time=format_micro_time(now)))
    conditions = with_condition(
        [],
        type=HUB_ACCEPTED,
        status="True",
        reason=REASON_HUB_ACCEPTED,
        message=HUB_ACCEPTED_MESSAGE,
        now=now,
    )
    await client.patch_status(MANAGED_CLUSTERS, accepted, {"conditions": conditions})


async def main(connection: Connection) -> None:
    """Serve one hub."""
    async with Client(connection, field_manager="floor", user_agent="floor") as client:
        await serve(client)


if __name__ == "__main__":
    path = sys.argv[1]
    asyncio.run(main(parse_kubeconfig(Path(path).read_text(), source=path)))
