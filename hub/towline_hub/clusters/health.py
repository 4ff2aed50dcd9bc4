"""Cluster health: a lease that is not renewed in time makes a cluster and its add-ons Unknown.

The hub sleeps until the earliest deadline and writes only when a cluster stops or comes back. At
rest it costs nothing but the watch over the leases.
"""

import asyncio
import logging
from datetime import timedelta
from typing import NoReturn

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.cluster_lease import is_lease_stopped
from towline_api.condition_types import (
    AVAILABLE,
    CLOCK_SYNCED,
    CLUSTER_AVAILABLE,
    CLUSTER_AVAILABLE_MESSAGE,
    CLUSTER_LEASE_STOPPED_MESSAGE,
    JOINED,
    REASON_CLUSTER_AVAILABLE,
    REASON_CLUSTER_LEASE_STOPPED,
)
from towline_api.conditions import conditions_of, find_condition, is_true, with_condition
from towline_api.metadata import (
    is_being_deleted,
    name_of,
    namespace_of,
    uid_of,
)
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.clusters.clock_skew import (
    clocks_agree,
    is_clock_check_skipped,
    is_out_of_sync,
    with_clock_condition,
)
from towline_hub.clusters.heartbeats import Heartbeats, Sighting
from towline_hub.clusters.standing import Standing, standing_of
from towline_hub.metrics import HubMetrics
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Controller, Result
from towline_kube.events import EventRecorder, EventType
from towline_kube.store import Change
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

GRACE_FACTOR = 5
"""How many renewals may be missed before the hub worries; fixed, as in OCM."""
_DEFAULT_LEASE_DURATION = timedelta(seconds=60)
_WATCHED = (Standing.ACCEPTED, Standing.DENIED, Standing.LEAVING)
"""A denied cluster cannot renew its lease: it becomes Unknown, and nothing is placed there."""
_SAY_AGAIN_AFTER = timedelta(seconds=30)
"""An agent that reports before it renews overrules what the hub has just said. Were it answered at
once, a fleet that comes back would keep the hub busy until the last lease is renewed."""


