"""The watch over leases on a clock of the test's own: to the instant, whatever clocks say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from support.api_world import FakeServer
from support.clock import FakeClock
from support.tasks import background
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.condition_types import (
    AVAILABLE,
    CLOCK_SYNCED,
    CLUSTER_AVAILABLE,
    HUB_ACCEPTED,
    JOINED,
)
from towline_api.conditions import with_condition
from towline_api.names import CLUSTER_LEASE, SKIP_CLOCK_SYNC_CHECK_ANNOTATION
from towline_api.resources import (
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    KubeObject,
)
from towline_api.timestamps import format_micro_time, format_time
from towline_hub.caches import HubViews, hub_caches
from towline_hub.clusters.health import HealthWatch
from towline_hub.metrics import HubMetrics
from towline_kube.cache import Cache
from towline_kube.events import EventRecorder

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
GRACE = 5 * MINUTE
TICK = timedelta(milliseconds=1)


class JumpingClock(FakeClock):
    """A clock whose wall time can be set, as an administrator or NTP does."""

    jump = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.jump


class Fleet:
    """One accepted cluster with an add-on, seen by the hub's watch over leases."""

    def __init__(self) -> None:
        self.clock = JumpingClock()
        self.server = FakeServer(self.clock)
        self.metrics = HubMetrics(clock=self.clock)
        self.spoke_clock_is_off_by = timedelta(0)
        self._beats = 0
        conditions: list[dict[str, Any]] = []
        for kind in (HUB_ACCEPTED, CLUSTER_AVAILABLE):
            conditions = with_condition(
                conditions, type=kind, status="True", reason="Test", message="", now=self.now
            )
        self.server.put(
            MANAGED_CLUSTERS,
            {
                "metadata": {
                    "name": "c1",
                    "finalizers": ["cluster.open-cluster-management.io/api-resource-cleanup"],
                },
                "spec": {"hubAcceptsClient": True, "leaseDurationSeconds": 60},
                "status": {"conditions": conditions},
            },
        )
        self.server.put(
            MANAGED_CLUSTER_ADDONS,
            {
                "metadata": {
                    "name": "logs",
                    "namespace": "c1",
                    "creationTimestamp": format_time(self.now),
                }
            },
        )
        self.make_lease()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def make_lease(self) -> None:
        """Make the lease as the hub does, dated by the hub's clock."""
        self._put_lease(self.now)

    def beat(self) -> None:
        """Renew the lease as the agent does, dated by its own clock."""
        self._put_lease(self.now - self.clock.jump + self.spoke_clock_is_off_by)

    def drop_lease(self) -> KubeObject:
        lease = self.server.stored(LEASES)[next(iter(self.server.stored(LEASES)))]
        self.server.remove(LEASES, CLUSTER_LEASE, "c1")
        return lease

    def change(self, *, spec: Any = None, **metadata: Any) -> None:
        """Edit the ManagedCluster as an operator does."""
        cluster = self.cluster
        self.server.put(
            MANAGED_CLUSTERS,
            {
                **cluster,
                "metadata": {**cluster["metadata"], **metadata},
                "spec": {**cluster["spec"], **(spec or {})},
            },
        )

    async def live(self, beats: int, *, every: timedelta = MINUTE) -> None:
        """Let an agent renew so many times."""
        for _ in range(beats):
            await self.clock.advance(every)
            self.beat()
        await self.clock.settle()

    @property
    def cluster(self) -> KubeObject:
        return next(iter(self.server.stored(MANAGED_CLUSTERS).values()))

    def status(self, kind: str) -> str | None:
        return _status(self.cluster, kind)

    @property
    def addon_status(self) -> str | None:
        return _status(next(iter(self.server.stored(MANAGED_CLUSTER_ADDONS).values())), AVAILABLE)

    @property
    def writes(self) -> int:
        return sum(verb not in ("get", "list", "watch") for verb, _ in self.server.calls)

    def _put_lease(self, at: datetime) -> None:
        self.server.put(
            LEASES,
            {
                "metadata": {"name": CLUSTER_LEASE, "namespace": "c1"},
                "spec": {"renewTime": format_micro_time(at)},
            },
        )

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[HealthWatch]:
        """Run a hub's watch over leases for the block."""
        client, clock = self.server.client, self.clock
        # The rest of the hub's caches, and the selection by label, are not needed here.
        caches = replace(
            hub_caches(client, codec=V1Alpha1Codec(), clock=clock),
            leases=Cache(client, LEASES, clock=clock),
        )
        watch = HealthWatch(
            client,
            caches=caches,
            views=HubViews.of(caches, clock=clock),
            events=EventRecorder(client, controller="test", instance="test", clock=clock),
            codec=V1Alpha1Codec(),
            metrics=self.metrics,
            clock=clock,
        )
        async with AsyncExitStack() as stack:
            for cache in (caches.clusters, caches.leases, caches.addons):
                await stack.enter_async_context(background(cache.run(), name="run-cache"))
                await cache.wait_synced()
            await stack.enter_async_context(background(watch.run(), name="watch-health"))
            await clock.settle()
            yield watch


