"""An add-on's configuration goes from the hub to the managed cluster and stays in force there."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from support.played_hub import PlayedHub, agent_for, obj, play_hub, until
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    SECRETS,
)
from towline_sandbox.plane import ControlPlane

ADDON = "helloworld"


@pytest_asyncio.fixture
async def played(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, cluster_name: str
) -> AsyncIterator[PlayedHub]:
    async with play_hub(hub_plane, spoke_plane, cluster_name) as played:
        await played.make_namespace(played.cluster)
        yield played


async def copied(played: PlayedHub, name: str, data: dict[str, str] | None) -> None:
    async def check() -> bool:
        return await played.data(name, played.cluster) == data

    await until(check, f"ConfigMap {name} holds {data}")


async def test_configuration_is_applied_changed_and_pruned(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """The whole of it: earned credential, copies, a change, a key that goes, a copy that goes."""
    await played.put("settings", {"colour": "blue", "size": "big"})
    await played.put("theirs", {"a": "b"}, labels={"open-cluster-management.io/addon-name": "x"})
    await played.install(ADDON, namespace=played.cluster)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[played.cluster]):
        await copied(played, "settings", {"colour": "blue", "size": "big"})
        copy = await played.spoke.get(CONFIG_MAPS, "settings", namespace=played.cluster)
        assert copy["metadata"]["labels"]["synced-from-hub"] == ""
        managers = {field["manager"] for field in copy["metadata"]["managedFields"]}
        assert managers == {"towline-agent"}
        await played.put("settings", {"colour": "red"})
        await copied(played, "settings", {"colour": "red"})
        await played.hub.delete(CONFIG_MAPS, "settings", namespace=played.cluster)
        await copied(played, "settings", None)
        assert await played.data("theirs", played.cluster) is None
        assert await played.data("kube-root-ca.crt", played.cluster) is not None


async def test_drift_on_the_managed_cluster_is_put_right(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """Edited, emptied or deleted: the copy comes back, and what others made stays theirs."""
    where = played.cluster
    await played.put("settings", {"colour": "blue"})
    await played.install(ADDON, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):
        await copied(played, "settings", {"colour": "blue"})
        for patch in ({"data": {"colour": "green"}}, {"data": {"colour": None}}):
            await played.spoke.patch(CONFIG_MAPS, "settings", patch, namespace=where)
            await copied(played, "settings", {"colour": "blue"})
        # Whoever copies a copy by hand copies its labels too.
        copy = await played.spoke.get(CONFIG_MAPS, "settings", namespace=where)
        by_hand = obj(CONFIG_MAPS, "by-hand", where, data={"x": "y"})
        for key in ("labels", "annotations"):
            by_hand["metadata"][key] = copy["metadata"][key]
        await played.spoke.create(CONFIG_MAPS, by_hand)
        await played.spoke.delete(CONFIG_MAPS, "settings", namespace=where)
        await copied(played, "settings", {"colour": "blue"})
        await played.hub.delete(CONFIG_MAPS, "settings", namespace=where)
        await copied(played, "settings", None)
        assert await played.data("by-hand", where) == {"x": "y"}


async def test_a_foreign_object_of_the_same_name_is_reported_and_left_alone(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """Nobody's ConfigMap is overwritten because the hub has one of that name."""
    where = played.cluster
    await played.spoke.create(CONFIG_MAPS, obj(CONFIG_MAPS, "settings", where, data={"a": "mine"}))
    await played.put("settings", {"a": "hub's"})
    await played.put("other", {"b": "1"})
    await played.install(ADDON, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):
        await copied(played, "other", {"b": "1"})
        failed = await until(lambda: _progressing(played, "Failed"), "the conflict is reported")
        assert f"configmaps {where}/settings" in failed["message"]
        assert "somebody else's object is there" in failed["message"]
        assert await played.data("settings", where) == {"a": "mine"}
        await played.hub.delete(CONFIG_MAPS, "settings", namespace=where)
        await until(lambda: _progressing(played, "Completed"), "the conflict is over")
        assert await played.data("settings", where) == {"a": "mine"}


async def test_variables_are_applied_when_the_hub_desires_them_and_reported(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """A roll-out in steps works: an edit waits for its turn, and its very hash is reported."""
    name = f"{ADDON}-deployment-config"
    await played.install(ADDON, namespace=played.cluster)
    config = await _deployment_config(played, LEVEL="debug")
    desired = await played.desire(ADDON, config)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[played.cluster]):
        await copied(played, name, {"LEVEL": "debug"})
        await until(lambda: _has_applied(played, desired), "the applied hash is reported")
        edited = await _deployment_config(played, LEVEL="info", EXTRA="1")
        waiting = await until(lambda: _progressing(played, "Progressing"), "it waits for its turn")
        assert "waiting until the hub desires that" in waiting["message"]
        assert await played.data(name, played.cluster) == {"LEVEL": "debug"}
        desired = await played.desire(ADDON, edited)
        await copied(played, name, {"LEVEL": "info", "EXTRA": "1"})
        await until(lambda: _has_applied(played, desired), "the second hash is reported")
        done = await until(lambda: _progressing(played, "Completed"), "all is in force")
        assert done["message"] == "completed with no errors."
        await played.set_status(ADDON, configReferences=[])
        await copied(played, name, None)


