"""Runs a scenario once for each point at which a program can be killed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from crash_points.invariants import broken_promises
from crash_points.scenarios import PATIENCE, Scenario
from crash_points.state import Looker, State, differences
from crash_points.world import Party, Point, World, open_world
from support.tasks import background
from towline_api.errors import TowlineError
from towline_sandbox.embedded.plane import EmbeddedPlane

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
        self._beginning = [plane.snapshot() for plane in self._planes]
        self._looker = Looker(world)
        self.course = Course({}, {})

    @property
    def _planes(self) -> tuple[EmbeddedPlane, EmbeddedPlane]:
        return (self._world.hub_plane, self._world.spoke_plane)

    async def rehearse(self) -> None:
        """Play the scenario with nobody killed; where that ends is where every run has to."""
        await self._begin(None)
        await self._scenario.play(self._world)
        state = await _quiet_state(self._looker)
        assert self._broken_promises() == []
        self.course = Course(state, dict(self._world.gate.calls))

    async def kill_at(self, point: Point) -> str | None:
        """Play the scenario with a program killed and started again.

        Returns:
            At which call the program was killed; None if it did not make so many.

        Raises:
            AssertionError: It did not end where it should, or a promise was broken.
        """
        await self._begin(point)
        try:
            async with background(self._bring_back(), name="bring-back"):
                await self._scenario.play(self._world)
                found = await _until_state(self._world, self._looker, self.course.state)
        except TowlineError as error:
            raise AssertionError(f"killed at {point} ({self._killed_at}): {error}") from error
        if self._world.gate.killed_at is None:
            return None
        left = differences(self.course.state, found) + self._broken_promises()
        assert left == [], f"killed at {point} ({self._killed_at}):\n" + "\n".join(left)
        return self._killed_at

    async def _begin(self, point: Point | None) -> None:
        await self._world.kill_all()
        self._world.gate.kill_at(None)
        self._world.issued.clear()
        for plane, beginning in zip(self._planes, self._beginning, strict=True):
            plane.restore(beginning)
        await self._scenario.begin(self._world)
        self._world.gate.kill_at(point)

    async def _bring_back(self) -> None:
        await self._world.gate.killed.wait()
        promises = self._broken_promises()
        assert promises == [], f"at the moment of {self._killed_at}: {promises}"
        await self._world.bring_back()

    @property
    def _killed_at(self) -> str:
        at = self._world.gate.killed_at
        return "nowhere" if at is None else f"{at.verb} {at.resource or at.path} {at.name}".strip()

    def _broken_promises(self) -> list[str]:
        return broken_promises(self._world, each_identity_asks=self._scenario.requests_each)


@asynccontextmanager
async def open_stage(
    scenario: Scenario, *, folder: Path, course: Course | None = None
) -> AsyncIterator[Stage]:
    """Make a world for one scenario, and see how it goes when nobody is killed.

    Args:
        scenario: What is to be played.
        folder: Private folder for kubeconfigs.
        course: How it goes, if that has been seen in another world.
    """
    async with open_world(folder, webhook=scenario.webhook) as world:
        await scenario.prepare(world)
        stage = Stage(scenario, world)
        if course is None:
            await stage.rehearse()
        else:
            stage.course = course
        yield stage


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
