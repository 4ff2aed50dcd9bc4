"""Taking back what a cluster was given, when it is denied or deleted.

Deletion goes from the outside in: add-ons first, while the agent can still clean up after them,
then the rights, then our finalizer. Every wait has an end, so that no finalizer of ours is ever
the reason why something cannot be deleted.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from towline_api import names
from towline_api.condition_types import DELETING, REASON_RESOURCE_REMAINING
from towline_api.conditions import conditions_of, with_condition
from towline_api.metadata import finalizers_of, is_being_deleted, key_of, name_of
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
    Resource,
)
from towline_api.timestamps import parse_time
from towline_hub import rbac
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.object_writer import ObjectWriter
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import NotFound, NotServed

log = logging.getLogger(__name__)

CLEANUP_LIMIT = timedelta(minutes=5)
"""How long deletion waits for an agent to clean up. An agent that is there needs seconds."""

MANIFEST_WORKS = Resource(rbac.WORK_GROUP, "v1", "manifestworks", "ManifestWork", namespaced=True)

_RECHECK = timedelta(seconds=5)


class Departure:
    """Takes a cluster's rights back.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        writer: Applies and removes RBAC.
        clock: Where time comes from.
        limit: How long deletion waits for others before it goes on without them.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        views: HubViews,
        writer: ObjectWriter,
        clock: Clock,
        limit: timedelta = CLEANUP_LIMIT,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._writer = writer
        self._clock = clock
        self._limit = limit

    async def deny(self, cluster: str) -> Result:
        """Leave a cluster that was accepted once nothing but the sight of itself."""
        await self._writer.ensure(rbac.denied_cluster_role(cluster))
        await self._remove_role_bindings(cluster)
        return await self._finish_work_binding(cluster)

    async def leave(self, cluster: KubeObject) -> Result:
        """Do the next step of a cluster's deletion."""
        name = name_of(cluster)
        addons = self._caches.addons.by_index(BY_CLUSTER, name)
        for addon in addons:
            if not is_being_deleted(addon):
                await self._client.delete(
                    MANAGED_CLUSTER_ADDONS, name_of(addon), namespace=name, missing_ok=True
                )
        left = self._time_left(cluster)
        if addons and left > timedelta():
            await self._tell_remaining(cluster, addons)
            return Result(look_again_in=left)
        if addons:
            log.warning(
                "cluster is let go although add-ons remain",
                extra={"cluster": name, "reason": _listed(addons), "delay_s": self._limit.seconds},
            )
        await self._remove_role_bindings(name)
        result = await self._finish_work_binding(name)
        if result is not DONE:
            return result
        await self._remove_addon_grants(name)
        for desired, resource in (
            (rbac.own_cluster_role_binding(name), CLUSTER_ROLE_BINDINGS),
            (rbac.accepted_cluster_role(name), CLUSTER_ROLES),
        ):
            live = self._writer.find(desired)
            if live is not None:
                await self._writer.remove(live, resource=resource)
        await self._release(cluster)
        return DONE

    async def remove_shared_roles(self) -> None:
        """Remove the roles that clusters share, once there is no cluster."""
        for desired in rbac.shared_cluster_roles():
            live = self._writer.find(desired)
            if live is not None:
                await self._writer.remove(live, resource=CLUSTER_ROLES)

    async def release_work_binding(self, cluster: str) -> bool:
        """Let a work binding that is being deleted go, unless ManifestWorks still need it.

        Returns:
            Whether nothing of it holds anything up any more.
        """
        live = self._writer.find(rbac.work_role_binding(cluster))
        if live is None or not is_being_deleted(live):
            return True
        finalizers = finalizers_of(live)
        if names.MANIFEST_WORK_CLEANUP_FINALIZER not in finalizers:
            return True
        if self._time_left(live) > timedelta() and await self._has_works(cluster):
            return False
        others = [item for item in finalizers if item != names.MANIFEST_WORK_CLEANUP_FINALIZER]
        with suppress(NotFound):
            released = await self._client.patch_metadata(ROLE_BINDINGS, live, finalizers=others)
            self._views.role_bindings.remember(released)
        return True

    async def _remove_role_bindings(self, cluster: str) -> None:
        for desired in (rbac.registration_role_binding(cluster), rbac.work_role_binding(cluster)):
            live = self._writer.find(desired)
            if live is not None:
                await self._writer.remove(live, resource=ROLE_BINDINGS)

    async def _finish_work_binding(self, cluster: str) -> Result:
        live = self._writer.find(rbac.work_role_binding(cluster))
        if live is None:
            return DONE
        if is_being_deleted(live) and await self.release_work_binding(cluster):
            return DONE
        # Just deleted: the watch brings it back with its deletion time. Or works remain.
        return Result(look_again_in=_RECHECK)

    async def _remove_addon_grants(self, cluster: str) -> None:
        """Remove what add-ons that did not end in time were granted."""
        for cache, resource in (
            (self._caches.role_bindings, ROLE_BINDINGS),
            (self._caches.roles, ROLES),
        ):
            for live in cache.by_index(BY_CLUSTER, cluster):
                await self._writer.remove(live, resource=resource)

    async def _release(self, cluster: KubeObject) -> None:
        remaining = [
            item for item in finalizers_of(cluster) if item != names.API_RESOURCE_CLEANUP_FINALIZER
        ]
        # The object goes with its last finalizer; a pass that has not heard of it finds nothing.
        with suppress(NotFound):
            released = await self._client.patch_metadata(
                MANAGED_CLUSTERS, cluster, finalizers=remaining
            )
            self._views.clusters.remember(released)
        log.info("cluster let go", extra={"cluster": name_of(cluster)})

    async def _tell_remaining(self, cluster: KubeObject, addons: Sequence[KubeObject]) -> None:
        held = sum(bool(finalizers_of(addon)) for addon in addons)
        message = (
            f"{len(addons)} managedclusteraddons remain, {held} of them held by finalizers: "
            f"{_listed(addons)}; the cluster is let go without them "
            f"{int(self._limit.total_seconds())} s after its deletion"
        )
        before = conditions_of(cluster)
        after = with_condition(
            before,
            type=DELETING,
            status="False",
            reason=REASON_RESOURCE_REMAINING,
            message=message,
            now=self._clock.now(),
        )
        if after != before:
            patched = await self._client.patch_status(
                MANAGED_CLUSTERS, cluster, (cluster.get("status") or {}) | {"conditions": after}
            )
            self._views.clusters.remember(patched)

    async def _has_works(self, cluster: str) -> bool:
        try:
            works = await self._client.list(MANIFEST_WORKS, namespace=cluster)
        except NotServed:
            return False
        return bool(works.items)

    def _time_left(self, deleted: KubeObject) -> timedelta:
        when = parse_time(deleted["metadata"]["deletionTimestamp"])
        return when + self._limit - self._clock.now()


def _listed(addons: Sequence[KubeObject]) -> str:
    listed = sorted(str(key_of(addon)) for addon in addons)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
