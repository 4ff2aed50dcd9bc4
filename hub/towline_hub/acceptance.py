"""The acceptor: gives an accepted cluster its namespace and rights, and takes them back.

One pass looks at one ManagedCluster and moves the hub to what its standing demands. It may be cut
off between any two calls and run again.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta

from towline_api import names
from towline_api.condition_types import (
    HUB_ACCEPTED,
    HUB_ACCEPTED_MESSAGE,
    HUB_DENIED_MESSAGE,
    REASON_HUB_ACCEPTED,
    REASON_HUB_DENIED,
    REASON_HUB_ERROR,
)
from towline_api.conditions import conditions_of, with_condition
from towline_api.errors import TransientError
from towline_api.metadata import finalizers_of, is_being_deleted, labels_of, name_of
from towline_api.resources import LEASES, MANAGED_CLUSTERS, KubeObject
from towline_api.timestamps import format_micro_time
from towline_hub import rbac
from towline_hub.caches import HubCaches, HubViews
from towline_hub.departure import Departure
from towline_hub.object_writer import ObjectWriter
from towline_hub.standing import Standing, name_problem, standing_of
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import AlreadyExists, ApiError, NamespaceTerminating
from towline_kube.failures import one_failure

log = logging.getLogger(__name__)

_RECHECK = timedelta(seconds=10)
"""While a namespace is being deleted. The watch tells when it is gone; this is for when it does
not carry our label, so that the watch does not see it."""


class Acceptor:
    """Reconciles one ManagedCluster at a time, by name."""

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        views: HubViews,
        writer: ObjectWriter,
        departure: Departure,
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._writer = writer
        self._departure = departure
        self._clock = clock

    def clusters_of(self, obj: KubeObject) -> Iterable[str]:
        """Return the clusters to look at when an object that carries our label changed."""
        cluster = labels_of(obj).get(names.CLUSTER_NAME_LABEL)
        if cluster:
            return (cluster,)
        # A role all clusters share: any accepted cluster's pass puts it right.
        accepted = (
            name_of(item)
            for item in self._caches.clusters.list()
            if standing_of(item) is Standing.ACCEPTED
        )
        return tuple(accepted)[:1]

    async def reconcile(self, name: str) -> Result:
        """Bring what the hub holds for one cluster to what its standing demands."""
        cluster = self._views.clusters.find(name)
        if cluster is None:
            if not len(self._caches.clusters):
                await self._departure.remove_shared_roles()
            return DONE
        problem = name_problem(cluster)
        match standing_of(cluster):
            case Standing.GONE:
                return DONE
            case Standing.LEAVING:
                return await self._departure.leave(cluster)
            case _ if problem is not None:
                await self._say(cluster, status="False", reason=REASON_HUB_ERROR, message=problem)
                return DONE
            case Standing.NEW:
                return DONE
            case Standing.DENIED:
                result = await self._departure.deny(name)
                await self._say(
                    cluster, status="False", reason=REASON_HUB_DENIED, message=HUB_DENIED_MESSAGE
                )
                return result
            case Standing.ACCEPTED:
                return await self._accept(cluster)

    async def _accept(self, cluster: KubeObject) -> Result:
        name = name_of(cluster)
        try:
            cluster, waiting = await self._grant(cluster)
        except NamespaceTerminating:
            waiting = f"namespace {name} is being deleted"
        except TransientError:
            raise  # what passes by itself is nothing to alarm an operator with
        except ApiError as error:
            await self._say(cluster, status="False", reason=REASON_HUB_ERROR, message=str(error))
            raise
        if waiting is not None:
            message = f"{waiting}; the cluster gets its rights again once that has ended"
            await self._say(cluster, status="False", reason=REASON_HUB_ERROR, message=message)
            return Result(look_again_in=_RECHECK)
        await self._say(
            cluster, status="True", reason=REASON_HUB_ACCEPTED, message=HUB_ACCEPTED_MESSAGE
        )
        return DONE

    async def _grant(self, cluster: KubeObject) -> tuple[KubeObject, str | None]:
        """Create what an accepted cluster has; return it, and what has to end first, or None."""
        name = name_of(cluster)
        namespace = await self._writer.ensure(rbac.cluster_namespace(name))
        if is_being_deleted(namespace):
            await self._departure.release_work_binding(name)
            return cluster, f"namespace {name} is being deleted"
        cluster = await self._hold(cluster)
        for shared in rbac.shared_cluster_roles():
            await self._writer.ensure(shared)
        await self._writer.ensure(rbac.accepted_cluster_role(name))
        # The API server thinks for a tenth of a second about each binding, so it gets them at once.
        with one_failure():
            async with asyncio.TaskGroup() as group:
                bindings = [
                    group.create_task(self._writer.ensure(desired), name=f"bind/{name}")
                    for desired in (
                        rbac.own_cluster_role_binding(name),
                        rbac.registration_role_binding(name),
                        rbac.work_role_binding(name),
                    )
                ]
        for live in (binding.result() for binding in bindings):
            if is_being_deleted(live):
                await self._departure.release_work_binding(name)
                return cluster, f"{live['kind']} {name_of(live)} is being deleted"
        await self._ensure_lease(name)
        return cluster, None

    async def _hold(self, cluster: KubeObject) -> KubeObject:
        """Put our finalizer on a cluster before it gets anything that must be taken back."""
        finalizers = finalizers_of(cluster)
        if names.API_RESOURCE_CLEANUP_FINALIZER in finalizers:
            return cluster
        held = await self._client.patch_metadata(
            MANAGED_CLUSTERS,
            cluster,
            finalizers=[*finalizers, names.API_RESOURCE_CLEANUP_FINALIZER],
        )
        self._views.clusters.remember(held)
        return held

    async def _ensure_lease(self, cluster: str) -> None:
        """Create the lease that the agent renews; agents may not create it themselves."""
        if self._views.leases.find(names.CLUSTER_LEASE, cluster) is not None:
            return
        lease = cluster_lease(cluster, renew_time=format_micro_time(self._clock.now()))
        try:
            stored = await self._client.create(LEASES, lease)
        except AlreadyExists:
            # Somebody took our label off, without which we do not see it renewed.
            stored = await self._client.patch(
                LEASES,
                names.CLUSTER_LEASE,
                {"metadata": {"labels": {names.CLUSTER_NAME_LABEL: cluster}}},
                namespace=cluster,
            )
        self._views.leases.remember(stored)

    async def _say(self, cluster: KubeObject, *, status: str, reason: str, message: str) -> None:
        """Set the condition that tells the agent and the operator; write only if it changes."""
        before = conditions_of(cluster)
        after = with_condition(
            before,
            type=HUB_ACCEPTED,
            status="True" if status == "True" else "False",
            reason=reason,
            message=message,
            now=self._clock.now(),
        )
        if after == before:
            return
        patched = await self._client.patch_status(
            MANAGED_CLUSTERS, cluster, (cluster.get("status") or {}) | {"conditions": after}
        )
        self._views.clusters.remember(patched)
        log.log(
            logging.WARNING if reason == REASON_HUB_ERROR else logging.INFO,
            "cluster acceptance changed",
            extra={"cluster": name_of(cluster), "reason": f"{reason}: {message}"},
        )


def cluster_lease(cluster: str, *, renew_time: str) -> KubeObject:
    """Return the lease by which a cluster's agent says that it is alive, as new."""
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {
            "name": names.CLUSTER_LEASE,
            "namespace": cluster,
            "labels": {names.CLUSTER_NAME_LABEL: cluster},
        },
        "spec": {"holderIdentity": names.CLUSTER_LEASE, "renewTime": renew_time},
    }
