"""Hubs with an agent between them, and a client on its channel that notes every failed call."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from support.joining import JoinHub, RunningAgent, agent_settings, join_hub, running_agent
from support.waiting import eventually, until
from towline_agent.cluster_session import ClusterSession
from towline_agent.settings import AgentSettings
from towline_api.errors import TowlineError
from towline_api.names import HUB_KUBECONFIG_SECRET
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_certs.authority import Authority
from towline_certs.credentials import from_secret_data
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_sandbox.embedded.faults import Calls, Drop
from towline_sandbox.embedded.plane import EmbeddedPlane

CERTIFICATE_LIFETIME = timedelta(hours=1)
"""Of what hub `a` issues."""
_AGENTS = "towline-agent/"
_MOMENT = 0.1
_EVERY = 0.03
"""Seconds between two calls of the probe."""


@dataclass
class Probe:
    """An add-on's task: it uses the channel all the time, for as long as there is a session."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)

    async def run(self, session: ClusterSession) -> None:
        """Call the hub again and again; note for each call which hub it was, and how it ended."""
        client = await session.channel.wait_ready()
        bell = session.view.subscribe()
        while session.view.accepted_cluster is None:
            await bell.wait()
            bell.clear()
        hub = session.hub.server
        while True:
            try:
                await client.get(MANAGED_CLUSTERS, session.identity.cluster)
            except TowlineError as error:
                self.failed.append((hub, str(error)))
            else:
                self.answered[hub] += 1
            await asyncio.sleep(_EVERY)

    async def goes_on(self, hub: str, *, calls: int = 5) -> None:
        """Wait until so many more calls to a hub were answered."""
        wanted = self.answered[hub] + calls
        await eventually(
            lambda: self.answered[hub] >= wanted,
            what=lambda: f"{self.answered} and failures {self.failed[-3:]}",
        )


@dataclass
class HubSide:
    """One hub: its plane, what its owner does there, and the bootstrap kubeconfig for it."""

    plane: EmbeddedPlane
    owner: JoinHub
    file: Path

    @property
    def server(self) -> str:
        """URL of the hub."""
        return self.plane.server

    async def write_bootstrap(self, text: str | None = None) -> None:
        """Write the bootstrap kubeconfig, by default a good one."""
        self.file.write_text(text or await self.plane.bootstrap_kubeconfig())

    def fall_silent(self) -> None:
        """Have the hub answer no agent any more, until `speak_again`."""
        agents = Calls(user_agent=_AGENTS)
        self.plane.faults.add(Drop(), agents)
        self.plane.cut_watches(user_agent=_AGENTS)

    def speak_again(self) -> None:
        """Have the hub answer everybody."""
        self.plane.faults.clear()

    async def change_authority(self, authority: Authority) -> None:
        """Have the hub show a certificate by another authority; its owner knows of it."""
        owner = self.owner.hub
        both = (owner.connection.ca_pem or b"") + authority.certificate_pem
        await owner.swap(dataclasses.replace(owner.connection, ca_pem=both))
        self.plane.change_authority(authority)

    async def uid(self) -> str:
        """Return the uid of the ManagedCluster; empty if there is none."""
        found = await self.owner.managed_cluster()
        return "" if found is None else str(found["metadata"]["uid"])


