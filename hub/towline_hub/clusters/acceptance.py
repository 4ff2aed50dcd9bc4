"""The acceptor: gives an accepted cluster its namespace and rights, and takes them back.

One pass looks at one ManagedCluster and moves the hub to what its standing demands. It may be cut
off between any two calls and run again.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from towline_api import names
from towline_api.condition_types import (
    HUB_ACCEPTED,
    HUB_ACCEPTED_MESSAGE,
    HUB_DENIED_MESSAGE,
    REASON_HUB_ACCEPTED,
    REASON_HUB_DENIED,
    REASON_HUB_ERROR,
)
from towline_api.conditions import conditions_of, find_condition, with_condition
from towline_api.errors import TransientError
from towline_api.metadata import (
    finalizers_of,
    is_being_deleted,
    labels_of,
    name_of,
    namespace_of,
    resource_version_of,
    uid_of,
)
from towline_api.resources import LEASES, MANAGED_CLUSTERS, NAMESPACES, KubeObject
from towline_api.timestamps import format_micro_time, format_time
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.clusters import rbac
from towline_hub.clusters.departure import Departure
from towline_hub.clusters.former_certificates import approved_agents, former_expiry, is_marked
from towline_hub.clusters.selection_marks import due_taints, taints_of
from towline_hub.clusters.standing import (
    Standing,
    name_problem,
    standing_of,
    was_accepted_automatically,
)
from towline_hub.clusters.taint_writes import patch_tainted
from towline_hub.object_writer import ObjectWriter
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import AlreadyExists, ApiError, NamespaceTerminating
from towline_kube.events import EventRecorder, EventType
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_RECHECK = timedelta(seconds=10)
"""While a namespace is being deleted. The watch tells when it is gone; this is for when it does
not carry our label, so that the watch does not see it."""
_FAR_OFF = timedelta(days=30)
"""Nobody counts on a timer for longer than that; something happens to a cluster before."""
_TOLD = {
    REASON_HUB_ACCEPTED: ("ClusterAccepted", EventType.NORMAL, "Accept"),
    REASON_HUB_DENIED: ("ClusterDenied", EventType.WARNING, "Deny"),
    REASON_HUB_ERROR: ("ClusterNotAccepted", EventType.WARNING, "Accept"),
}
"""The Event that tells of each outcome."""


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
        events: EventRecorder,
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._writer = writer
        self._departure = departure
        self._events = events
        self._clock = clock
        # The first clusters of a hub come at once, and one pass is enough to make what they share.
        self._sharing = asyncio.Lock()

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
        return tuple(islice(accepted, 1))

    def clusters_of_addon(self, addon: KubeObject) -> Iterable[str]:
        """Return the cluster of an add-on if it is being deleted, and may wait for the add-on."""
        cluster = self._caches.clusters.find(namespace_of(addon) or "")
        return (name_of(cluster),) if cluster is not None and is_being_deleted(cluster) else ()

    def clusters_of_request(self, request: KubeObject) -> Iterable[str]:
        """Return the clusters to look at when a certificate request changed: hardly ever any.

        A cluster that leaves has it denied, and one for whose name a former agent may still hold a
        certificate lets in only whose request was approved.
        """
        name = labels_of(request).get(names.CLUSTER_NAME_LABEL)
        cluster = self._caches.clusters.find(name) if name else None
        if name is None or cluster is None:
            return ()
        namespace = self._caches.namespaces.find(name)
        concerned = is_being_deleted(cluster) or (namespace is not None and is_marked(namespace))
        return (name,) if concerned else ()

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
                await self._departure.deny(cluster)
                await self._say(
                    cluster, status="False", reason=REASON_HUB_DENIED, message=HUB_DENIED_MESSAGE
                )
                return DONE
            case Standing.ACCEPTED:
                return await self._accept(cluster)

    async def _accept(self, cluster: KubeObject) -> Result:
        name = name_of(cluster)
        former = None
        try:
            former = await self._former_expiry(name)
            cluster, waiting = await self._grant(cluster, selectively=former is not None)
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
        message = HUB_ACCEPTED_MESSAGE
        if former is not None:
            message += _about_former_agents(name, until=former)
        await self._say(cluster, status="True", reason=REASON_HUB_ACCEPTED, message=message)
        return DONE if former is None else Result(look_again_in=self._until(former))

    async def _grant(
        self, cluster: KubeObject, *, selectively: bool
    ) -> tuple[KubeObject, str | None]:
        """Create what an accepted cluster has; return it, and what has to end first, or None.

        Args:
            cluster: The ManagedCluster.
            selectively: Whether to let in only agents approved since it registered.
        """
        name = name_of(cluster)
        agents = self._approved_agents(cluster) if selectively else None
        namespace = await self._writer.ensure(rbac.cluster_namespace(name))
        if is_being_deleted(namespace):
            await self._departure.release_work_binding(name)
            return cluster, f"namespace {name} is being deleted"
        cluster = await self._hold(cluster)
        async with self._sharing:
            for shared in rbac.shared_cluster_roles():
                await self._writer.ensure(shared)
        # The API server thinks for a tenth of a second about a role and about a binding to it. What
        # does not need them does not wait for them.
        with one_failure():
            async with TaskGroup() as group:
                own = group.create_task(self._grant_own(name, agents), name=f"own/{name}")
                inside = group.create_task(self._grant_inside(name, agents), name=f"in/{name}")
        for live in (own.result(), *inside.result()):
            if is_being_deleted(live):
                await self._departure.release_work_binding(name)
                return cluster, f"{live['kind']} {name_of(live)} is being deleted"
        return cluster, None

    async def _grant_own(self, cluster: str, agents: Sequence[str] | None) -> KubeObject:
        """Create a cluster's own ClusterRole and the binding to it; return the binding."""
        await self._writer.ensure(rbac.accepted_cluster_role(cluster))
        return await self._writer.ensure(rbac.own_cluster_role_binding(cluster, only_agents=agents))

    async def _grant_inside(self, cluster: str, agents: Sequence[str] | None) -> list[KubeObject]:
        """Create what a cluster has in its namespace; return the bindings among it."""
        bindings = (
            rbac.registration_role_binding(cluster, only_agents=agents),
            rbac.work_role_binding(cluster, only_agents=agents),
        )
        ensured = [await self._writer.ensure(binding) for binding in bindings]
        await self._ensure_lease(cluster)
        return ensured

    async def _former_expiry(self, name: str) -> datetime | None:
        """Return until when former agents' certificates may live; forget a time that is past."""
        namespace = self._views.namespaces.find(name)
        if namespace is None or not is_marked(namespace):
            return None
        former = former_expiry(namespace, now=self._clock.now())
        if former is None:
            cleared = await self._client.patch_metadata(
                NAMESPACES, namespace, annotations={names.FORMER_CERTIFICATE_ANNOTATION: None}
            )
            self._views.namespaces.remember(cleared)
        return former

    def _approved_agents(self, cluster: KubeObject) -> tuple[str, ...]:
        name = name_of(cluster)
        bindings = (
            rbac.own_cluster_role_binding(name),
            rbac.registration_role_binding(name),
            rbac.work_role_binding(name),
        )
        return approved_agents(
            cluster,
            requests=self._caches.requests.by_index(BY_CLUSTER, name),
            known=[
                item["name"]
                for binding in bindings
                # Whichever of them somebody deleted, the others still know.
                for item in (self._writer.find(binding) or {}).get("subjects") or ()
                if item["kind"] == "User"
            ],
        )

    def _until(self, instant: datetime) -> timedelta | None:
        """Return when to look again to see an instant passed; None if that is far off."""
        left = instant - self._clock.now()
        return left + timedelta(seconds=1) if left < _FAR_OFF else None

    async def _hold(self, cluster: KubeObject) -> KubeObject:
        """Put our finalizer on a cluster before it gets anything that must be taken back."""
        finalizers = finalizers_of(cluster)
        if names.API_RESOURCE_CLEANUP_FINALIZER in finalizers:
            return cluster
        patch: KubeObject = {
            "metadata": {
                "uid": uid_of(cluster),
                "resourceVersion": resource_version_of(cluster),
                "finalizers": [*finalizers, names.API_RESOURCE_CLEANUP_FINALIZER],
            }
        }
        taints = due_taints(cluster, now=self._clock.now())
        if taints != taints_of(cluster):
            # It would come a moment later by a write of its own.
            patch["spec"] = {"taints": taints}
        held = await patch_tainted(self._client, cluster, patch)
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
        was = find_condition(cluster, HUB_ACCEPTED)
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
        if was is None and status == "True" and was_accepted_automatically(cluster):
            return  # the Event about the request that brought it in says it already
        if was is None or was.reason != reason:
            event, kind, action = _TOLD[reason]
            await self._events.record(patched, reason=event, note=message, type=kind, action=action)


def _about_former_agents(cluster: str, *, until: datetime) -> str:
    return (
        f"; a certificate of a former agent of this name may be valid until {format_time(until)}, "
        "so until then only agents whose requests were approved since the cluster registered anew "
        "are let in; to let a former one in, remove annotation "
        f"{names.FORMER_CERTIFICATE_ANNOTATION} from namespace {cluster}"
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
