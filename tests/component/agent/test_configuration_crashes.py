"""An add-on's code, killed at each of its calls while it is configured and while it is removed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from support.addon_stage import ADDON, CLUSTER, INSTALLED, AddonStage, addon_stage, config_map
from support.waiting import until
from towline_agent import AddonAgent, AddonSettings, SpokeScope
from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_sandbox.embedded.faults import Ask, Calls, Moment, Seen

USER = "program"
FOREIGN = {"foreign": {"b": "2"}}
Found = Mapping[str, object]


def program() -> AddonAgent:
    """Return an add-on that makes two objects of each of the hub's."""
    agent = AddonAgent(ADDON, settings=AddonSettings(addon_namespace=INSTALLED))

    @agent.configuration("configmaps", namespace=agent.cluster_namespace)
    async def apply(config: KubeObject, spoke: SpokeScope) -> None:
        name = config["metadata"]["name"]
        for part, value in config["data"].items():
            await spoke.apply(config_map(f"{name}-{part}", spoke.namespace, {part: value}))

    return agent


class Killer:
    """Lets a program make so many calls that change something or look; then nothing more."""

    def __init__(self, at: int, moment: Moment) -> None:
        self.killed_at: Seen | None = None
        self.happened = asyncio.Event()
        self._at = at
        self._moment = moment
        self._calls = 0
        self._loop = asyncio.get_running_loop()

    def decide(self, call: Seen, moment: Moment) -> bool:
        """Return whether a call goes on."""
        if self.killed_at is not None:
            return False
        if moment is Moment.BEFORE:
            self._calls += 1
        if self._calls == self._at and moment is self._moment:
            self.killed_at = call
            self._loop.call_soon_threadsafe(self.happened.set)
            return False
        return True


async def found(stage: AddonStage) -> Found:
    """Return what is in the add-on's namespace on the managed cluster."""
    listed = await stage.admin.list(CONFIG_MAPS, namespace=INSTALLED)
    return {
        obj["metadata"]["name"]: obj.get("data", {})
        for obj in listed.items
        if obj["metadata"]["name"] != "kube-root-ca.crt"
    }


async def come_to(stage: AddonStage, wanted: Found) -> None:
    """Wait until exactly this is on the managed cluster."""

    async def is_there() -> bool:
        return await found(stage) == wanted

    await until(is_there, what=lambda: f"not {wanted}; said: {stage.outcome}")


async def run_killed(
    stage: AddonStage,
    play: Callable[[], Awaitable[None]],
    *,
    at: int,
    moment: Moment,
    wanted: Found,
) -> bool:
    """Run the program while something happens, until it is killed; return whether it was."""
    killer = Killer(at, moment)
    rule = stage.plane.faults.add(Ask(killer.decide), Calls(user=USER))

    async def course() -> None:
        async with stage.running(program(), user=USER, groups=("system:masters",)):
            await come_to(stage, {**FOREIGN, "old-x": {"x": "1"}, "settings-a": {"a": "1"}})
            await play()
            await come_to(stage, wanted)

    running = asyncio.create_task(course(), name="course")
    dead = asyncio.create_task(killer.happened.wait(), name="await-death")
    await asyncio.wait({running, dead}, return_when=asyncio.FIRST_COMPLETED)
    was_killed = dead.done()
    if not was_killed:
        running.result()
    for task in (running, dead):
        task.cancel()
    await asyncio.wait({running, dead})
    stage.plane.faults.remove(rule)
    return was_killed


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("is_removed", [False, True], ids=["changed", "removed"])
async def test_whatever_call_is_the_last_the_next_process_ends_where_it_should(
    moment: Moment, is_removed: bool
) -> None:
    """Nothing is applied twice, nothing is left, and nothing of others is touched."""
    async with addon_stage() as stage:
        await stage.admin.apply(CONFIG_MAPS, config_map("foreign", INSTALLED, FOREIGN["foreign"]))
        await stage.put("settings", {"a": "1"})
        await stage.put("old", {"x": "1"})
        beginning, addon = stage.plane.snapshot(), stage.addon
        wanted: Found = FOREIGN
        if not is_removed:
            wanted = {**FOREIGN, "settings-a": {"a": "2"}, "settings-b": {"b": "1"}}

        async def play() -> None:
            if is_removed:
                stage.remove()
                return
            await stage.put("settings", {"a": "2", "b": "1"})
            if await stage.admin.find(CONFIG_MAPS, "old", namespace=CLUSTER):
                await stage.admin.delete(CONFIG_MAPS, "old", namespace=CLUSTER)

        at, was_killed = 0, True
        while was_killed:
            at += 1
            stage.plane.restore(beginning)
            stage.addon = addon
            was_killed = await run_killed(stage, play, at=at, moment=moment, wanted=wanted)
            await play()
            async with stage.running(program(), user=USER, groups=("system:masters",)):
                await come_to(stage, wanted)
        assert at > 8
