"""The example alert-forwarder, killed at each of its calls: nothing lost, nothing told twice."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from support.addon_stage import CLUSTER, INSTALLED, AddonStage, addon_stage, plain
from support.plane_clients import client_of
from support.tasks import background
from support.waiting import until
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.station.spoke_access import Spoke
from towline_api.resources import EVENTS, KubeObject
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.embedded.faults import Ask, Calls, Moment, Seen

EXAMPLE = Path(__file__).parents[3] / "examples" / "alert-forwarder" / "alert_forwarder.py"
USER = "forwarder"
NAMES = ("first", "second", "third")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's module, which saves its position all the time."""
    spec = importlib.util.spec_from_file_location("alert_forwarder_under_test", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    forwarder: Any = module
    settings = forwarder.ForwarderSettings(save_position_every="1ms")
    monkeypatch.setattr(forwarder.agent, "_settings", settings)
    return forwarder


class Killed:
    """Kills a program at one of its calls: that call and all later ones come to nothing."""

    def __init__(self, at: int, moment: Moment) -> None:
        self.calls = 0
        self.happened = asyncio.Event()
        self._at = at
        self._moment = moment
        self._loop = asyncio.get_running_loop()

    def decide(self, _: Seen, moment: Moment) -> bool:
        """Return whether a call goes on."""
        if moment is Moment.BEFORE:
            self.calls += 1
        if self.calls > self._at or (self.calls == self._at and moment is self._moment):
            self._loop.call_soon_threadsafe(self.happened.set)
            return False
        return True


async def run_until_killed(
    stage: AddonStage, example: Any, at: int, moment: Moment, *, wanted: tuple[str, ...]
) -> bool:
    """Run the example until its n-th call, or all is told; return whether it was killed."""
    killed = Killed(at, moment)
    rule = stage.plane.faults.add(Ask(killed.decide), Calls(user=USER))
    kubeconfig = await stage.plane.kubeconfig_for(USER, groups=("system:masters",))
    channel = HubChannel()
    channel.offer(parse_kubeconfig(kubeconfig, source="test"))

    async def work() -> None:
        async with (
            background(channel.run(), name="keep-channel"),
            client_of(kubeconfig) as client,
        ):
            await channel.wait_ready()
            await example.forward(channel, Spoke(client, CLUSTER, INSTALLED))

    task = asyncio.create_task(work(), name="forwarder")
    dead = asyncio.create_task(killed.happened.wait(), name="await-death")
    quiet = asyncio.create_task(all_told(stage, wanted), name="await-quiet")
    await asyncio.wait({dead, quiet}, return_when=asyncio.FIRST_COMPLETED)
    was_killed = killed.happened.is_set()
    for each in (task, dead, quiet):
        each.cancel()
    await asyncio.wait({task, dead, quiet})
    stage.plane.faults.remove(rule)
    return was_killed


async def told(stage: AddonStage) -> list[str]:
    """Return what the hub was told, sorted."""
    listed = await stage.admin.list(EVENTS, namespace=CLUSTER)
    return sorted(event["related"]["name"] for event in listed.items)


async def all_told(stage: AddonStage, wanted: tuple[str, ...]) -> None:
    """Wait until the hub was told of everything."""

    async def is_all() -> bool:
        return await told(stage) == sorted(wanted)

    await until(is_all, what=lambda: "not all was told")


def warning(name: str) -> KubeObject:
    """Return an Event about a pod."""
    return plain(
        EVENTS,
        name,
        "shop",
        eventTime="2026-01-01T00:00:00.000000Z",
        type="Warning",
        reason="BackOff",
        action="Restart",
        note="does not start",
        reportingController="kubelet",
        reportingInstance="node-1",
        regarding={"apiVersion": "v1", "kind": "Pod", "name": name, "namespace": "shop"},
    )


@pytest.mark.parametrize("moment", list(Moment))
async def test_a_forwarder_that_is_killed_anywhere_tells_everything_once(
    example: Any, moment: Moment
) -> None:
    """Its position moves on only past what the hub has, and names on the hub are the originals'."""
    async with addon_stage("shop") as stage:
        beginning = stage.plane.snapshot()
        for at in range(1, 100):
            stage.plane.restore(beginning)
            for name in NAMES[:2]:
                await stage.admin.create(EVENTS, warning(name))
            was_killed = await run_until_killed(stage, example, at, moment, wanted=NAMES[:2])
            await stage.admin.create(EVENTS, warning(NAMES[2]))
            await run_until_killed(stage, example, 1_000_000, moment, wanted=NAMES)
            assert await told(stage) == sorted(NAMES), f"killed at call {at}"
            if not was_killed:
                break
        assert at > 5
