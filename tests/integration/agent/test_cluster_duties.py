"""What a cluster's agent does for its cluster beside earning credentials."""

from pathlib import Path
from typing import Any

import pytest

from support.joining import JoinHub, agent_settings, running_agent
from support.played_hub import grant_everywhere, until
from towline_agent.clusters.managed_namespaces import hub_label
from towline_agent.permissions import managed_namespace_rules
from towline_api.resources import EVENTS, MANAGED_CLUSTERS, NAMESPACES
from towline_kube.errors import Conflict
from towline_sandbox.plane import ControlPlane


async def list_namespaces(hub: JoinHub, *names: str) -> None:
    """Have the hub want namespaces on the cluster, whoever else writes meanwhile."""
    while True:
        cluster = await hub.managed_cluster()
        assert cluster is not None
        wanted = [{"name": name, "clusterSet": "fleet"} for name in names]
        try:
            await hub.hub.patch_status(
                MANAGED_CLUSTERS, cluster, {**cluster["status"], "managedNamespaces": wanted}
            )
        except Conflict:
            continue
        return


async def told(hub: JoinHub) -> dict[str, tuple[str, str]]:
    """Return status and message of each managed namespace's condition."""
    cluster = await hub.managed_cluster()
    assert cluster is not None
    return {
        entry["name"]: (condition["status"], condition["message"])
        for entry in cluster["status"].get("managedNamespaces", [])
        for condition in entry.get("conditions", [])
        if condition["type"] == "NamespaceAvailable"
    }


async def label(hub: JoinHub, name: str, key: str) -> str | None:
    found = await hub.spoke.find(NAMESPACES, name)
    return None if found is None else found["metadata"].get("labels", {}).get(key)


async def test_a_cluster_that_is_heard_of_again_says_so_once(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Whoever was woken by the hub's Event about the silence finds the end of it there, too."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)

    async def events() -> list[Any]:
        listed = await hub.hub.list(EVENTS, namespace=hub.cluster)
        return [item for item in listed.items if item["reportingController"] == "klusterlet-agent"]

    async with running_agent(settings) as agent:
        await hub.until_condition("ManagedClusterConditionAvailable")
        assert await events() == []
        await hub.set_condition("ManagedClusterConditionAvailable", "Unknown")
        (event,) = await until(events, "it is told")
        assert event["reason"] == "Available"
        assert event["regarding"]["name"] == hub.cluster
        assert event["reportingInstance"] == agent.session.identity.agent
        looks = agent.spoke_calls["list", NAMESPACES.plural]
        assert looks == 1, "nothing is looked for twice where cluster sets want nothing"


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_namespaces_of_cluster_sets_are_made_and_marked(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    is_allowed: bool,
) -> None:
    """With the right to; without it the hub is told which right is missing."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    user = f"agent-of-{hub.cluster}"
    if is_allowed:
        rules = managed_namespace_rules()
        await grant_everywhere(hub.spoke, f"mark-{user}", rules, subject=("User", user))
    one, two = f"{hub.cluster}-one", f"{hub.cluster}-two"
    async with running_agent(settings) as agent:
        key = hub_label(agent.session.hub.server)
        await hub.until_condition("ManagedClusterConditionAvailable")
        await list_namespaces(hub, one, two)
        if not is_allowed:

            async def refused() -> bool:
                found = await told(hub)
                return set(found) == {one, two} and all(
                    status == "False" and "not allowed" in message
                    for status, message in found.values()
                )

            await until(refused, "the missing right is told")
            assert await hub.spoke.find(NAMESPACES, one) is None
            return

        async def made() -> bool:
            found = await told(hub)
            return [status for status, _ in found.values()] == ["True", "True"]

        await until(made, "both are told to be there")
        assert [await label(hub, name, key) for name in (one, two)] == ["true", "true"]
        patch = {"metadata": {"labels": {key: None}}}
        await hub.spoke.patch(NAMESPACES, one, patch)

        async def marked() -> bool:
            return await label(hub, one, key) == "true"

        await until(marked, "what others take away is put back")
        await list_namespaces(hub, one)

        async def let_go() -> bool:
            return await label(hub, two, key) == "false"

        await until(let_go, "one is let go, and stays")
    await list_namespaces(hub)
    async with running_agent(settings):

        async def all_let_go() -> bool:
            return await label(hub, one, key) == "false"

        await until(all_let_go, "also one that the hub forgot while no agent ran")