class HealthWatch:
    """Turns silence of a cluster into conditions, and its return into their end."""

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        views: HubViews,
        events: EventRecorder,
        codec: AddonCodec,
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._events = events
        self._codec = codec
        self._metrics = metrics
        self._clock = clock
        self._beats = Heartbeats()
        self._in_sync: dict[str, bool] = {}  # what the last renewal said about a spoke's clock
        self._said_unknown: dict[str, float] = {}  # when, of clusters that have not been back since
        self._news = asyncio.Event()
        self.controller: Controller[str] = Controller(
            "watch-health", self.reconcile, concurrency=5, clock=clock
        )

    @property
    def beats(self) -> Heartbeats:
        """What is known of the clusters' heartbeats."""
        return self._beats

    async def run(self) -> NoReturn:
        """Watch over leases until cancelled. The caches have to be synced already."""
        self._caches.leases.on_change(self._take_lease)
        self._caches.clusters.on_change(self._take_cluster)
        # Add-ons installed on a cluster that is silent are as unknown as the others.
        self._caches.addons.on_change(self._take_addon)
        async with TaskGroup() as group:
            group.create_task(self.controller.run(), name="reconcile-health")
            group.create_task(self._watch_deadlines(), name="watch-deadlines")
        raise AssertionError("watching over health ended by itself")

    async def reconcile(self, name: str) -> Result:
        """Bring one cluster's conditions in line with its heartbeat."""
        cluster = self._views.clusters.find(name)
        if cluster is None or standing_of(cluster) not in _WATCHED:
            return DONE
        alive = self._beats.is_alive(name)
        if alive is None:
            return DONE
        before = conditions_of(cluster)
        after = with_clock_condition(
            cluster, in_sync=self._in_sync.get(name), now=self._clock.now()
        )
        turns = alive is is_lease_stopped(cluster)
        say_again_in = self._say_again_in(name) if turns and not alive else None
        if alive:
            self._said_unknown.pop(name, None)
        says = turns and say_again_in is None
        if says:
            after = with_condition(
                after,
                type=CLUSTER_AVAILABLE,
                status="True" if alive else "Unknown",
                reason=REASON_CLUSTER_AVAILABLE if alive else REASON_CLUSTER_LEASE_STOPPED,
                message=CLUSTER_AVAILABLE_MESSAGE if alive else CLUSTER_LEASE_STOPPED_MESSAGE,
                now=self._clock.now(),
            )
        if after != before:
            patched = await self._client.patch_status(
                MANAGED_CLUSTERS, cluster, (cluster.get("status") or {}) | {"conditions": after}
            )
            self._views.clusters.remember(patched)
            if says:
                await self._announce(patched, alive=alive)
        if not alive:
            if says:
                self._said_unknown[name] = self._clock.monotonic()
            for addon in self._caches.addons.by_index(BY_CLUSTER, name):
                await self._make_unknown(addon)
        return Result(look_again_in=say_again_in)

    def _say_again_in(self, name: str) -> timedelta | None:
        """Return how long not to repeat that a cluster is silent; None if it may be said now."""
        said_at = self._said_unknown.get(name)
        if said_at is None:
            return None
        left = _SAY_AGAIN_AFTER - timedelta(seconds=self._clock.monotonic() - said_at)
        return left if left > timedelta(0) else None

    async def _make_unknown(self, cached: KubeObject) -> None:
        addon = self._views.addons.find(name_of(cached), namespace_of(cached)) or cached
        before = conditions_of(addon)
        after = with_condition(
            before,
            type=AVAILABLE,
            status="Unknown",
            reason=REASON_CLUSTER_LEASE_STOPPED,
            message=CLUSTER_LEASE_STOPPED_MESSAGE,
            now=self._clock.now(),
        )
        if after != before:
            patched = await self._client.patch_status(
                self._codec.managed_cluster_addons,
                addon,
                (addon.get("status") or {}) | {"conditions": after},
            )
            self._views.addons.remember(patched)

    async def _announce(self, cluster: KubeObject, *, alive: bool) -> None:
        name = name_of(cluster)
        if alive:
            log.info("cluster lease is renewed again", extra={"cluster": name})
            await self._events.record(
                cluster, reason="AvailableAgain", note="the lease is renewed again", action="Watch"
            )
        else:
            grace = grace_period(cluster)
            log.warning(
                "cluster lease is not renewed",
                extra={"cluster": name, "delay_s": grace.total_seconds()},
            )
            await self._events.record(
                cluster,
                reason="AvailableUnknown",
                note=f"the lease was not renewed for {grace.total_seconds():g} s",
                type=EventType.WARNING,
                action="Watch",
            )

    async def _watch_deadlines(self) -> NoReturn:
        while True:
            for cluster in self._beats.pop_late(self._clock.monotonic()):
                self.controller.enqueue(cluster)
            self._news.clear()
            deadline = self._beats.next_deadline()
            if deadline is None:
                await self._news.wait()
                continue
            async with TaskGroup() as group:
                alarm = group.create_task(self._ring_at(deadline), name="await-lease-deadline")
                await self._news.wait()
                alarm.cancel("no longer needed")

    async def _ring_at(self, deadline: float) -> None:
        await self._clock.sleep(timedelta(seconds=deadline - self._clock.monotonic()))
        self._news.set()

    def _take_lease(self, change: Change) -> None:
        lease = change.new
        name = change.key.namespace or ""
        cluster = self._caches.clusters.find(name)
        if change.key.name != names.CLUSTER_LEASE or cluster is None:
            return
        if lease is not None:
            self._look_at(cluster, lease)
        elif is_being_deleted(cluster):
            # Nobody makes it anew, so it cannot be renewed either. As OCM has it.
            self._beats.declare_dead(name)
            self.controller.enqueue(name)
        # Otherwise acceptance makes it anew; until then the deadline stands.

    def _look_at(self, cluster: KubeObject, lease: KubeObject) -> None:
        name = name_of(cluster)
        renew_time = str((lease.get("spec") or {}).get("renewTime") or "")
        grace = grace_period(cluster)
        first_deadline = self._beats.next_deadline()
        was_alive = self._beats.is_alive(name)
        sighting = self._beats.see(
            name,
            lease_uid=uid_of(lease),
            renew_time=renew_time,
            at=self._clock.monotonic(),
            grace=grace.total_seconds(),
            presumed_dead=is_lease_stopped(cluster),
        )
        if sighting is Sighting.UNCHANGED:
            return
        if first_deadline is None or (self._beats.next_deadline() or 0) < first_deadline:
            self._news.set()
        changed = sighting is Sighting.RENEWED and self._judge_clock(
            cluster, renew_time=renew_time, grace=grace
        )
        # A cluster seen for the first time is as its conditions say until it is late.
        if changed or was_alive is False or (was_alive is None and is_lease_stopped(cluster)):
            self.controller.enqueue(name)

    def _judge_clock(self, cluster: KubeObject, *, renew_time: str, grace: timedelta) -> bool:
        """Compare a fresh renewal with the hub's clock; return whether that is to be told now.

        A difference is, and its end. That nothing is wrong with a new cluster's clock is worth a
        write as well, but not while it joins: it can wait for the next renewal.
        """
        name = name_of(cluster)
        if is_clock_check_skipped(cluster):
            self._in_sync.pop(name, None)
            return False
        in_sync = clocks_agree(renew_time, now=self._clock.now(), tolerance=grace)
        if in_sync is None:
            return False
        before = self._in_sync.get(name)
        self._in_sync[name] = in_sync
        if find_condition(cluster, CLOCK_SYNCED) is None:
            return before is not None or not in_sync
        return before is not in_sync

    def _take_cluster(self, change: Change) -> None:
        name = change.key.name
        cluster = change.new
        if has_joined(change):
            self._metrics.joined()
        if cluster is None or standing_of(cluster) not in _WATCHED:
            self._beats.forget(name)
            self._in_sync.pop(name, None)
            self._said_unknown.pop(name, None)
            return
        known = self._beats.is_alive(name)
        if known is None:
            lease = self._caches.leases.find(names.CLUSTER_LEASE, name)
            if lease is not None:
                self._look_at(cluster, lease)
            return
        if change.old is None or grace_period(change.old) != grace_period(cluster):
            self._beats.set_grace(name, grace_period(cluster).total_seconds())
            self._news.set()
        overruled = is_clock_check_skipped(cluster) and is_out_of_sync(cluster)
        if not known or is_lease_stopped(cluster) or overruled:
            self.controller.enqueue(name)

    def _take_addon(self, change: Change) -> None:
        cluster = change.key.namespace
        if change.new is not None and cluster and self._beats.is_alive(cluster) is False:
            self.controller.enqueue(cluster)


def has_joined(change: Change) -> bool:
    """Return whether a change of a ManagedCluster is its agent's first report of its own."""
    return (
        change.old is not None
        and change.new is not None
        and is_true(change.new, JOINED)
        and not is_true(change.old, JOINED)
    )


def grace_period(cluster: KubeObject) -> timedelta:
    """Return how long a cluster's lease may go without a renewal: five times its duration."""
    seconds = (cluster.get("spec") or {}).get("leaseDurationSeconds")
    if isinstance(seconds, int) and seconds > 0:
        return GRACE_FACTOR * timedelta(seconds=seconds)
    return GRACE_FACTOR * _DEFAULT_LEASE_DURATION