def _status(obj: KubeObject, kind: str) -> str | None:
    conditions = obj.get("status", {}).get("conditions", [])
    return next((item["status"] for item in conditions if item["type"] == kind), None)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


async def test_a_cluster_is_unknown_after_five_missed_renewals_and_not_an_instant_before(
    fleet: Fleet,
) -> None:
    """Each false alarm costs trust, and each late one work placed where nobody is."""
    async with fleet.watched() as watch:
        await fleet.live(3)
        await fleet.clock.advance(GRACE - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
        assert fleet.addon_status == "Unknown"
        assert watch.beats.counts() == {"renewed": 0, "stopped": 1}


async def test_a_renewal_ends_it_at_once(fleet: Fleet) -> None:
    """Not at the next round of anything: there are no rounds."""
    async with fleet.watched() as watch:
        await fleet.clock.advance(3 * GRACE)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
        fleet.beat()
        await fleet.clock.settle()
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        assert watch.beats.counts() == {"renewed": 1, "stopped": 0}
        reasons = [event["reason"] for event in fleet.server.stored(EVENTS).values()]
        assert reasons == ["AvailableUnknown", "AvailableAgain"]


async def test_an_agent_that_overrules_the_hub_without_renewing_is_not_answered_at_once(
    fleet: Fleet,
) -> None:
    """Two programs that correct each other at every event would do nothing else."""

    def overrule() -> None:
        conditions = with_condition(
            fleet.cluster["status"]["conditions"],
            type=CLUSTER_AVAILABLE,
            status="True",
            reason="Test",
            message="",
            now=fleet.now,
        )
        fleet.server.put(MANAGED_CLUSTERS, {**fleet.cluster, "status": {"conditions": conditions}})

    async with fleet.watched():
        await fleet.clock.advance(GRACE)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
        for _ in range(3):
            before = fleet.writes
            overrule()
            await fleet.clock.advance(30 * SECOND - TICK)
            assert (fleet.status(CLUSTER_AVAILABLE), fleet.writes) == ("True", before)
            await fleet.clock.advance(TICK)
            assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
        fleet.beat()
        await fleet.clock.advance(GRACE)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown", "of a new silence it is said in time"


async def test_a_day_of_renewals_costs_one_write(fleet: Fleet) -> None:
    """That the clocks agree; after that a fleet at rest writes nothing."""
    async with fleet.watched():
        await fleet.live(24 * 60)
        assert fleet.writes == 1
        assert fleet.status(CLOCK_SYNCED) == "True"


async def test_a_good_clock_is_told_with_the_second_renewal(fleet: Fleet) -> None:
    """While a fleet joins, the API server has more urgent things to store."""
    async with fleet.watched():
        await fleet.live(1)
        assert fleet.writes == 0
        await fleet.live(1)
        assert fleet.status(CLOCK_SYNCED) == "True"


async def test_a_wrong_clock_is_told_with_the_first_renewal(fleet: Fleet) -> None:
    """Who set it wrong is still at it."""
    fleet.spoke_clock_is_off_by = timedelta(hours=1)
    async with fleet.watched():
        await fleet.live(1)
        assert fleet.status(CLOCK_SYNCED) == "False"


async def test_a_lease_deleted_and_made_again_is_no_renewal(fleet: Fleet) -> None:
    """The hub makes it; the deadline of the cluster's last own renewal stands."""
    async with fleet.watched():
        await fleet.live(1)
        await fleet.clock.advance(2 * MINUTE)
        fleet.drop_lease()
        await fleet.clock.advance(MINUTE)
        fleet.make_lease()
        await fleet.clock.advance(2 * MINUTE - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"


async def test_an_agent_that_renews_the_new_lease_was_never_away(fleet: Fleet) -> None:
    """It only had to wait for the hub to make one."""
    async with fleet.watched():
        await fleet.live(1)
        fleet.drop_lease()
        fleet.make_lease()
        await fleet.live(20)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        assert not fleet.server.stored(EVENTS)


async def test_a_lease_out_of_sight_and_back_unchanged_is_no_renewal(fleet: Fleet) -> None:
    """As when somebody takes its label off, and the hub puts it on again."""
    async with fleet.watched():
        await fleet.live(1)
        lease = fleet.drop_lease()
        await fleet.clock.advance(4 * MINUTE)
        fleet.server.put(LEASES, lease)
        await fleet.clock.advance(MINUTE)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"


async def test_a_shorter_lease_duration_counts_from_the_last_renewal(fleet: Fleet) -> None:
    """An operator who shortens it wants to know sooner, about this silence already."""
    async with fleet.watched():
        await fleet.live(1)
        await fleet.clock.advance(10 * SECOND)
        fleet.change(spec={"leaseDurationSeconds": 4})
        await fleet.clock.advance(10 * SECOND - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"


async def test_a_longer_lease_duration_spares_who_is_still_in_time_by_it(fleet: Fleet) -> None:
    """The old deadline is in the heap already, and must not ring."""
    async with fleet.watched():
        await fleet.live(1)
        await fleet.clock.advance(4 * MINUTE)
        fleet.change(spec={"leaseDurationSeconds": 600})
        await fleet.clock.advance(46 * MINUTE - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"


async def test_a_hub_that_starts_gives_everybody_the_whole_grace_period(fleet: Fleet) -> None:
    """It cannot know for how long it was away."""
    async with fleet.watched():
        await fleet.live(1)
    await fleet.clock.advance(10 * GRACE)
    async with fleet.watched():
        await fleet.clock.advance(GRACE - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
    async with fleet.watched():
        await fleet.clock.advance(MINUTE)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown", "starting again proves no life"
        fleet.beat()
        await fleet.clock.settle()
        assert fleet.status(CLUSTER_AVAILABLE) == "True"


@pytest.mark.parametrize(
    "off", [timedelta(hours=9), timedelta(hours=-9), timedelta(days=4000), timedelta(days=-4000)]
)
async def test_a_wrong_clock_is_said_and_neither_kills_nor_keeps_alive(
    fleet: Fleet, off: timedelta
) -> None:
    """A lease dated far ahead is no promise, and one dated long ago no death."""
    fleet.spoke_clock_is_off_by = off
    async with fleet.watched():
        await fleet.live(60)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        assert fleet.status(CLOCK_SYNCED) == "False"
        assert fleet.writes == 1
        await fleet.clock.advance(GRACE - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
        fleet.spoke_clock_is_off_by = timedelta(0)
        await fleet.live(1)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        assert fleet.status(CLOCK_SYNCED) == "True"


async def test_a_clock_that_jumps_back_and_forth_is_said_each_time(fleet: Fleet) -> None:
    """The agent's clock going back does not make its lease go back."""
    async with fleet.watched():
        for hours, said in ((0, "True"), (-3, "False"), (0, "True"), (5, "False"), (0, "True")):
            fleet.spoke_clock_is_off_by = timedelta(hours=hours)
            await fleet.live(3)
            assert fleet.status(CLOCK_SYNCED) == said
            assert fleet.status(CLUSTER_AVAILABLE) == "True"


@pytest.mark.parametrize("hours", [-7, 7])
async def test_the_hubs_own_clock_may_jump_too(fleet: Fleet, hours: int) -> None:
    """Its whole fleet must not die by that, or live longer."""
    async with fleet.watched():
        await fleet.live(2)
        fleet.clock.jump = timedelta(hours=hours)
        await fleet.live(2)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        assert fleet.status(CLOCK_SYNCED) == "False"
        await fleet.clock.advance(GRACE - TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        await fleet.clock.advance(TICK)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"


async def test_a_cluster_joins_once(fleet: Fleet) -> None:
    """At its agent's first report of its own; not at each start of a hub, or each change."""

    def joined() -> float | None:
        return fleet.metrics.registry.get_sample_value("towline_hub_clusters_joined_total")

    async with fleet.watched():
        assert joined() == 0
        cluster = fleet.cluster
        conditions = with_condition(
            cluster["status"]["conditions"],
            type=JOINED,
            status="True",
            reason="Test",
            message="",
            now=fleet.now,
        )
        fleet.server.put(MANAGED_CLUSTERS, {**cluster, "status": {"conditions": conditions}})
        await fleet.clock.settle()
        assert joined() == 1
        fleet.change(labels={"example.com/some": "label"})
        await fleet.clock.settle()
        assert joined() == 1
    async with fleet.watched():
        assert joined() == 1


async def test_an_operator_can_overrule_the_comparison_of_clocks(fleet: Fleet) -> None:
    """At once: OCM's agents report nothing while they are told that their clock is wrong."""
    fleet.spoke_clock_is_off_by = timedelta(hours=1)
    async with fleet.watched():
        await fleet.live(2)
        assert fleet.status(CLOCK_SYNCED) == "False"
        fleet.change(annotations={SKIP_CLOCK_SYNC_CHECK_ANNOTATION: "true"})
        await fleet.clock.settle()
        assert fleet.status(CLOCK_SYNCED) == "True"
        await fleet.live(5)
        assert fleet.status(CLOCK_SYNCED) == "True"
        fleet.change(annotations={})
        await fleet.live(1)
        assert fleet.status(CLOCK_SYNCED) == "False"


async def test_a_denied_cluster_is_held_to_its_lease(fleet: Fleet) -> None:
    """It cannot renew it, and nothing should be placed there."""
    async with fleet.watched():
        await fleet.live(1)
        fleet.change(spec={"hubAcceptsClient": False})
        await fleet.clock.advance(GRACE)
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"


async def test_a_cluster_that_leaves_without_a_lease_is_unknown_at_once(fleet: Fleet) -> None:
    """Nobody makes it anew, so nobody can renew it."""
    async with fleet.watched():
        await fleet.live(1)
        fleet.change(deletionTimestamp=format_time(fleet.now))
        await fleet.clock.settle()
        assert fleet.status(CLUSTER_AVAILABLE) == "True"
        fleet.drop_lease()
        await fleet.clock.settle()
        assert fleet.status(CLUSTER_AVAILABLE) == "Unknown"
