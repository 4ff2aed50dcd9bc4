"""Every way the network or a server can fail: the agent comes back by itself, and its channel too.

One agent, joined through a proxy, with a fault for a second or two. All the while an add-on's code
calls the hub over the channel, with the official client. Afterwards it is still the same session,
nothing was registered or asked for anew, the lease is renewed, and news passes both ways; and of
the calls, only those failed that began before the hub could be reached again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client as kubernetes_client

from support.joining import (
    JoinHub,
    RunningAgent,
    agent_settings,
    join_hub,
    obj,
    running_agent,
)
from support.tasks import background
from support.tcp_proxy import TcpProxy
from support.waiting import eventually, until
from towline_api.metadata import labels_of, uid_of
from towline_api.resources import MANAGED_CLUSTERS, NODES, KubeObject
from towline_kube.client import Client
from towline_sandbox.embedded.faults import Calls, Refuse
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.plane import EmbeddedPlane

CLUSTER = "cluster1"
LASTS = 1.5
"""Seconds: several times what the agent below waits between two tries."""
SPREAD = timedelta(milliseconds=250)
WITHIN = timedelta(seconds=1)
"""How long the agent below waits for an answer, instead of half a minute."""


def make_clients_hasty(patch: pytest.MonkeyPatch) -> None:
    """Have clients give up sooner: a partition that lasts minutes in life takes seconds here."""
    make, watch = Client.__init__, Client.watch

    def make_hasty(self: Client, *given: Any, **named: Any) -> None:
        make(self, *given, **{"request_timeout": WITHIN, **named})

    def watch_hastily(self: Client, *given: Any, **named: Any) -> Any:
        return watch(self, *given, **{"silence": 2 * WITHIN, **named})

    patch.setattr(Client, "__init__", make_hasty)
    patch.setattr(Client, "watch", watch_hastily)


@dataclass(frozen=True, slots=True)
class Made:
    """One call over the channel."""

    began: float
    ended: float
    error: str


@dataclass
class Scene:
    """A joined agent, and what stands between it and its servers."""

    hub_plane: EmbeddedPlane
    hub: JoinHub
    agent: RunningAgent
    to_hub: TcpProxy
    to_spoke: TcpProxy
    made: list[Made] = field(default_factory=list)
    patience: float = 10.0
    """Seconds a call may take: short only while the hub cannot be reached, as machines have bad
    days."""

    async def call_forever(self) -> None:
        """Call the hub over the channel, again and again, with the official client."""
        channel = self.agent.session.channel
        api = kubernetes_client.CustomObjectsApi(channel.api_client)
        kind = MANAGED_CLUSTERS
        while True:
            began, error = time.monotonic(), ""
            try:
                await api.get_cluster_custom_object(
                    kind.group, kind.version, kind.plural, CLUSTER, _request_timeout=self.patience
                )
            except Exception as failure:  # noqa: BLE001 - told, and judged below
                error = repr(failure)
            self.made.append(Made(began, time.monotonic(), error))
            await asyncio.sleep(0.02)

    async def answered_since(self, moment: float) -> None:
        await eventually(
            lambda: any(made.began > moment and not made.error for made in self.made),
            what=lambda: self.made[-3:],
        )

    def failed_after(self, moment: float) -> list[Made]:
        return [made for made in self.made if made.error and made.began > moment]


@asynccontextmanager
async def scene(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    make_clients_hasty(patch)
    async with AsyncExitStack() as stack:
        planes = [stack.enter_context(EmbeddedPlane(name)) for name in ("hub", "spoke")]
        proxies = [await stack.enter_async_context(TcpProxy(plane.server)) for plane in planes]
        hub = await stack.enter_async_context(join_hub(*planes, cluster=CLUSTER))
        settings = await agent_settings(
            hub, *planes, folder=folder, hub_return_spread=SPREAD, cluster_healthcheck_period=SPREAD
        )
        for name, plane, proxy in zip(("bootstrap", "spoke"), planes, proxies, strict=True):
            path = folder / f"{name}.kubeconfig"
            path.write_text(path.read_text().replace(plane.server, proxy.url))
        agent = await stack.enter_async_context(running_agent(settings))
        await hub.joined()
        await hub.hub.patch(MANAGED_CLUSTERS, CLUSTER, {"spec": {"leaseDurationSeconds": 1}})
        await agent.session.channel.wait_ready()
        found = Scene(planes[0], hub, agent, to_hub=proxies[0], to_spoke=proxies[1])
        await stack.enter_async_context(background(found.call_forever(), name="call-over-channel"))
        await found.answered_since(0.0)
        yield found


Fault = Callable[[Scene], Awaitable[None]]


async def stopped(world: Scene) -> None:
    """The API server is away: connections are refused."""
    await world.to_hub.refuse()
    await asyncio.sleep(LASTS)
    await world.to_hub.heal()


async def partitioned(world: Scene, *, forgetful: bool) -> None:
    """Nothing gets through, and nobody says so."""
    world.to_hub.partition()
    await asyncio.sleep(LASTS)
    await world.to_hub.heal(forgetful=forgetful)


async def cut(world: Scene) -> None:
    """Every connection breaks in the middle of an answer."""
    world.to_hub.cut_after = 2_000
    await asyncio.sleep(LASTS)
    await world.to_hub.heal()


async def slow(world: Scene) -> None:
    """Every packet comes late, and little fits through."""
    world.to_hub.delay, world.to_hub.bytes_per_second = timedelta(seconds=0.05), 200_000
    await asyncio.sleep(LASTS)
    await world.to_hub.heal()


async def refused(world: Scene, *, failure: ApiFailure) -> None:
    """The API server answers that it cannot."""
    rule = world.hub_plane.faults.add(Refuse(failure), Calls(user_agent="towline-agent/"))
    await asyncio.sleep(LASTS)
    world.hub_plane.faults.remove(rule)


async def restarted(world: Scene) -> None:
    """It comes back without its history: watches cannot go on from where they were."""
    world.hub_plane.stop_serving()
    await asyncio.sleep(LASTS / 3)
    world.hub_plane.expire_resource_versions()
    world.hub_plane.serve_again()


async def spoke_lost(world: Scene) -> None:
    """The managed cluster's API server is what cannot be reached."""
    world.to_spoke.partition()
    await asyncio.sleep(LASTS)
    await world.to_spoke.heal(forgetful=True)


