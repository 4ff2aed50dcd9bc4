"""Runs a scenario for each point at which a program can be killed.

What a killed program leaves is what is stored at that moment, and nothing else: its memory and its
connections are gone, and neither hub nor agent keeps anything on a disk here. So the way to a point
need not be gone again for each of them. One run is looked at, at each call; from what is stored
there, a run of its own begins with a new process; points between which nothing was written leave
the same, so they are one beginning, and one run. That holds as long as whoever lives on knows no
more than what is stored, as the hub does. An agent remembers its keys and who it is: where the hub
is killed and the agent lives, each run goes all the way.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from crash_points.invariants import broken_promises
from crash_points.scenarios import PATIENCE, Scenario, until_at_rest
from crash_points.state import Looker, State, differences
from crash_points.world import Death, Party, Point, World, open_world
from support.tasks import background
from towline_api.errors import TowlineError
from towline_sandbox.embedded.faults import Seen
from towline_sandbox.waiting import until

_QUIET_SECONDS = 0.4
"""Nothing more is written after this long without a write."""
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Course:
    """How a run goes in which nobody is killed.

    Args:
        state: What is on the planes in the end.
        calls: How many calls each program makes.
    """

    state: State
    calls: dict[Party, int]


class Stage:
    """A world in which one scenario is played again and again, from the same beginning.

    Args:
        scenario: What is played.
        world: Where.
    """

    def __init__(self, scenario: Scenario, world: World) -> None:
        self._scenario = scenario
        self._world = world
        self._looker = Looker(world)
        self._beginning = world.stored()
        self._at_rest: State | None = None
        self.course = Course({}, {})
        self.deaths: list[Death] = []

    async def rehearse(self, *, watched: Party | None = None) -> None:
        """Play the scenario with nobody killed; where that ends is where every run has to.

        Args:
            watched: Whose deaths to note.
        """
        await self._begin(self._scenario.running)
        self._world.gate.watch(watched)
        await self._scenario.play(self._world)
        state = await _quiet_state(self._looker)
        assert self._broken_promises() == []
        self.course = Course(state, dict(self._world.gate.calls))
        self.deaths, self._world.gate.deaths = self._world.gate.deaths, []

    async def go_on_from(self, death: Death) -> None:
        """Play what is left of the scenario, from what a program left that was killed.

        Raises:
            AssertionError: It did not end where it should, or a promise was broken.
        """
        party = death.point.party
        await self._begin(other for other in self._scenario.running if other is not party)
        self._world.restore(death.left)
        self._check_promises(death.at)
        if party in self._scenario.running:
            self._world.start(party)
        await self._play_on(death.point, death.at)

    async def kill_at(self, point: Point) -> bool:
        """Play the scenario with a program killed and started again.

        Returns:
            Whether it made so many calls.

        Raises:
            AssertionError: It did not end where it should, or a promise was broken.
        """
        await self._begin(self._scenario.running)
        self._world.gate.kill_at(point)
        async with background(self._bring_back(), name="bring-back"):
            await self._play_on(point, None)
        return self._world.gate.killed_at is not None

    async def _play_on(self, point: Point, at: Seen | None) -> None:
        gate = self._world.gate
        try:
            await self._scenario.play(self._world)
            found = await _until_state(self._world, self._looker, self.course.state)
            if self._world.gate.killed_at is not None and not self._world.is_alive(point.party):
                # At its last call: everything was there already.
                found = await self._state_once_back(point.party)
        except TowlineError as error:
            where = _describe(at or gate.killed_at)
            raise AssertionError(f"killed at {point} ({where}): {error}") from error
        left = differences(self.course.state, found) + self._broken_promises()
        where = _describe(at or gate.killed_at)
        assert left == [], f"killed at {point} ({where}):\n" + "\n".join(left)

    async def _state_once_back(self, party: Party) -> State:
        async def look() -> bool | None:
            return self._world.is_alive(party) or None

        await until(f"the {party} started again", look, within=PATIENCE)
        await until_at_rest(self._world, party)
        return await _until_state(self._world, self._looker, self.course.state)

    async def _begin(self, running: Iterable[Party]) -> None:
        """Have everything as at the beginning, and these programs at rest.

        A hub that runs goes on running: it sees what there was removed, and has nothing to do.
        """
        starting = tuple(running)
        world = self._world
        world.gate.kill_at(None)
        world.issued.clear()
        if Party.HUB in starting and world.is_alive(Party.HUB) and self._at_rest is not None:
            await world.kill_all(Party.AGENT)
            world.restore(self._beginning)
            await self._start(starting)
            if self._looker.state() == self._at_rest:
                return
        await world.kill_all()
        world.restore(self._beginning)
        await self._start(starting)
        if self._at_rest is None and starting:
            self._at_rest, self._beginning = self._looker.state(), world.stored()

    async def _start(self, parties: tuple[Party, ...]) -> None:
        for party in parties:
            self._world.start(party)
        if parties:
            await until_at_rest(self._world, *parties)

    async def _bring_back(self) -> None:
        await self._world.gate.killed.wait()
        self._check_promises(self._world.gate.killed_at)
        await self._world.bring_back()

    def _check_promises(self, at: Seen | None) -> None:
        promises = self._broken_promises()
        assert promises == [], f"at the moment of {_describe(at)}: {promises}"

    def _broken_promises(self) -> list[str]:
        return broken_promises(self._world, each_identity_asks=self._scenario.requests_each)


@asynccontextmanager
async def open_stage(
    scenario: Scenario,
    *,
    folder: Path,
    course: Course | None = None,
    watched: Party | None = None,
) -> AsyncIterator[Stage]:
    """Make a world for one scenario, and see how it goes when nobody is killed.

    Args:
        scenario: What is to be played.
        folder: Private folder for kubeconfigs.
        course: How it goes, if that has been seen in another world.
        watched: Whose deaths to note while it is seen.
    """
    async with open_world(folder, webhook=scenario.webhook) as world:
        await scenario.prepare(world)
        stage = Stage(scenario, world)
        if course is None:
            await stage.rehearse(watched=watched)
        else:
            stage.course = course
        yield stage


def _describe(at: Seen | None) -> str:
    return "nowhere" if at is None else f"{at.verb} {at.resource or at.path} {at.name}".strip()


async def _until_state(world: World, looker: Looker, wanted: State) -> State:
    """Return the state once it is as wanted, or as it is when patience ends."""
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while (found := looker.state()) != wanted and time.monotonic() < deadline:
        world.check_running()
        await asyncio.sleep(_LOOK_SECONDS)
    return found


async def _quiet_state(looker: Looker) -> State:
    """Return the state once it has been the same for a while."""
    last, since = looker.state(), time.monotonic()
    while time.monotonic() - since < _QUIET_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        if (now := looker.state()) != last:
            last, since = now, time.monotonic()
    return last
