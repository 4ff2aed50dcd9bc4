"""What an add-on's code applies beside its install namespace stays there through restarts."""

from pathlib import Path

from support.joining import JoinHub, agent_settings
from support.played_hub import PlayedHub, obj, until
from towline_agent import AddonAgent, AddonSettings, SpokeScope, local_copy
from towline_agent.applying.ownership import Owner
from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_sandbox.plane import ControlPlane

ADDON = "helloworld"


async def test_a_start_takes_nothing_away_that_is_to_be_there(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """A namespace that the code has announced is no former install namespace."""
    where = hub.cluster
    # Looked through in this order, so that the marker is what goes last.
    announced, former = f"a-{where}", f"z-{where}"
    played = PlayedHub(hub.hub, hub.spoke, where)
    await played.prepare()
    for name in (where, announced, former):
        await played.make_namespace(name)
    await played.install(ADDON, namespace=where)
    await played.put("settings", {"a": "1"})
    given = await agent_settings(
        hub, hub_plane, spoke_plane, folder=tmp_path, addon_namespaces=[where, announced, former]
    )

    def program() -> AddonAgent:
        agent = AddonAgent(ADDON, settings=AddonSettings(**given.model_dump()))

        @agent.configuration(
            "configmaps", namespace=agent.cluster_namespace, applies_in=[announced]
        )
        async def apply(config: KubeObject, spoke: SpokeScope) -> None:
            copy = local_copy(config)
            copy["metadata"]["namespace"] = announced
            await spoke.apply(copy)

        return agent

    async def applied() -> str:
        found = await hub.spoke.find(CONFIG_MAPS, "settings", namespace=announced)
        return "" if found is None else str(found["metadata"]["uid"])

    async with program():
        await until(applied, "it is applied")
    before = await applied()
    marker = Owner(where, ADDON).mark(obj(CONFIG_MAPS, "marker", former, data={}))
    await hub.spoke.create(CONFIG_MAPS, marker)
    async with program():

        async def looked_through() -> bool:
            return await hub.spoke.find(CONFIG_MAPS, "marker", namespace=former) is None

        await until(looked_through, "what is left in a former namespace is removed")
        assert await applied() == before