class MovedClock:
    """The machine's clock, set ahead as a test likes, on which no sleep lasts."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        """Return the current instant on this clock."""
        return SYSTEM_CLOCK.now() + self.shift

    def monotonic(self) -> float:
        """Return seconds on a clock that is never set back."""
        return SYSTEM_CLOCK.monotonic() + self.shift.total_seconds()

    async def sleep(self, delay: timedelta) -> None:
        """Sleep for a moment: whoever sleeps looks at the time when it is over."""
        await asyncio.sleep(min(delay.total_seconds(), _MOMENT))


@dataclass
class Hubs:
    """Two hubs, `a` and `b`, and one managed cluster; nothing of the agent is there yet."""

    a: HubSide
    b: HubSide
    spoke_plane: EmbeddedPlane
    folder: Path
    probe: Probe = field(default_factory=Probe)
    clock: MovedClock = field(default_factory=lambda: MovedClock())

    def pass_time(self, by: timedelta) -> None:
        """Set the clocks of hub `a` and of agents that run by `clock` ahead."""
        self.clock.shift += by
        self.a.plane.shift_clock(self.clock.shift)

    async def settings(self, files: Sequence[HubSide] = (), **more: Any) -> AgentSettings:
        """Return the agent's settings, with its rights granted on the managed cluster.

        Args:
            files: Whose bootstrap kubeconfigs to try, in order; by default `a` alone.
            more: Further settings.
        """
        given = {"bootstrap_kubeconfig": self.a.file} if not files else {
            "bootstrap_kubeconfig": None,
            "bootstrap_kubeconfigs": tuple(side.file for side in files),
        }  # fmt: skip
        more.setdefault("hub_return_spread", timedelta(seconds=0.5))
        return await agent_settings(
            self.a.owner,
            self.a.plane,
            self.spoke_plane,
            folder=self.folder,
            bootstrap="",
            **(given | more),
        )

    @asynccontextmanager
    async def running(
        self, settings: AgentSettings, *, clock: Clock = SYSTEM_CLOCK
    ) -> AsyncIterator[RunningAgent]:
        """Run the agent, with the probe on its channel."""
        async with running_agent(settings, parts={"probe": self.probe.run}, clock=clock) as agent:
            yield agent

    async def arrives(self, agent: RunningAgent, side: HubSide) -> None:
        """Wait until the agent works at a hub and its credential is the one that is kept."""
        await eventually(
            lambda: agent.session.hub.server == side.server and agent.session.channel.is_ready,
            what=lambda: (
                f"{agent.session.hub.server}: {agent.session.state.look()}"
                f" {agent.session.overlook_move()}"
            ),
        )
        await self.probe.goes_on(side.server)

        async def is_kept() -> bool:
            return await self.kept_hub() == side.server

        await until(is_kept, what=lambda: "another hub's credential is kept")

    async def kept(self) -> KubeObject | None:
        """Return the Secret with the agent's credential."""
        return await self.a.owner.secret()

    async def kept_hub(self) -> str:
        """Return the hub that the kept credential is for; empty if there is none."""
        secret = await self.kept()
        return "" if secret is None else secret["metadata"]["annotations"]["towline/hub"]

    async def files(self) -> dict[str, bytes]:
        """Return the kept files."""
        secret = await self.kept()
        return {} if secret is None else from_secret_data(secret.get("data"))

    async def is_tidy(self) -> bool:
        """Return whether nothing is left of a move."""
        names = ("-next", "-next-pending", "-pending")
        found = [await self.a.owner.secret(HUB_KUBECONFIG_SECRET + name) for name in names]
        return found == [None] * len(names)


@contextmanager
def hub_planes() -> Iterator[tuple[EmbeddedPlane, EmbeddedPlane, EmbeddedPlane]]:
    """Run two hubs and a managed cluster, for as many tests as want them."""
    with (
        EmbeddedPlane("a", certificate_lifetime=CERTIFICATE_LIFETIME) as a,
        EmbeddedPlane("b") as b,
        EmbeddedPlane("spoke") as spoke,
    ):
        yield a, b, spoke


@asynccontextmanager
async def two_hubs(
    planes: tuple[EmbeddedPlane, EmbeddedPlane, EmbeddedPlane], *, cluster: str, folder: Path
) -> AsyncIterator[Hubs]:
    """Give one cluster's corner of both hubs; they approve and accept until told otherwise."""
    a, b, spoke = planes
    async with AsyncExitStack() as stack:
        sides = []
        for plane in (a, b):
            owner = await stack.enter_async_context(join_hub(plane, spoke, cluster=cluster))
            kept = folder / plane.name
            kept.mkdir()
            side = HubSide(plane, owner, kept / "kubeconfig")
            await side.write_bootstrap()
            sides.append(side)
        try:
            yield Hubs(sides[0], sides[1], spoke, folder)
        finally:
            for side in sides:
                side.speak_again()
            a.shift_clock(timedelta(0))
