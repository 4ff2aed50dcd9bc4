"""An add-on's Lease is looked for where its agent runs, and on the hub where no Lease can be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from support.api_world import FakeServer
from support.clock import FakeClock
from support.tasks import background
from towline_agent.addons.cluster_addons import AddonOptions, Addons
from towline_agent.addons.home import Side, side_of
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.clusters.view import ClusterView
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addons import ManagedClusterAddon
from towline_api.metadata import ObjectKey
from towline_api.resources import LEASES, MANAGED_CLUSTER_ADDONS, KubeObject, Resource
from towline_api.timestamps import format_micro_time
from towline_kube.errors import Forbidden, NotServed

ADDON = "helloworld"
WHERE = "addons"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("hosted_on", "is_hosted", "side"),
    [
        pytest.param(None, False, Side.MANAGED, id="default"),
        pytest.param(None, True, Side.MANAGED, id="not-every-add-on-of-a-hosted-agent-is-hosted"),
        pytest.param("c9", True, Side.HOSTING, id="hosted"),
        pytest.param("c1", True, Side.HOSTING, id="whatever-the-name-is-as-in-ocm"),
        pytest.param("c9", False, None, id="hosted-by-an-agent-elsewhere"),
        pytest.param("c1", False, Side.MANAGED, id="hosted-on-itself"),
    ],
)
def test_where_an_add_on_s_agent_runs(
    hosted_on: str | None, is_hosted: bool, side: Side | None
) -> None:
    """Its credential goes there, and nowhere else."""
    addon = ManagedClusterAddon(ADDON, "c1", hosting_cluster=hosted_on)
    assert side_of(addon, is_hosted=is_hosted) is side


class Server(FakeServer):
    """An API server that refuses Leases for as long as the test says so."""

    refusal: Exception | None = None

    def _call(self, verb: str, resource: Resource) -> None:
        super()._call(verb, resource)
        if resource == LEASES and self.refusal is not None:
            raise self.refusal


class World:
    """A hub with one add-on of cluster c1, that cluster, and one that may host its agent."""

    def __init__(self, *, is_hosted: bool) -> None:
        self.clock = FakeClock()
        self.hub, self.spoke, self.hosting = (Server(self.clock) for _ in range(3))
        self.addons = Addons(
            cluster="c1",
            channel=HubChannel(clock=self.clock),
            hub=self.hub.client,
            spoke=self.spoke.client,
            hosting=self.hosting.client if is_hosted else None,
            view=ClusterView(),
            options=AddonOptions(elsewhere=frozenset({ADDON})),
            codec=V1Alpha1Codec(),
            clock=self.clock,
        )

    async def install(self, *, hosted_on: str | None, mode: str = "Lease") -> None:
        """Have the hub register the add-on."""
        metadata: dict[str, Any] = {"name": ADDON, "namespace": "c1"}
        if hosted_on is not None:
            key = "addon.open-cluster-management.io/hosting-cluster-name"
            metadata["annotations"] = {key: hosted_on}
        status = {"namespace": WHERE, "healthCheck": {"mode": mode}}
        self.hub.put(MANAGED_CLUSTER_ADDONS, {"metadata": metadata, "spec": {}, "status": status})
        await self.clock.settle()

    def renew(self, server: Server, *, namespace: str = WHERE) -> None:
        """Renew the add-on's Lease."""
        spec = {"renewTime": format_micro_time(self.clock.now())}
        server.put(LEASES, {"metadata": {"name": ADDON, "namespace": namespace}, "spec": spec})

    @property
    def available(self) -> dict[str, Any]:
        """What the hub says about the add-on."""
        addon: KubeObject = self.hub.stored(MANAGED_CLUSTER_ADDONS)[ObjectKey(ADDON, "c1")]
        conditions = addon["status"].get("conditions", [])
        return next((item for item in conditions if item["type"] == "Available"), {})

    @asynccontextmanager
    async def running(
        self, *, hosted_on: str | None = None, mode: str = "Lease"
    ) -> AsyncIterator[None]:
        """Run the agent's add-on half."""
        async with background(self.addons.run(), name="serve-addons"):
            await self.install(hosted_on=hosted_on, mode=mode)
            yield


async def test_without_a_lease_api_the_lease_on_the_hub_counts() -> None:
    """It is fresh, stale and absent there as on the managed cluster, and named with its place."""
    world = World(is_hosted=False)
    world.spoke.refusal = NotServed("no leases")
    async with world.running():
        await world.clock.advance(timedelta(seconds=40))
        assert world.available["reason"] == "ManagedClusterAddOnLeaseNotFound"
        assert (
            "Lease helloworld in namespace c1 of the hub (the managed cluster serves no Leases)"
        ) in world.available["message"]
        world.renew(world.hub, namespace="c1")
        await world.clock.advance(SECOND)
        assert world.available["reason"] == "ManagedClusterAddOnLeaseUpdated"
        await world.clock.advance(timedelta(minutes=6))
        assert world.available["status"] == "False"
        assert world.available["reason"] == "ManagedClusterAddOnLeaseUpdateStopped"


async def test_a_cluster_that_learns_to_serve_leases_is_looked_at_again() -> None:
    """From then on the hub's copy is nobody's business, and nobody watches it."""
    world = World(is_hosted=False)
    world.spoke.refusal = NotServed("no leases")
    async with world.running():
        world.renew(world.hub, namespace="c1")
        await world.clock.advance(timedelta(seconds=40))
        assert world.available["status"] == "True"
        watches = world.hub.open_watches
        world.spoke.refusal = None
        await world.clock.advance(timedelta(minutes=4))
        assert world.available["reason"] == "ManagedClusterAddOnLeaseNotFound"
        assert "of the managed cluster" in world.available["message"]
        assert world.hub.open_watches == watches - 1


async def test_leases_that_may_not_be_seen_say_nothing() -> None:
    """A missing right is not a missing Lease, and no reason to look at the hub."""
    world = World(is_hosted=False)
    world.spoke.refusal = Forbidden("no")
    world.renew(world.hub, namespace="c1")
    async with world.running():
        await world.clock.advance(timedelta(minutes=2))
        assert world.available == {}
        assert ("list", "leases.coordination.k8s.io") not in world.hub.calls


async def test_a_hosted_add_on_s_lease_is_on_the_hosting_cluster() -> None:
    """The condition names the cluster, as there are two to look at."""
    world = World(is_hosted=True)
    async with world.running(hosted_on="c9"):
        world.renew(world.spoke)
        await world.clock.advance(timedelta(seconds=40))
        assert world.available["status"] == "Unknown"
        assert "of the hosting cluster (c9);" in world.available["message"]
        world.renew(world.hosting)
        await world.clock.advance(SECOND)
        assert world.available["status"] == "True"


@pytest.mark.parametrize("mode", ["Lease", "Customized"])
async def test_an_add_on_hosted_elsewhere_is_left_alone_and_that_is_told(mode: str) -> None:
    """Who waits for it finds the reason on the object; no credential goes where nobody uses it."""
    world = World(is_hosted=False)
    async with world.running(hosted_on="c9", mode=mode):
        await world.clock.advance(timedelta(minutes=1))
        assert not world.addons.runners
        assert world.available.get("status") == ("Unknown" if mode == "Lease" else None)
        if mode == "Lease":
            assert "hosting cluster c9" in world.available["message"]
        assert world.hub.called("patch") == (mode == "Lease")