async def test_a_wrong_field_is_named_and_the_last_good_configuration_stays(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """The API lets names through that no ConfigMap can hold."""
    name = f"{ADDON}-deployment-config"
    await played.install(ADDON, namespace=played.cluster)
    good = await played.desire(ADDON, await _deployment_config(played, LEVEL="debug"))
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[played.cluster]):
        await until(lambda: _has_applied(played, good), "the good one is reported")
        bad = {"LEVEL": "x", "A" * 255: "x"}
        await played.desire(ADDON, await _deployment_config(played, **bad))
        failed = await until(lambda: _progressing(played, "Failed"), "the problem is reported")
        assert "spec.customizedVariables[1].name has 255 characters" in failed["message"]
        assert f"{played.cluster}/global" in failed["message"]
        assert await played.data(name, played.cluster) == {"LEVEL": "debug"}
        assert await _has_applied(played, good)


async def test_a_missing_namespace_is_made_where_that_is_permitted(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """With rights everywhere, credential and configuration wait for nobody's hands."""
    where = f"{played.cluster}-new"
    await played.put("settings", {"a": "b"})
    await played.install(ADDON, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[], everywhere=True):

        async def check() -> bool:
            return await played.data("settings", where) == {"a": "b"}

        await until(check, "the copy is in the new namespace")


async def test_two_add_ons_in_one_namespace_share_a_copy(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """An unlabelled ConfigMap is for both; when one add-on goes the other still has it."""
    where = played.cluster
    await played.put("settings", {"a": "1"})
    for addon in (ADDON, "second"):
        await played.install(addon, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):
        await until(lambda: _progressing(played, "Completed"), f"{ADDON} has all")
        await until(lambda: _progressing(played, "Completed", "second"), "the second has all")
        copy = await played.spoke.get(CONFIG_MAPS, "settings", namespace=where)
        owner = copy["metadata"]["labels"]["open-cluster-management.io/addon-name"]
        await played.put("settings", {"a": "2"})
        await copied(played, "settings", {"a": "2"})
        await played.hub.delete(MANAGED_CLUSTER_ADDONS, owner, namespace=where)

        async def has_gone() -> bool:
            return await played.find(SECRETS, f"{owner}-hub-kubeconfig", where) is None

        await until(has_gone, f"{owner} is removed")
        await copied(played, "settings", {"a": "2"})


async def test_at_rest_nothing_is_written(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """A second agent that finds everything in place sends no write but the lease's."""
    await played.put("settings", {"a": "1"})
    await played.install(ADDON, namespace=played.cluster)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[played.cluster]):
        await until(lambda: _progressing(played, "Completed"), "all is in force")
        await until(lambda: _condition(played, "Available", "True"), "the add-on is available")
    before = await played.spoke.get(CONFIG_MAPS, "settings", namespace=played.cluster)
    addon = await played.addon(ADDON)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[played.cluster]) as addons:
        await played.put("second", {"b": "2"})
        await copied(played, "second", {"b": "2"})
        await played.hub.delete(CONFIG_MAPS, "second", namespace=played.cluster)
        await copied(played, "second", None)
        assert addons.runners[ADDON].outcome is not None
    after = await played.spoke.get(CONFIG_MAPS, "settings", namespace=played.cluster)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert await played.addon(ADDON) == addon
    assert len(await played.requests()) == 1, "the stored credential was used again"


async def _deployment_config(played: PlayedHub, **variables: str) -> dict[str, Any]:
    spec = {"customizedVariables": [{"name": k, "value": v} for k, v in variables.items()]}
    body = obj(ADDON_DEPLOYMENT_CONFIGS, "global", played.cluster, spec=spec)
    return await played.hub.apply(ADDON_DEPLOYMENT_CONFIGS, body)


async def _progressing(played: PlayedHub, reason: str, addon: str = ADDON) -> dict[str, Any]:
    found = await played.condition(addon, "Progressing")
    return dict(found) if found.get("reason") == reason else {}


async def _condition(played: PlayedHub, kind: str, status: str) -> dict[str, Any]:
    found = await played.condition(ADDON, kind)
    return dict(found) if found.get("status") == status else {}


async def _has_applied(played: PlayedHub, desired: str) -> bool:
    (reference,) = (await played.addon(ADDON))["status"]["configReferences"]
    return bool(reference.get("lastAppliedConfig", {}).get("specHash") == desired)