BUSY = ApiFailure(429, "TooManyRequests", "too many requests", retry_after_seconds=1)
BROKEN = ApiFailure(500, "InternalError", "etcdserver: leader changed")

FAULTS: dict[str, tuple[Fault, bool]] = {
    "hub-stopped": (stopped, True),
    "hub-partitioned": (partial(partitioned, forgetful=False), True),
    "hub-partitioned-and-forgotten": (partial(partitioned, forgetful=True), True),
    "hub-cuts-connections": (cut, True),
    "hub-slow": (slow, False),
    "hub-busy": (partial(refused, failure=BUSY), True),
    "hub-broken": (partial(refused, failure=BROKEN), True),
    "hub-restarted-without-history": (restarted, True),
    "spoke-partitioned": (spoke_lost, False),
}
"""What happens, and whether the hub cannot be reached meanwhile."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_after_a_fault_the_agent_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """No restart, no new request, no new registration; calls fail only while the hub is away."""
    break_it, hub_is_away = FAULTS[fault]
    async with scene(tmp_path, monkeypatch) as world:
        before = await world.hub.managed_cluster()
        assert before is not None
        if hub_is_away:
            world.patience = 1.0
            await world.answered_since(time.monotonic())
        began = time.monotonic()
        await break_it(world)
        world.patience = 10.0
        ended = time.monotonic()
        await world.answered_since(ended)
        await _check_alive(world)
        assert not world.failed_after(ended), fault
        if hub_is_away:
            assert [made for made in world.made if made.error], "the fault was none"
        else:
            assert not world.failed_after(began), "the hub was there all the time"
        assert len(world.agent.sessions) == 1
        assert not world.agent.task.done()
        assert len(await world.hub.requests()) == 1
        after = await world.hub.managed_cluster()
        assert after is not None
        assert uid_of(after) == uid_of(before)
        assert after["spec"] == before["spec"]


async def _check_alive(world: Scene) -> None:
    """See the lease renewed, the hub's news taken in, and the managed cluster's news reported."""
    hub, beat = world.hub, await world.hub.lease_time()

    async def beats() -> bool:
        return await hub.lease_time() != beat

    await until(beats, what=lambda: f"no beat since {beat}")
    await hub.hub.patch_metadata(MANAGED_CLUSTERS, await _cluster(hub), labels={"news": "told"})
    view = world.agent.session.view
    await eventually(
        lambda: labels_of(view.cluster or {}).get("news") == "told", what=lambda: view.cluster
    )
    await hub.spoke.create(NODES, obj(NODES, "n1", status={"capacity": {"cpu": "3"}}))
    await until(partial(_has_capacity, hub), what=lambda: "the node's capacity was not reported")


async def _has_capacity(hub: JoinHub) -> bool:
    status = (await _cluster(hub)).get("status") or {}
    return (status.get("capacity") or {}).get("cpu") == "3"


async def _cluster(hub: JoinHub) -> KubeObject:
    cluster = await hub.managed_cluster()
    assert cluster is not None
    return cluster
