"""Reporting the cluster's status while the hub says something else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.api_world import FakeServer
from support.clock import FakeClock
from support.tasks import background
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.clusters.lease import LeaseRenewer
from towline_agent.clusters.namespace_keeper import NamespaceKeeper
from towline_agent.clusters.reporter import ClusterReporter
from towline_agent.clusters.spoke_observer import SpokeObserver
from towline_agent.clusters.status import ClaimLimits, Healthy, SpokeFacts
from towline_agent.clusters.view import ClusterView
from towline_agent.credentials.keeper import CredentialKeeper
from towline_agent.credentials.status import CredentialState, CredentialStatus
from towline_api.condition_types import (
    CLUSTER_AVAILABLE,
    HUB_ACCEPTED,
    REASON_CLUSTER_LEASE_STOPPED,
)
from towline_api.conditions import find_condition, with_condition
from towline_api.resources import EVENTS, MANAGED_CLUSTERS, KubeObject


class World:
    """A hub that shows the cluster, and a reporter whose lease the test renews."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = FakeServer(self.clock)
        self.view = ClusterView()
        self.changed = self.view.subscribe()
        self.lease = SimpleNamespace(renewals=0)
        keeper = SimpleNamespace(
            status=CredentialStatus(
                state=CredentialState.HOLDING, reason="", message="", since=self.clock.now()
            ),
            request_facts={},
        )
        self.reporter = ClusterReporter(
            cast("HubChannel", SimpleNamespace(client=self.hub.client)),
            self.view,
            cast("SpokeObserver", SimpleNamespace(facts=SpokeFacts(health=Healthy()))),
            cast("NamespaceKeeper", SimpleNamespace(outcomes={})),
            cast("CredentialKeeper", keeper),
            cast("LeaseRenewer", self.lease),
            limits=ClaimLimits(),
            changed=self.changed,
            instance="agent1",
            clock=self.clock,
        )

    @property
    def cluster(self) -> KubeObject:
        return next(iter(self.hub.stored(MANAGED_CLUSTERS).values()))

    @property
    def available(self) -> str:
        found = find_condition(self.cluster, CLUSTER_AVAILABLE)
        assert found is not None
        return str(found.status)

    def hub_says(self, kind: str, status: str, *, reason: str = "Test") -> None:
        """Write a condition as the hub does, and have the agent's watch show it."""
        stored = self.hub.stored(MANAGED_CLUSTERS)
        before: dict[str, Any] = self.cluster if stored else {"metadata": {"name": "c1"}}
        conditions = with_condition(
            (before.get("status") or {}).get("conditions") or [],
            type=kind,
            status=cast("Any", status),
            reason=reason,
            message="",
            now=self.clock.now(),
        )
        status_with = {**(before.get("status") or {}), "conditions": conditions}
        self.view.show(self.hub.put(MANAGED_CLUSTERS, {**before, "status": status_with}))

    def miss(self) -> None:
        """Say that the lease is not renewed."""
        self.hub_says(CLUSTER_AVAILABLE, "Unknown", reason=REASON_CLUSTER_LEASE_STOPPED)

    async def renew(self) -> None:
        self.lease.renewals += 1
        self.changed.set()
        await self.clock.settle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with background(self.reporter.run(), name="report"):
            await self.clock.settle()
            yield


@pytest.fixture
def world() -> World:
    world = World()
    world.hub_says(HUB_ACCEPTED, "True")
    return world


async def test_a_cluster_whose_lease_is_missed_is_available_again_only_after_a_renewal(
    world: World,
) -> None:
    """Said before, the hub answers that it is not, the agent that it is, and so for ever."""
    async with world.running():
        assert world.available == "True"
        world.miss()
        await world.clock.settle()
        assert world.available == "Unknown"
        await world.renew()
        assert world.available == "True"
        assert [event["reason"] for event in world.hub.stored(EVENTS).values()] == ["Available"]


async def test_one_renewal_overrules_the_hub_once(world: World) -> None:
    """One that has a wrong clock says so every time; that makes one write a beat, not a storm."""
    async with world.running():
        for _ in range(3):
            world.miss()
            await world.clock.settle()
            assert world.available == "Unknown"
            await world.renew()
            assert world.available == "True"
            world.miss()
            await world.clock.settle()
            assert world.available == "Unknown", "there was no renewal since"
            await world.renew()


async def test_what_else_has_changed_is_reported_all_the_same(world: World) -> None:
    """Only whether the cluster is there is for the hub to say until it has had a renewal."""
    async with world.running():
        world.miss()
        world.reporter._spoke.facts = SpokeFacts(health=Healthy(), version="v1.37.0")  # type: ignore[misc]
        world.changed.set()
        await world.clock.settle()
        assert world.cluster["status"]["version"] == {"kubernetes": "v1.37.0"}
        assert world.available == "Unknown"
