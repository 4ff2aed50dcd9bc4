"""A hub and a managed cluster on embedded planes, with programs that can be killed at any call."""

import asyncio
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from towline_agent import daemon as agent_daemon
from towline_agent.settings import AgentSettings
from towline_api.resources import KubeObject, Resource
from towline_hub import daemon as hub_daemon
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK
from towline_sandbox.embedded.faults import Ask, Calls, Moment, Seen
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.embedded.storage.store import Snapshot
from towline_sandbox.in_process import admin_client, prepare_agent, prepare_hub

CLUSTER = "cluster1"
AGENT = "agent1"
ADDON = "helloworld"

SIGNER = "example.com/tow"
"""A signer that the hub plays, and that one scenario's add-on is declared to use."""

CERTIFICATE_LIFETIME = timedelta(hours=1)
_LONGEST_CALL_SECONDS = 5.0
_LOOK_BACK = 100
"""Calls further back than this have been answered long ago."""


class Party(StrEnum):
    """Who is killed."""

    HUB = "hub"
    AGENT = "agent"

    @property
    def user_agent(self) -> str:
        """How its calls introduce themselves."""
        return f"towline-{self}/"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a program is killed.

    Args:
        party: Which program.
        moment: Before or after the call takes effect.
        number: At which of its calls, to either plane, counted from 1.
    """

    party: Party
    moment: Moment
    number: int

    def __str__(self) -> str:
        """Return for example `agent, before call 7`."""
        return f"{self.party}, {self.moment} call {self.number}"


@dataclass(frozen=True, slots=True)
class Death:
    """How everything is at a point at which a program could be killed.

    Args:
        point: Where.
        at: Which call that is.
        left: What is stored by then, on the hub cluster and on the managed one.
    """

    point: Point
    at: Seen
    left: tuple[Snapshot, Snapshot]


class ShiftedClock:
    """The machine's clock, set ahead.

    Args:
        by: How far.
    """

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        """Return the current instant on this clock."""
        return SYSTEM_CLOCK.now() + self._by

    def monotonic(self) -> float:
        """Return seconds on the machine's clock that never goes back."""
        return SYSTEM_CLOCK.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        """Sleep in real time."""
        await SYSTEM_CLOCK.sleep(delay)


