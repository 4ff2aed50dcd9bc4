"""Runs a scenario once for each point at which a program can be killed."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from crash_points.invariants import broken_promises
from crash_points.scenarios import PATIENCE, Scenario
from crash_points.state import Looker, State, differences
from crash_points.world import Party, Point, World, open_world
from support.tasks import background

_QUIET_SECONDS = 0.4
"""Nothing more is written after this long without a write."""
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went.

    Args:
        state: What was on the planes in the end.
        calls: How many calls each program made.
    """

    state: State
    calls: dict[Party, int]


async def undisturbed(scenario: Scenario, *, folder: Path) -> Course:
    """Run the scenario with nobody killed, and return where it ends once all is quiet."""
    async with open_world(folder) as world:
        await scenario.prepare(world)
        world.gate.kill_at(None)
        await scenario.play(world)
        state = await _quiet_state(world)
        promises = broken_promises(world, each_identity_asks=scenario.requests_each)
        assert promises == [], promises
        return Course(state, dict(world.gate.calls))


async def killed(scenario: Scenario, point: Point, *, wanted: State, folder: Path) -> str | None:
    """Run the scenario with a program killed and started again; it has to end where it should.

    Returns:
        At which call the program was killed; None if it did not make so many.

    Raises:
        AssertionError: It did not converge, or a promise was broken; says which and how.
    """
    async with open_world(folder) as world:
        await scenario.prepare(world)
        world.gate.kill_at(point)
        async with background(_bring_back(world, scenario), name="bring-back"):
            await scenario.play(world)
            found = await _until_state(world, wanted)
        at = world.gate.killed_at
        if at is None:
            return None
        call = f"{at.verb} {at.resource or at.path} {at.name}".strip()
        left = differences(wanted, found)
        left += broken_promises(world, each_identity_asks=scenario.requests_each)
        assert left == [], f"killed at {point} ({call}):\n" + "\n".join(left)
        return call


async def _bring_back(world: World, scenario: Scenario) -> None:
    await world.gate.killed.wait()
    promises = broken_promises(world, each_identity_asks=scenario.requests_each)
    assert promises == [], f"at the moment of {world.gate.killed_at}"
    await world.bring_back()


async def _until_state(world: World, wanted: State) -> State:
    """Return the state once it is as wanted, or as it is when patience ends."""
    looker, deadline = Looker(world), time.monotonic() + PATIENCE.total_seconds()
    while (found := looker.state()) != wanted and time.monotonic() < deadline:
        world.check_running()
        await asyncio.sleep(_LOOK_SECONDS)
    return found


async def _quiet_state(world: World) -> State:
    """Return the state once it has been the same for a while."""
    looker = Looker(world)
    last, since = looker.state(), time.monotonic()
    while time.monotonic() - since < _QUIET_SECONDS:
        await asyncio.sleep(_LOOK_SECONDS)
        if (now := looker.state()) != last:
            last, since = now, time.monotonic()
    return last
