"""An agent in hosted mode: it runs on one cluster, for another one, at a hub."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
import yaml

from support.joining import JoinHub, RunningAgent, ensure, join_hub, obj, running_agent
from support.plane_clients import admin_client
from support.played_hub import PlayedHub, until
from towline_agent import AddonAgent, AddonSettings, AgentSettings, Spoke, SpokeScope, local_copy
from towline_agent.permissions import hosted_agent_permissions
from towline_api.names import (
    CLUSTER_NAME_LABEL,
    HOSTING_CLUSTER_ANNOTATION,
    HUB_KUBECONFIG_SECRET,
)
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    NODES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_certs.credentials import from_secret_data
from towline_kube.client import Client
from towline_sandbox.plane import ControlPlane

HOSTED, LOCAL = "hosted-one", "local-one"
_KINDS: dict[str, Resource] = {
    kind.kind: kind for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}


@dataclass
class Hosting:
    """A hub, a managed cluster, and the cluster that the managed one's agent runs on."""

    hub: JoinHub
    played: PlayedHub
    hosting: Client
    hosting_plane: ControlPlane
    managed_plane: ControlPlane
    settings: AgentSettings

    @property
    def managed(self) -> Client:
        """The managed cluster as its administrator."""
        return self.hub.spoke

    @property
    def where(self) -> str:
        """The install namespace of the add-ons, on both clusters."""
        return self.hub.cluster

    async def install(self, addon: str, *, hosted_on: str | None) -> None:
        """Install an add-on that runs on the managed cluster, or is hosted."""
        await self.played.install(addon, namespace=self.where)
        await self.host(addon, on=hosted_on)

    async def host(self, addon: str, *, on: str | None) -> None:
        """Have an add-on hosted on a cluster, or not hosted any more."""
        patch = {"metadata": {"annotations": {HOSTING_CLUSTER_ANNOTATION: on}}}
        await self.played.hub.patch(
            MANAGED_CLUSTER_ADDONS, addon, patch, namespace=self.played.cluster
        )

    async def belongings(self, client: Client, addon: str) -> set[str]:
        """Return what a cluster holds for an add-on."""
        found = {
            "secret": await client.find(SECRETS, f"{addon}-hub-kubeconfig", namespace=self.where),
            "lease": await client.find(LEASES, addon, namespace=self.where),
        }
        return {name for name, thing in found.items() if thing is not None}

    async def available(self, addon: str) -> bool:
        """Return whether the hub says that an add-on is available."""
        return (await self.played.condition(addon, "Available")).get("status") == "True"


@pytest_asyncio.fixture
async def world(
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    make_plane: Callable[..., Any],
    cluster_name: str,
    tmp_path: Path,
) -> AsyncIterator[Hosting]:
    """Give three clusters; the agent has exactly the rights it says it needs on two of them."""
    hosting_plane = await make_plane("hosting")
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(
            join_hub(hub_plane, spoke_plane, cluster=cluster_name)
        )
        hosting = await stack.enter_async_context(admin_client(hosting_plane))
        for client, names in ((hosting, [hub.namespace, hub.cluster]), (hub.spoke, [hub.cluster])):
            for name in names:
                await ensure(client, NAMESPACES, obj(NAMESPACES, name))
        await hub.spoke.delete(NAMESPACES, hub.namespace)
        user = f"agent-of-{hub.cluster}"
        permissions = hosted_agent_permissions(
            hosting_subject=user_subject(user),
            managed_subject=user_subject(user),
            namespace=hub.namespace,
            addon_namespaces=[hub.cluster],
            hosting_addon_namespaces=[hub.cluster],
        )
        for client, things in ((hosting, permissions.hosting), (hub.spoke, permissions.managed)):
            for thing in things:
                # Tests share the managed cluster, so names have to differ.
                thing["metadata"]["name"] += f":{user}"
                if "roleRef" in thing:
                    thing["roleRef"]["name"] += f":{user}"
                await client.apply(_KINDS[thing["kind"]], thing)
        for name, text in (
            ("bootstrap", await hub_plane.bootstrap_kubeconfig()),
            ("managed", await spoke_plane.kubeconfig_for(user)),
            ("hosting", await hosting_plane.kubeconfig_for(user)),
        ):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "kubeconfig").write_text(text)
        settings = AgentSettings(
            bootstrap_kubeconfig=tmp_path / "bootstrap" / "kubeconfig",
            spoke_kubeconfig=tmp_path / "managed" / "kubeconfig",
            hosting_kubeconfig=tmp_path / "hosting" / "kubeconfig",
            cluster_name=hub.cluster,
            namespace=hub.namespace,
            addon_namespaces=(hub.cluster,),
            hosting_addon_namespaces=(hub.cluster,),
            addons_elsewhere=("embedded-one",),
        )
        played = PlayedHub(hub.hub, hub.spoke, hub.cluster)
        await played.prepare()
        yield Hosting(hub, played, hosting, hosting_plane, spoke_plane, settings)