class Gate:
    """Lets the calls of programs through, until the one at which a program is killed.

    Asked on the planes' threads. The dead program gets nothing through any more: whatever its
    tasks still do while they are cancelled, the planes never hear of it.

    Args:
        look: Returns what is stored on both planes; called on either's thread.
    """

    def __init__(self, look: Callable[[], tuple[Snapshot, Snapshot]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._point: Point | None = None
        self._watched: Party | None = None
        self._dead: frozenset[Party] = frozenset()
        self._loop = asyncio.get_running_loop()
        self.killed = asyncio.Event()
        self.calls: dict[Party, int] = dict.fromkeys(Party, 0)
        """How many calls each program made since the gate was set."""
        self.made: dict[Party, int] = dict.fromkeys(Party, 0)
        """How many it made altogether."""
        self.killed_at: Seen | None = None
        self.deaths: list[Death] = []
        """Where the program that is watched could have been killed, in that order."""

    def close(self, *parties: Party) -> None:
        """Let no call of these programs through any more."""
        with self._lock:
            self._point, self._dead = None, self._dead.union(parties)

    def open(self, party: Party) -> None:
        """Let calls of a program through again: it is a new process."""
        with self._lock:
            self._dead = self._dead.difference({party})

    def is_dead(self, party: Party) -> bool:
        """Tell whether no call of a program is let through."""
        with self._lock:
            return party in self._dead

    def kill_at(self, point: Point | None) -> None:
        """Count calls anew, and kill at this one."""
        with self._lock:
            self._point, self._watched, self.killed_at = point, None, None
            self.killed.clear()
            self.calls = dict.fromkeys(Party, 0)

    def watch(self, party: Party | None) -> None:
        """Count calls anew, and note how everything is at each call of a program, if any."""
        self.kill_at(None)
        with self._lock:
            self._watched, self.deaths = party, []

    def rule_for(self, party: Party) -> tuple[Ask, Calls]:
        """Return what to add to a plane's faults."""
        numbers: dict[int, int] = {}

        def may_pass(seen: Seen, moment: Moment) -> bool:
            return self._may_pass(party, seen, moment, numbers)

        return Ask(may_pass), Calls(user_agent=party.user_agent)

    def _may_pass(self, party: Party, seen: Seen, moment: Moment, numbers: dict[int, int]) -> bool:
        with self._lock:
            if party in self._dead:
                return False
            if moment is Moment.BEFORE:
                self.made[party] += 1
                self.calls[party] += 1
                numbers[id(seen)] = self.calls[party]
            point = Point(party, moment, numbers.get(id(seen), 0))
            if party is self._watched and point.number:
                # Nobody else's call gets on meanwhile: all this is of one moment.
                self.deaths.append(Death(point, seen, self._look()))
            if self._point != point:
                return True
            self._point, self._dead, self.killed_at = None, frozenset({party}), seen
            self._loop.call_soon_threadsafe(self.killed.set)
            return False


@dataclass
class World:
    """Two planes, and what runs on them.

    Args:
        hub_plane: The hub cluster.
        spoke_plane: The managed cluster.
        hub: The hub's administrator.
        spoke: The managed cluster's administrator.
        gate: Where programs are killed.
        hub_settings: How the hub is started.
        agent_settings: How the agent is started.
        issued: The certificates that requests were seen to have, by the requests' names.
    """

    hub_plane: EmbeddedPlane
    spoke_plane: EmbeddedPlane
    hub: Client
    spoke: Client
    gate: Gate
    hub_settings: HubSettings
    agent_settings: AgentSettings
    issued: dict[str, str] = field(default_factory=dict)
    _clock: ShiftedClock = field(default_factory=lambda: ShiftedClock(timedelta(0)))
    _running: dict[Party, asyncio.Task[None]] = field(default_factory=dict)
    _made_before: dict[Party, int] = field(default_factory=dict)
    _failed: list[BaseException] = field(default_factory=list)

    @property
    def planes(self) -> tuple[EmbeddedPlane, EmbeddedPlane]:
        """The hub cluster and the managed one."""
        return self.hub_plane, self.spoke_plane

    def start(self, party: Party) -> None:
        """Start a program, unless it is running."""
        if self.is_running(party):
            return
        stop = asyncio.Event()
        serve: Callable[[], Awaitable[None]] = (
            partial(hub_daemon.run, self.hub_settings, stop, clock=self._clock)
            if party is Party.HUB
            else partial(agent_daemon.run, self.agent_settings, stop, clock=self._clock)
        )

        async def run() -> None:
            await serve()

        self.gate.open(party)
        self._made_before[party] = self.gate.made[party]
        self._running[party] = asyncio.create_task(run(), name=f"run-{party}")

    def is_running(self, party: Party) -> bool:
        """Tell whether a program was started, and its end not seen to yet."""
        return party in self._running

    def is_alive(self, party: Party) -> bool:
        """Tell whether a program runs, and was not killed a moment ago."""
        return self.is_running(party) and not self.gate.is_dead(party)

    def calls_of(self, party: Party) -> int:
        """Return how many calls a program has made since it was started."""
        return self.gate.made[party] - self._made_before[party]

    async def kill(self, party: Party) -> None:
        """End a program on the spot."""
        task = self._running.pop(party)
        task.cancel("killed")
        await asyncio.wait({task})
        _check_end(party, task)

    def stored(self) -> tuple[Snapshot, Snapshot]:
        """Return what is stored on both planes."""
        return self.hub_plane.snapshot(), self.spoke_plane.snapshot()

    def restore(self, stored: tuple[Snapshot, Snapshot]) -> None:
        """Store that on both planes; programs that run see ordinary changes."""
        for plane, snapshot in zip(self.planes, stored, strict=True):
            plane.restore(snapshot, cut_watches=False)

    async def bring_back(self) -> None:
        """Start what the gate kills again, once; never returns."""
        await self.gate.killed.wait()
        assert self.gate.killed_at is not None
        party = next(p for p in Party if self.gate.killed_at.user_agent.startswith(p.user_agent))
        await self.kill(party)
        self.start(party)
        await asyncio.Event().wait()

    @staticmethod
    def find(
        plane: EmbeddedPlane, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject | None:
        """Return an object as a plane stores it: asking costs no call, and is not to be changed."""
        wanted = (resource.kind, namespace, name)
        for obj in plane.objects():
            metadata = obj["metadata"]
            if (obj["kind"], metadata.get("namespace"), metadata["name"]) == wanted:
                return obj
        return None

    def pass_time(self, by: timedelta) -> None:
        """Set all clocks ahead; programs have to be started anew."""
        self._clock = ShiftedClock(by)
        for plane in self.planes:
            plane.shift_clock(by)

    async def kill_all(self, *parties: Party) -> None:
        """End programs on the spot; return once none of their calls is under way any more.

        Args:
            parties: Which, if they run; all of them if none is named.
        """
        ended = parties or tuple(Party)
        self.gate.close(*ended)
        for party in ended:
            if self.is_running(party):
                await self.kill(party)
        callers = tuple(party.user_agent for party in ended)
        deadline = time.monotonic() + _LONGEST_CALL_SECONDS
        while any(
            not call.is_decided and call.user_agent.startswith(callers)
            for plane in self.planes
            for call in plane.calls[-_LOOK_BACK:]
        ):
            assert time.monotonic() < deadline, "a call of a dead program does not end"
            await asyncio.sleep(0.005)

    def check_running(self) -> None:
        """Raise what a program ended with that should be running."""
        for party, task in self._running.items():
            if task.done():
                _check_end(party, task)
                raise AssertionError(f"the {party} ended, and nobody told it to")


def _check_end(party: Party, task: asyncio.Task[None]) -> None:
    """Fail if a program ended because of an error instead of being killed."""
    if not task.cancelled() and (error := task.exception()) is not None:
        story = "".join(traceback.format_exception(error))
        raise AssertionError(f"the {party} failed: {story}")


@asynccontextmanager
async def open_world(folder: Path, *, webhook: bool) -> AsyncIterator[World]:
    """Make a hub cluster and a managed cluster, and grant their programs what they need.

    Args:
        folder: Private folder for kubeconfigs.
        webhook: Whether the hub serves add-ons in both API versions.
    """
    async with AsyncExitStack() as stack:
        hub_plane = await stack.enter_async_context(
            EmbeddedPlane("hub", certificate_lifetime=CERTIFICATE_LIFETIME)
        )
        spoke_plane = await stack.enter_async_context(EmbeddedPlane("spoke"))
        gate = Gate(lambda: (hub_plane.snapshot(), spoke_plane.snapshot()))
        for party in Party:
            for plane in (hub_plane, spoke_plane):
                plane.faults.add(*gate.rule_for(party))
        world = World(
            hub_plane,
            spoke_plane,
            await stack.enter_async_context(admin_client(hub_plane)),
            await stack.enter_async_context(admin_client(spoke_plane)),
            gate,
            await prepare_hub(hub_plane, folder=folder, webhook=webhook),
            await prepare_agent(
                hub_plane, spoke_plane, cluster=CLUSTER, folder=folder, agent_id=AGENT
            ),
        )
        try:
            yield world
        finally:
            await world.kill_all()
