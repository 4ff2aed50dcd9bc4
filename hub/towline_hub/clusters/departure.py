"""Taking back what a cluster was given, when it is denied or deleted.

**A denial takes everything at once.** The bindings of the cluster and of its add-ons go in the
first pass, the one for ManifestWorks too: it carries OCM's finalizer, and a binding that is only
being deleted still grants, so it is emptied first. What remains is the sight of its own
ManagedCluster, by which an agent learns that it was denied. The namespace and what is in it stay.

**A deletion is orderly, and has an end.** Someone has to remove what add-ons and works left on the
managed cluster, and that is the agent. So until nothing is left to clean up it keeps its access to
add-ons, works and lease in its own namespace, and the add-ons keep theirs. What cleaning up does
not need, it loses at once: to ask for certificates, to renew its own, to change its ManagedCluster.
The moment nothing is left, or the time for it is over, everything goes; at once if the cluster had
been denied before. An operator who trusts an agent no more denies the cluster, then deletes it.

From then on a certificate that is still valid opens nothing: API servers authorize each request
anew, on connections kept alive as well. What they do not authorize anew is a watch that is open: it
goes on until the server ends it (`--min-request-timeout`, by default after 30 to 60 minutes), and
shows what it showed before.

**Nothing of ours stays stuck.** When the time is over, the finalizers of the cluster's add-ons and
works are taken away, whoever put them there, then ours and OCM's on the cluster.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from towline_api import names
from towline_api.condition_types import (
    DELETING,
    HUB_ACCEPTED,
    REASON_DELETING_ERROR,
    REASON_HUB_DENIED,
    REASON_NO_RESOURCE,
    REASON_RESOURCE_REMAINING,
)
from towline_api.conditions import conditions_of, find_condition, with_condition
from towline_api.errors import TransientError
from towline_api.metadata import (
    finalizers_of,
    is_being_deleted,
    labels_of,
    name_of,
)
from towline_api.resources import (
    CLUSTER_ROLES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    KubeObject,
)
from towline_api.timestamps import format_time, parse_time
from towline_hub.approval.denials import Dismissal, RequestDenials
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.clusters import rbac
from towline_hub.clusters.cluster_remains import MANIFEST_WORKS, ClusterRemains
from towline_hub.clusters.departure_plan import Remains, recheck_delay
from towline_hub.clusters.former_certificates import former_expiry, last_certificate_end
from towline_hub.clusters.revocation import Revocation
from towline_hub.clusters.standing import CLUSTER_FINALIZERS, accepts_client
from towline_hub.object_writer import ObjectWriter
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import ApiError, Conflict, NotFound
from towline_kube.events import EventRecorder, EventType

log = logging.getLogger(__name__)

CLEANUP_LIMIT = timedelta(minutes=5)
"""How long deletion waits for an agent to clean up. An agent that is there needs seconds."""


class Departure:
    """Takes a cluster's rights back.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        writer: Applies and removes RBAC.
        denials: Denies what its agents asked for.
        events: Where it is told.
        clock: Where time comes from.
        limit: How long deletion waits for others before it goes on without them.
        max_certificate_lifetime: The longest a certificate may live whose end nobody reported.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        views: HubViews,
        writer: ObjectWriter,
        denials: RequestDenials,
        events: EventRecorder,
        clock: Clock,
        limit: timedelta = CLEANUP_LIMIT,
        max_certificate_lifetime: timedelta,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._writer = writer
        self._revocation = Revocation(client, caches=caches, views=views, writer=writer)
        self._remains = ClusterRemains(client, caches=caches)
        self._denials = denials
        self._events = events
        self._clock = clock
        self._limit = limit
        self._max_lifetime = max_certificate_lifetime

    async def deny(self, cluster: KubeObject) -> None:
        """Leave a cluster that was accepted once nothing but the sight of itself."""
        name = name_of(cluster)
        await self._revocation.revoke(name, keeps=rbac.denied_cluster_role(name))
        condition = find_condition(cluster, HUB_ACCEPTED)
        since = (
            condition.last_transition_time
            if condition is not None and condition.reason == REASON_HUB_DENIED
            else None
        )
        # What is asked after the denial was said waits for an operator who thinks again.
        await self._denials.deny_undecided(name, why=Dismissal.DENIED, until=since)

    async def leave(self, cluster: KubeObject) -> Result:
        """Do the next step of a cluster's deletion."""
        name = name_of(cluster)
        left = self._time_left(cluster)
        try:
            remains = await self._remains.next(name)
            orderly = remains is not None and left > timedelta() and accepts_client(cluster)
            await self._revocation.revoke(
                name,
                keeps=rbac.denied_cluster_role(name) if orderly else None,
                namespaced=not orderly,
            )
            await self._remember_certificates(cluster)
            await self._denials.deny_undecided(name, why=Dismissal.REMOVED)
            if remains is not None and left > timedelta():
                return await self._wait(cluster, remains, left=left)
            if remains is not None:
                await self._force(cluster)
            await self._release(cluster)
        except TransientError:
            raise
        except (Conflict, NotFound):
            raise  # somebody was faster; the next pass sees what became of it
        except ApiError as error:
            await self._say(cluster, "False", REASON_DELETING_ERROR, str(error))
            raise
        return DONE

    async def remove_shared_roles(self) -> None:
        """Remove the roles that clusters share, once there is no cluster."""
        for desired in rbac.shared_cluster_roles():
            live = self._writer.find(desired)
            if live is not None:
                await self._writer.remove(live, resource=CLUSTER_ROLES)

    async def release_work_binding(self, cluster: str) -> bool:
        """Let a work binding that is being deleted go, unless ManifestWorks still need it.

        For a cluster that stays, and whose namespace somebody deletes.

        Returns:
            Whether nothing of it holds anything up any more.
        """
        live = self._writer.find(rbac.work_role_binding(cluster))
        if live is None or not is_being_deleted(live):
            return True
        finalizers = finalizers_of(live)
        if names.MANIFEST_WORK_CLEANUP_FINALIZER not in finalizers:
            return True
        if self._time_left(live) > timedelta() and await self._remains.list_works(cluster):
            return False
        others = [item for item in finalizers if item != names.MANIFEST_WORK_CLEANUP_FINALIZER]
        with suppress(NotFound):
            released = await self._client.patch_metadata(ROLE_BINDINGS, live, finalizers=others)
            self._views.role_bindings.remember(released)
        return True

    async def _wait(self, cluster: KubeObject, remains: Remains, *, left: timedelta) -> Result:
        """Delete what is next, and say what is waited for."""
        await self._remains.delete(remains.next_to_delete, resource=remains.resource)
        message = (
            f"{remains.describe()}; the cluster is let go without them "
            f"{self._limit.total_seconds():g} s after its deletion"
        )
        await self._say(cluster, "False", REASON_RESOURCE_REMAINING, message)
        if remains.resource is MANIFEST_WORKS:
            # No watch is spent on the works of a whole fleet.
            return Result(look_again_in=min(left, recheck_delay(self._limit - left)))
        return Result(look_again_in=left)

    async def _force(self, cluster: KubeObject) -> None:
        """Let everything in the cluster's namespace go that waited for its clean-up."""
        name = name_of(cluster)
        stuck = await self._remains.all(name)
        note = (
            f"clean-up did not end within {self._limit.total_seconds():g} s of the deletion, so "
            f"what it waited for is let go: {'; '.join(item.describe() for item in stuck)}; what "
            "these installed may still be on the managed cluster"
        )
        log.warning("cluster is let go by force", extra={"cluster": name, "reason": note})
        await self._events.record(
            cluster, reason="ForcedRelease", note=note, type=EventType.WARNING, action="Remove"
        )
        await self._say(cluster, "False", REASON_RESOURCE_REMAINING, note)
        for remains in stuck:
            await self._remains.force(remains)

    async def _remember_certificates(self, cluster: KubeObject) -> None:
        """Mark the namespace with the time until when a certificate of this cluster may live."""
        name = name_of(cluster)
        namespace = self._views.namespaces.find(name)
        if namespace is None or labels_of(namespace).get(names.CLUSTER_NAME_LABEL) != name:
            return  # never accepted, or deleted: there is nothing of ours to write on
        now = self._clock.now()
        end = last_certificate_end(
            cluster,
            addons=self._caches.addons.by_index(BY_CLUSTER, name),
            requests=self._caches.requests.by_index(BY_CLUSTER, name),
            deleted=_deletion_time(cluster),
            max_lifetime=self._max_lifetime,
        )
        known = former_expiry(namespace, now=now)
        if end is None or end < now or (known is not None and known >= _whole_seconds(end)):
            return
        marked = await self._client.patch_metadata(
            NAMESPACES,
            namespace,
            annotations={names.FORMER_CERTIFICATE_ANNOTATION: format_time(end)},
        )
        self._views.namespaces.remember(marked)

    async def _release(self, cluster: KubeObject) -> None:
        cluster = self._views.clusters.find(name_of(cluster)) or cluster
        others = [item for item in finalizers_of(cluster) if item not in CLUSTER_FINALIZERS]
        if others:
            message = f"nothing of the cluster is left on the hub; {', '.join(others)} holds it"
            cluster = await self._say(cluster, "True", REASON_NO_RESOURCE, message)
        # The object goes with its last finalizer; a pass that has not heard of it finds nothing.
        with suppress(NotFound):
            released = await self._client.patch_metadata(
                MANAGED_CLUSTERS, cluster, finalizers=others
            )
            self._views.clusters.remember(released)
        log.info("cluster let go", extra={"cluster": name_of(cluster)})
        await self._events.record(
            cluster,
            reason="ClusterRemoved",
            note="everything the cluster was given on this hub is taken back",
            action="Remove",
        )

    async def _say(self, cluster: KubeObject, status: str, reason: str, message: str) -> KubeObject:
        """Set the condition that tells how far the deletion is; write only if it changes."""
        cluster = self._views.clusters.find(name_of(cluster)) or cluster
        before = conditions_of(cluster)
        after = with_condition(
            before,
            type=DELETING,
            status="True" if status == "True" else "False",
            reason=reason,
            message=message,
            now=self._clock.now(),
        )
        if after == before:
            return cluster
        try:
            patched = await self._client.patch_status(
                MANAGED_CLUSTERS, cluster, (cluster.get("status") or {}) | {"conditions": after}
            )
        except NotFound:
            return cluster
        self._views.clusters.remember(patched)
        return patched

    def _time_left(self, deleted: KubeObject) -> timedelta:
        return _deletion_time(deleted) + self._limit - self._clock.now()


def _deletion_time(obj: KubeObject) -> datetime:
    return parse_time(obj["metadata"]["deletionTimestamp"])


def _whole_seconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
