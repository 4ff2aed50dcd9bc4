"""What the agent writes about its add-ons: everything, soon, and in few words."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NoReturn

import pytest_asyncio

from support.api_world import FakeServer
from support.clock import FakeClock
from support.tasks import background
from towline_agent.addons.cluster_addons import AddonOptions, Addons
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.clusters.view import ClusterView
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.station.addon_station import Station
from towline_agent.station.availability import SETTLING_TIME
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.metadata import ObjectKey
from towline_api.resources import LEASES, MANAGED_CLUSTER_ADDONS, KubeObject
from towline_api.timestamps import format_micro_time

ADDON = "helloworld"
WHERE = "addons"
MOMENT = timedelta(milliseconds=10)


class World:
    """A hub with one add-on of cluster c1, and that cluster, where the test plays the add-on."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.hub = FakeServer(self.clock)
        self.spoke = FakeServer(self.clock)
        self.station: Station | None = None
        self.addons = Addons(
            cluster="c1",
            channel=HubChannel(clock=self.clock),
            hub=self.hub.client,
            spoke=self.spoke.client,
            view=ClusterView(),
            options=AddonOptions(processes={ADDON: self}),
            codec=V1Alpha1Codec(),
            clock=self.clock,
        )

    @property
    def cleans_up(self) -> bool:
        """Leave nothing behind that would have to be cleaned up."""
        return False

    @property
    def applies_in(self) -> tuple[str, ...]:
        """Apply nothing anywhere."""
        return ()

    async def work(self, station: Station) -> NoReturn:
        """Stand in for the add-on's own code."""
        self.station = station
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def install(self) -> None:
        """Have the hub register the add-on."""
        metadata = {"name": ADDON, "namespace": "c1"}
        status = {"namespace": WHERE, "healthCheck": {"mode": "Lease"}}
        self.hub.put(MANAGED_CLUSTER_ADDONS, {"metadata": metadata, "spec": {}, "status": status})
        await self.clock.settle()

    def renew(self) -> None:
        """Renew the add-on's Lease."""
        spec = {"renewTime": format_micro_time(self.clock.now())}
        self.spoke.put(LEASES, {"metadata": {"name": ADDON, "namespace": WHERE}, "spec": spec})

    def report(self, outcome: ConfigurationOutcome) -> None:
        """Report from the add-on's code how its configuration stands."""
        assert self.station is not None
        self.station.report(outcome)

    @property
    def writes(self) -> int:
        """How often the agent has written to the hub."""
        return self.hub.called("patch")

    @property
    def conditions(self) -> dict[str, Any]:
        """The conditions of the add-on by their type."""
        addon: KubeObject = self.hub.stored(MANAGED_CLUSTER_ADDONS)[ObjectKey(ADDON, "c1")]
        return {item["type"]: item for item in addon["status"].get("conditions", [])}


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with background(world.addons.run(), name="serve-addons"):
        await world.install()
        yield world


async def test_what_comes_together_is_told_together(world: World) -> None:
    """Ten thousand add-ons that begin are ten thousand writes on the hub, not five times that."""
    await world.clock.advance(timedelta(seconds=1))
    world.report(ConfigurationOutcome(awaited=("a moment",)))
    await world.clock.advance(MOMENT)
    world.report(ConfigurationOutcome())
    await world.clock.advance(MOMENT)
    world.renew()
    await world.clock.advance(timedelta(seconds=1))
    assert world.conditions["Available"]["status"] == "True"
    assert world.conditions["Progressing"]["reason"] == "Completed"
    assert world.writes == 1


async def test_a_report_does_not_wait_for_the_last_word(world: World) -> None:
    """An add-on that changes all the time must not keep the hub from hearing of it."""
    for number in range(30):
        world.report(ConfigurationOutcome(awaited=(f"step {number}",)))
        await world.clock.advance(MOMENT)
    assert world.writes in {2, 3}
    await world.clock.advance(timedelta(seconds=1))
    assert "step 29" in world.conditions["Progressing"]["message"]


async def test_a_lease_that_never_comes_is_told_without_any_event(world: World) -> None:
    """Nothing happens on either side any more; the agent has to remember by itself."""
    await world.clock.advance(SETTLING_TIME - timedelta(seconds=1))
    assert not world.conditions
    await world.clock.advance(timedelta(seconds=2))
    assert world.conditions["Available"]["reason"] == "ManagedClusterAddOnLeaseNotFound"
    world.renew()
    await world.clock.advance(timedelta(seconds=1))
    assert world.conditions["Available"]["status"] == "True"
    assert world.writes == 2


async def test_an_add_on_at_rest_is_not_written_about(world: World) -> None:
    """A renewed Lease is no news."""
    world.renew()
    await world.clock.advance(timedelta(seconds=1))
    for _ in range(20):
        world.renew()
        await world.clock.advance(timedelta(minutes=1))
    assert world.writes == 1