async def test_what_belongs_to_the_agent_is_where_it_runs(world: Hosting, tmp_path: Path) -> None:
    """The managed cluster is what is reported; no credential for the hub is ever put there."""
    node = obj(NODES, f"node-{world.where}")
    await world.managed.create(NODES, node)
    stored = await world.managed.get(NODES, node["metadata"]["name"])
    await world.managed.patch_status(NODES, stored, {"capacity": {"example.com/ships": "3"}})
    async with running_agent(world.settings) as agent:
        await world.hub.joined()
        await world.hub.until_condition("ManagedClusterConditionAvailable")
        name = HUB_KUBECONFIG_SECRET
        assert await world.hosting.find(SECRETS, name, namespace=world.hub.namespace)
        assert await world.managed.find(SECRETS, name, namespace=world.hub.namespace) is None

        async def reported() -> bool:
            cluster = await world.hub.managed_cluster() or {}
            return "example.com/ships" in cluster.get("status", {}).get("capacity", {})

        await until(reported, "the managed cluster's nodes are reported")
        await _kubeconfig_is_taken_over_live(world, agent, tmp_path)


async def _kubeconfig_is_taken_over_live(
    world: Hosting, agent: RunningAgent, tmp_path: Path
) -> None:
    """Whoever renews the managed cluster's kubeconfig restarts nobody."""
    fresh = await world.managed_plane.kubeconfig_for(f"agent-of-{world.where}")
    (tmp_path / "managed" / "kubeconfig").write_text("half written")
    used = agent.session.spoke.connection
    (tmp_path / "managed" / "fresh").write_text(fresh)
    (tmp_path / "managed" / "fresh").rename(tmp_path / "managed" / "kubeconfig")

    async def swapped() -> bool:
        now = agent.session.spoke.connection
        return (now.client_certificate_pem, now.token) != (
            used.client_certificate_pem,
            used.token,
        )

    await until(swapped, "the new kubeconfig is in use")
    assert await agent.session.spoke.server_version()


async def test_add_ons_have_their_belongings_where_their_agents_run(world: Hosting) -> None:
    """As in OCM: the annotation decides, whatever it names; and a move leaves nothing behind."""
    await world.install(HOSTED, hosted_on="whatever")
    await world.install(LOCAL, hosted_on=None)
    both = {"secret", "lease"}
    async with running_agent(world.settings):
        await world.hub.joined()

        async def in_place() -> bool:
            return (
                await world.belongings(world.hosting, HOSTED) == both
                and await world.belongings(world.managed, LOCAL) == both
                and await world.available(HOSTED)
                and await world.available(LOCAL)
            )

        await until(in_place, "both add-ons have what they need, and are available")
        assert await world.belongings(world.managed, HOSTED) == set()
        assert await world.belongings(world.hosting, LOCAL) == set()

        await world.host(HOSTED, on=None)

        async def moved() -> bool:
            return (
                await world.belongings(world.managed, HOSTED) == both
                and await world.belongings(world.hosting, HOSTED) == set()
            )

        await until(moved, "the add-on has moved to the managed cluster")
        await world.host(HOSTED, on="whatever")

        async def moved_back() -> bool:
            return (
                await world.belongings(world.hosting, HOSTED) == both
                and await world.belongings(world.managed, HOSTED) == set()
            )

        await until(moved_back, "and back")
    await world.played.hub.delete(MANAGED_CLUSTER_ADDONS, HOSTED, namespace=world.where)
    async with running_agent(world.settings):

        async def gone() -> bool:
            return await world.belongings(world.hosting, HOSTED) == set()

        await until(gone, "nothing is left of one that went while no agent ran")
        assert await world.belongings(world.managed, LOCAL) == both


