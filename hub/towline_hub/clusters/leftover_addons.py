"""Letting go of add-ons that are being deleted in the namespace of a cluster that is gone.

Whoever should clean up after such an add-on looks for its ManagedCluster first, finds none, and
leaves the finalizers where they are. An add-on of a cluster that is there is none of our business,
and neither is one that nobody deleted: it may have been made before its cluster registers.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from towline_api.metadata import (
    ObjectKey,
    finalizers_of,
    is_being_deleted,
    key_of,
    name_of,
    uid_of,
)
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_hub.caches import BY_CLUSTER, HubCaches
from towline_hub.clusters.departure_plan import after_force, without_deprecated
from towline_hub.clusters.standing import Standing, standing_of
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import Conflict, NotFound
from towline_kube.events import EventRecorder, EventType

log = logging.getLogger(__name__)


class LeftoverAddons:
    """Reconciles one ManagedClusterAddOn at a time, by namespace and name.

    Args:
        client: Whom to ask.
        caches: What exists.
        events: Where it is told.
        clock: Where time comes from.
        limit: How long an add-on's deletion waits for others before it goes on without them.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        events: EventRecorder,
        clock: Clock,
        limit: timedelta,
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock
        self._limit = limit

    def addons_of_addon(self, addon: KubeObject) -> Iterable[ObjectKey]:
        """Return the add-on itself if it is held while it is being deleted."""
        held = is_being_deleted(addon) and finalizers_of(addon)
        return (key_of(addon),) if held else ()

    def addons_of_cluster(self, cluster: KubeObject) -> Iterable[ObjectKey]:
        """Return the add-ons to look at when a ManagedCluster came, went or changed."""
        addons = self._caches.addons.by_index(BY_CLUSTER, name_of(cluster))
        return [key for addon in addons for key in self.addons_of_addon(addon)]

    async def reconcile(self, key: ObjectKey) -> Result:
        """Let one add-on go if nobody else can."""
        addon = self._caches.addons.find(key.name, key.namespace)
        if addon is None or not is_being_deleted(addon):
            return DONE
        finalizers = finalizers_of(addon)
        kept = without_deprecated(finalizers)
        cluster = self._caches.clusters.find(key.namespace or "")
        wait = None
        if cluster is None or standing_of(cluster) is Standing.GONE:
            deleted = parse_time(addon["metadata"]["deletionTimestamp"])
            left = deleted + self._limit - self._clock.now()
            if left > timedelta():
                wait = left
            else:
                kept = after_force(finalizers)
        if len(kept) < len(finalizers):
            await self._strip(addon, kept=kept)
        return Result(look_again_in=wait)

    async def _strip(self, addon: KubeObject, *, kept: list[str]) -> None:
        key = key_of(addon)
        taken = ", ".join(item for item in finalizers_of(addon) if item not in kept)
        with suppress(NotFound, Conflict):
            await self._client.patch(
                self._caches.addons.resource,
                key.name,
                {"metadata": {"uid": uid_of(addon), "finalizers": kept or None}},
                namespace=key.namespace,
            )
        note = f"nobody is left who would act on {taken}, so the add-on is let go without"
        log.warning(
            "add-on is let go by force",
            extra={"addon": key.name, "cluster": key.namespace, "reason": note},
        )
        await self._events.record(
            addon, reason="ForcedRelease", note=note, type=EventType.WARNING, action="Remove"
        )
