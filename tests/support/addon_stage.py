"""An add-on's own code on one plane, which plays both the hub and the managed cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from support.plane_clients import client_of
from support.tasks import background
from support.waiting import eventually, until
from towline_agent.applying.ownership import Owner
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.embedding.addon_agent import AddonAgent
from towline_agent.station.addon_station import AddonView, Station
from towline_agent.station.user_code import UserCode
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addons import ManagedClusterAddon
from towline_api.resources import CONFIG_MAPS, NAMESPACES, KubeObject, Resource
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.embedded.plane import EmbeddedPlane

CLUSTER = "cluster1"
INSTALLED = "addon-space"
ADDON = "helloworld"
_HURRY = 100


class HurriedClock:
    """The real time, in which everybody sleeps a hundredth of what they meant to."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * _HURRY

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(delay.total_seconds() / _HURRY)


@dataclass
class AddonStage:
    """Where an add-on's code runs, and what it said.

    Args:
        plane: Hub and managed cluster in one.
        admin: Its administrator.
        addon: The add-on as the hub describes it; None once it is gone.
    """

    plane: EmbeddedPlane
    admin: Client
    addon: ManagedClusterAddon | None = field(
        default_factory=lambda: ManagedClusterAddon(
            ADDON, CLUSTER, uid="first", agent_namespace=INSTALLED
        )
    )
    outcomes: list[ConfigurationOutcome] = field(default_factory=list)
    cleaned_up: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.code = UserCode(ADDON)
        self.view = AddonView(lambda: self.addon)

    @property
    def outcome(self) -> ConfigurationOutcome:
        """What was said last."""
        return self.outcomes[-1] if self.outcomes else ConfigurationOutcome(awaited=("nothing",))

    @asynccontextmanager
    async def running(
        self, agent: AddonAgent, *, user: str | None = None, groups: Sequence[str] = ()
    ) -> AsyncIterator[HubChannel]:
        """Run an add-on's code, as the administrator or as a user of the managed cluster."""
        admin = self.plane.admin_kubeconfig()
        own = admin if user is None else await self.plane.kubeconfig_for(user, groups=groups)
        channel = HubChannel()
        channel.offer(parse_kubeconfig(admin, source="test"))
        code = self.code = UserCode(agent.name)
        view = self.view = AddonView(lambda: self.addon)
        self.cleaned_up.clear()
        async with (
            client_of(own, field_manager="towline-agent") as spoke,
            background(channel.run(), name="keep-channel"),
        ):
            station = Station(
                owner=Owner(CLUSTER, agent.name),
                hub=channel,
                codec=V1Alpha1Codec(),
                spoke=spoke,
                view=view,
                report=self.outcomes.append,
                code=code,
                clock=HurriedClock(),
                cleaned_up=self.cleaned_up.set,
            )
            async with background(agent.process().work(station), name="work-for-addon"):
                yield channel

    def change(self, **fields: Any) -> None:
        """Change the add-on on the hub."""
        assert self.addon is not None
        self.addon = replace(self.addon, **fields)
        self.view.ring()

    def remove(self) -> None:
        """Have the add-on gone from the hub."""
        self.addon = None
        self.view.ring()

    async def put(self, name: str, data: dict[str, str], *, at: str = CLUSTER) -> None:
        """Put a ConfigMap onto the hub, or change it."""
        await self.admin.apply(CONFIG_MAPS, config_map(name, at, data))

    async def data(self, name: str, *, at: str = INSTALLED) -> dict[str, str] | None:
        """Return what a ConfigMap of the managed cluster holds; None if there is none."""
        found = await self.admin.find(CONFIG_MAPS, name, namespace=at)
        return None if found is None else found.get("data", {})

    async def until_data(
        self, name: str, data: dict[str, str] | None, *, at: str = INSTALLED
    ) -> None:
        """Wait until a ConfigMap of the managed cluster holds this."""

        async def holds() -> bool:
            return await self.data(name, at=at) == data

        await until(holds, what=lambda: f"{name} is not {data}; said: {self.outcome}")

    async def until_said(self, check: Callable[[ConfigurationOutcome], bool]) -> None:
        """Wait until the outcome is as wanted."""
        await eventually(lambda: check(self.outcome), what=lambda: self.outcome)


@asynccontextmanager
async def addon_stage(*more_namespaces: str) -> AsyncIterator[AddonStage]:
    """Start a plane with the add-on's namespaces on it."""
    with EmbeddedPlane("stage") as plane:
        async with client_of(plane.admin_kubeconfig(), field_manager="test-admin") as admin:
            for name in (CLUSTER, INSTALLED, *more_namespaces):
                await admin.apply(NAMESPACES, plain(NAMESPACES, name))
            yield AddonStage(plane, admin)


def plain(resource: Resource, name: str, namespace: str | None = None, **rest: Any) -> KubeObject:
    """Return an object."""
    metadata = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return {**head, **rest}


def config_map(name: str, namespace: str, data: dict[str, str]) -> KubeObject:
    """Return a ConfigMap."""
    return plain(CONFIG_MAPS, name, namespace, data=data)