async def test_a_managed_cluster_that_is_away_costs_nobody_else_anything(world: Hosting) -> None:
    """Its agent stays at the hub, and add-ons that do not need the cluster get what they need."""
    kubeconfig = world.settings.spoke_kubeconfig
    assert kubeconfig is not None
    reached = yaml.safe_load(kubeconfig.read_text())
    good = kubeconfig.read_text()
    reached["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    kubeconfig.write_text(yaml.safe_dump(reached))
    await world.install(HOSTED, hosted_on="whatever")
    await world.install(LOCAL, hosted_on=None)
    async with running_agent(world.settings):
        await world.hub.joined()
        await until(lambda: world.available(HOSTED), "the hosted add-on is available")
        await until(world.hub.lease_time, "the cluster's lease is renewed")
        assert not await world.hub.has_condition("ManagedClusterConditionAvailable")
        kubeconfig.with_name("good").write_text(good)
        kubeconfig.with_name("good").replace(kubeconfig)
        await world.hub.until_condition("ManagedClusterConditionAvailable")
        await until(lambda: world.available(LOCAL), "the other one follows as soon as it can")


async def test_clusters_that_share_an_install_namespace_do_not_overwrite_each_other(
    world: Hosting,
) -> None:
    """The second one is refused, once and with a reason, instead of both fighting for ever."""
    theirs = obj(SECRETS, f"{HOSTED}-hub-kubeconfig", world.where, data={"cluster-name": "YzI="})
    theirs["metadata"]["labels"] = {CLUSTER_NAME_LABEL: "c2"}
    await world.hosting.create(SECRETS, theirs)
    await world.install(HOSTED, hosted_on="whatever")
    async with running_agent(world.settings):

        async def told() -> bool:
            condition = await world.played.condition(HOSTED, "ClusterCertificateRotated")
            return (
                condition.get("status") == "False"
                and "holds the credential of cluster c2" in condition["message"]
            )

        await until(told, "it is told")
        assert not [
            request
            for request in await world.played.requests()
            if request["metadata"]["name"].startswith("addon-")
        ]
        found = await world.hosting.get(SECRETS, theirs["metadata"]["name"], namespace=world.where)
        assert found["data"] == theirs["data"]


async def test_embedded_code_works_on_the_managed_cluster_and_lives_on_the_hosting_one(
    world: Hosting, tmp_path: Path
) -> None:
    """Its Lease is where it runs; what it applies is where it is meant to have an effect."""
    addon = "embedded-one"
    await world.install(addon, hosted_on="whatever")
    await world.played.put("settings", {"a": "1"})
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    agent = AddonAgent(
        addon,
        settings=AddonSettings(
            hub_kubeconfig=mounted / "kubeconfig",
            spoke_kubeconfig=world.settings.spoke_kubeconfig,
            hosting_kubeconfig=world.settings.hosting_kubeconfig,
        ),
    )
    seen: list[Spoke] = []

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        await spoke.apply(local_copy(config))

    @agent.health
    async def healthy(spoke: Spoke) -> bool:
        seen.append(spoke)
        return True

    async with running_agent(world.settings):
        secret = await until(
            lambda: world.hosting.find(SECRETS, f"{addon}-hub-kubeconfig", namespace=world.where),
            "its credential is on the hosting cluster",
        )
        assert secret is not None
        for name, content in from_secret_data(secret["data"]).items():
            (mounted / name).write_bytes(content)
        async with agent:
            await until(lambda: world.available(addon), "the hub knows that it is alive")

            async def applied() -> bool:
                return await world.played.data("settings", world.where) == {"a": "1"}

            await until(applied, "its configuration is on the managed cluster")
    assert await world.belongings(world.managed, addon) == set()
    assert await world.hosting.find(CONFIG_MAPS, "settings", namespace=world.where) is None
    assert seen[0].home is not seen[0].client
