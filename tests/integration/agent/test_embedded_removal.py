"""An add-on's own code in its cluster's agent: removed while it runs, and while it does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest_asyncio

from support.played_hub import PlayedHub, agent_for, play_hub, until
from towline_agent import AddonAgent, AddonSettings, HubChannel, Removal, SpokeScope, local_copy
from towline_agent.addons.cluster_addons import AddonOptions
from towline_api.resources import MANAGED_CLUSTER_ADDONS, SECRETS, KubeObject
from towline_sandbox.plane import ControlPlane

ADDON = "helloworld"
SECRET = f"{ADDON}-hub-kubeconfig"
HOLD = "example.com/hold"


@pytest_asyncio.fixture
async def played(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, cluster_name: str
) -> AsyncIterator[PlayedHub]:
    """A hub with the add-on installed, and something to configure it with."""
    async with play_hub(hub_plane, spoke_plane, cluster_name) as played:
        await played.make_namespace(played.cluster)
        await played.install(ADDON, namespace=played.cluster)
        await played.put("settings", {"a": "1"})
        yield played


class Program:
    """An add-on's code, and what was asked of it."""

    def __init__(self, played: PlayedHub, *, failures: int = 0, broken: bool = False) -> None:
        self.removals: list[Removal] = []
        self.may_succeed = asyncio.Event()
        if not failures:
            self.may_succeed.set()
        settings = AddonSettings(addon_namespace=played.cluster)
        agent = self.agent = AddonAgent(ADDON, settings=settings)

        @agent.configuration("configmaps", namespace=agent.cluster_namespace)
        async def copy(config: KubeObject, spoke: SpokeScope) -> None:
            await spoke.apply(local_copy(config))

        @agent.task
        async def main(hub: HubChannel) -> None:
            if broken:
                raise ZeroDivisionError("a bug of the add-on")

        @agent.on_removed
        async def clean_up(removal: Removal) -> None:
            self.removals.append(removal)
            if len(self.removals) <= failures:
                raise ZeroDivisionError("cannot clean up")
            await self.may_succeed.wait()

    def options(self, options: AddonOptions) -> AddonOptions:
        """Return options with this program in them."""
        return replace(options, processes={ADDON: self.agent.process()})


async def gone(played: PlayedHub) -> bool:
    """Return whether nothing of the add-on is left on the managed cluster."""
    where = played.cluster
    return (
        await played.data("settings", where) is None
        and await played.find(SECRETS, SECRET, where) is None
    )


def in_force(played: PlayedHub) -> Callable[[], Awaitable[bool]]:
    """Return a check that the configuration is applied."""

    async def check() -> bool:
        return await played.data("settings", played.cluster) == {"a": "1"}

    return check


async def hold(played: PlayedHub, *finalizers: str) -> None:
    """Have the add-on held by these finalizers."""
    body = {"metadata": {"finalizers": list(finalizers)}}
    await played.hub.patch(MANAGED_CLUSTER_ADDONS, ADDON, body, namespace=played.cluster)


async def delete(played: PlayedHub) -> None:
    """Remove the add-on on the hub."""
    await played.hub.delete(MANAGED_CLUSTER_ADDONS, ADDON, namespace=played.cluster)


async def test_it_cleans_up_before_anything_of_it_goes(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """While a finalizer holds the object, its credential works and its failures are told there."""
    program = Program(played, failures=1)
    await hold(played, HOLD)
    async with agent_for(
        played, hub_plane, spoke_plane, namespaces=[played.cluster], options=program.options
    ):
        await until(in_force(played), "it is configured")
        await delete(played)

        async def told() -> bool:
            condition = await played.condition(ADDON, "Degraded")
            return "cannot clean up" in condition.get("message", "")

        await until(told, "its failure is told")
        program.may_succeed.set()

        async def recovered() -> bool:
            return (await played.condition(ADDON, "Degraded")).get("status") == "False"

        await until(recovered, "so is that it works")
        assert not program.removals[-1].is_gone
        assert await played.find(SECRETS, SECRET, played.cluster) is not None
        assert await played.data("settings", played.cluster) == {"a": "1"}
        await hold(played)
        await until(lambda: gone(played), "nothing is left")
    assert len(program.removals) == 2


async def test_it_cleans_up_at_the_next_start_if_it_was_removed_meanwhile(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """What is left on the cluster tells that cleaning up is still owed."""
    async with agent_for(
        played,
        hub_plane,
        spoke_plane,
        namespaces=[played.cluster],
        options=Program(played).options,
    ):
        await until(in_force(played), "it is configured")
    await delete(played)
    program = Program(played)
    async with agent_for(
        played, hub_plane, spoke_plane, namespaces=[played.cluster], options=program.options
    ):
        await until(lambda: gone(played), "nothing is left")
    (removal,) = program.removals
    assert removal.is_gone
    assert removal.spoke.namespace == played.cluster


async def test_it_cleans_up_at_a_start_while_it_is_being_deleted(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """A process that died in the middle begins again, with the credential it had."""
    await hold(played, HOLD)
    async with agent_for(
        played,
        hub_plane,
        spoke_plane,
        namespaces=[played.cluster],
        options=Program(played).options,
    ):
        await until(in_force(played), "it is configured")
    await delete(played)
    program = Program(played)
    async with agent_for(
        played, hub_plane, spoke_plane, namespaces=[played.cluster], options=program.options
    ):

        async def called() -> bool:
            return bool(program.removals)

        await until(called, "it is called")
        client = await program.removals[0].hub.wait_ready()
        assert ADDON in (await client.whoami()).username
        await hold(played)
        await until(lambda: gone(played), "nothing is left")


async def test_a_task_that_fails_makes_the_add_on_degraded(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """`kubectl get managedclusteraddons` shows it; the next process that works takes it back."""
    for broken, status in ((True, "True"), (False, "False")):
        program = Program(played, broken=broken)
        async with agent_for(
            played, hub_plane, spoke_plane, namespaces=[played.cluster], options=program.options
        ):

            async def said(status: str = status) -> bool:
                return (await played.condition(ADDON, "Degraded")).get("status") == status

            await until(said, f"Degraded is {status}")
            if broken:
                condition = await played.condition(ADDON, "Degraded")
                assert condition["reason"] == "AddOnCodeFailed"
                assert "main: ZeroDivisionError: a bug of the add-on" in condition["message"]
