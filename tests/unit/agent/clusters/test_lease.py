"""The cluster's heartbeat on the hub."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.api_world import FakeServer
from support.clock import START, FakeClock
from support.tasks import background
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.clusters.lease import LeaseRenewer, beat_interval, renewed
from towline_agent.clusters.view import ClusterView
from towline_api.resources import LEASES, MANAGED_CLUSTERS, KubeObject
from towline_kube.errors import Unauthorized, Unreachable

MINUTE = timedelta(minutes=1)
LEASE: KubeObject = {
    "metadata": {
        "name": "managed-cluster-lease",
        "namespace": "c1",
        "labels": {"open-cluster-management.io/cluster-name": "c1"},
    },
    "spec": {"holderIdentity": "managed-cluster-lease", "renewTime": "2025-01-01T00:00:00.000000Z"},
}


MISSED = {
    "type": "ManagedClusterConditionAvailable",
    "status": "Unknown",
    "reason": "ManagedClusterLeaseUpdateStopped",
}


def cluster(*, accepted: bool = True, missed: bool = False, seconds: int | None = 60) -> KubeObject:
    status = "True" if accepted else "False"
    conditions = [{"type": "HubAcceptedManagedCluster", "status": status}]
    return {
        "metadata": {"name": "c1"},
        "spec": {"leaseDurationSeconds": seconds},
        "status": {"conditions": [*conditions, MISSED] if missed else conditions},
    }


@pytest.mark.parametrize(
    ("seconds", "roll", "expected"),
    [(60, 0.0, 60), (60, 0.999, 74.985), (0, 0.0, 60), (None, 0.0, 60), (10, 0.5, 11.25)],
)
def test_the_interval_is_the_clusters_with_up_to_a_quarter_more(
    seconds: int | None, roll: float, expected: float
) -> None:
    """A fleet that was accepted in one minute must not beat in one second for ever."""
    assert beat_interval(cluster(seconds=seconds), roll=roll) == timedelta(seconds=expected)


def test_a_renewal_changes_the_time_and_nothing_else() -> None:
    """The hub finds leases by their label; a write that drops it ends the cluster's life."""
    after = renewed(LEASE, now=START)
    assert after["spec"].pop("renewTime") == "2026-01-01T00:00:00.000000Z"
    assert after["metadata"] == LEASE["metadata"]
    assert after["spec"] == {"holderIdentity": "managed-cluster-lease"}
    assert "renewTime" in LEASE["spec"]


class World:
    """A hub, a view of the cluster, and a running renewer."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = FakeServer(self.clock)
        self.view = ClusterView()
        self.suspicions = 0
        channel = SimpleNamespace(client=self.hub.client, suspect=self._suspect)
        self.told = asyncio.Event()
        self.renewer = LeaseRenewer(
            cast("HubChannel", channel), self.view, told=self.told, clock=self.clock
        )

    def _suspect(self) -> None:
        self.suspicions += 1

    def show(self, **what: Any) -> None:
        self.view.show(self.hub.put(MANAGED_CLUSTERS, cluster(**what)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with background(self.renewer.run(), name="renew"):
            await self.clock.settle()
            yield


@pytest.fixture
def world() -> World:
    world = World()
    world.hub.put(LEASES, LEASE)
    return world


async def test_it_beats_at_once_and_then_in_time_with_one_call_each(world: World) -> None:
    """The first beat follows acceptance; every later one is a single write."""
    world.show()
    async with world.running():
        assert world.renewer.renewals == 1
        await world.clock.advance(10 * MINUTE)
        assert 8 <= world.renewer.renewals <= 11
        assert world.hub.called("get") == 1
        assert world.hub.called("update") == world.renewer.renewals


async def test_it_does_not_beat_unaccepted_and_begins_again(world: World) -> None:
    """Denial ends the rights; acceptance brings them back, with no restart."""
    world.show(accepted=False)
    async with world.running():
        await world.clock.advance(10 * MINUTE)
        assert world.renewer.renewals == 0
        world.show()
        await world.clock.settle()
        assert world.renewer.renewals == 1
        world.show(accepted=False)
        await world.clock.advance(10 * MINUTE)
        assert world.renewer.renewals == 1
        world.view.show(None)
        world.show()
        await world.clock.settle()
        assert world.renewer.renewals == 2


async def test_changes_of_the_cluster_make_no_extra_beats(world: World) -> None:
    """Every status write comes back as a change; it must not cost a renewal."""
    world.show()
    async with world.running():
        for _ in range(20):
            world.show()
            await world.clock.advance(timedelta(seconds=1))
        assert world.renewer.renewals == 1


async def test_a_shorter_duration_counts_at_once(world: World) -> None:
    """The hub already measures by the new one."""
    world.show(seconds=3600)
    async with world.running():
        world.show(seconds=5)
        await world.clock.settle()
        assert world.renewer.renewals == 2


async def test_a_failed_beat_is_retried_before_the_next_is_due(world: World) -> None:
    """Waiting a whole interval would cost a fifth of the hub's patience for one lost packet."""
    world.show()
    async with world.running():
        world.hub.fail("update", Unreachable("lost"))
        world.hub.fail("get", Unreachable("lost"))
        await world.clock.advance(1.3 * MINUTE)
        assert world.renewer.renewals == 2


async def test_a_lease_the_hub_has_yet_to_make_is_waited_for_briefly(world: World) -> None:
    """The hub makes it after accepting; that is a matter of a second, not of a minute."""
    world.hub.remove(LEASES, "managed-cluster-lease", "c1")
    world.show()
    async with world.running():
        await world.clock.advance(timedelta(seconds=1))
        assert world.renewer.renewals == 0
        world.hub.put(LEASES, LEASE)
        await world.clock.advance(timedelta(seconds=5))
        assert world.renewer.renewals == 1


async def test_a_lease_somebody_else_wrote_is_read_again(world: World) -> None:
    """Two agents, or a restored backup: the beat goes on over the newest version."""
    world.show()
    async with world.running():
        world.hub.put(LEASES, LEASE)
        await world.clock.advance(1.3 * MINUTE)
        assert world.renewer.renewals == 2


async def test_a_refused_credential_is_suspected(world: World) -> None:
    """The channel then proves it again, and has another one earned if need be."""
    world.show()
    async with world.running():
        world.hub.fail("update", Unauthorized("401"))
        await world.clock.advance(1.3 * MINUTE)
        assert world.suspicions == 1


async def test_a_hub_that_can_be_reached_again_and_misses_the_lease_gets_it_at_once(
    world: World,
) -> None:
    """The pause after a failure may be two minutes, in which nothing is placed on the cluster."""
    world.show()
    async with world.running():
        world.told.clear()
        away = Unreachable("away")
        away.retry_after = timedelta(minutes=10)
        world.hub.fail("update", away)
        await world.clock.advance(2 * MINUTE)
        assert world.renewer.renewals == 1
        assert not world.told.is_set()
        world.show(missed=True)
        await world.clock.settle()
        assert world.renewer.renewals == 2
        assert world.told.is_set()


async def test_a_lease_that_was_renewed_is_not_renewed_again_because_the_hub_misses_it(
    world: World,
) -> None:
    """A hub whose clock is wrong says so after each renewal."""
    async with world.running():
        for _ in range(5):
            world.show()
            await world.clock.settle()
            world.show(missed=True)
            await world.clock.settle()
        assert world.renewer.renewals == 1
