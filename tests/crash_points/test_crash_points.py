"""Hub and agent are killed before and after every call they make, one run for each such point.

Whatever happens, everything ends as if nobody had been killed: the same objects on both clusters,
no request too many, nothing approved that should not be, and no key lost.
"""

from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crash_points.enumeration import Course, Stage, open_stage
from crash_points.scenarios import SCENARIOS, Scenario
from crash_points.world import Party, Point
from support.crash_point_count import CRASH_POINTS_PROPERTY
from towline_kube.task_groups import TaskGroup
from towline_sandbox.embedded.faults import Moment

WORLDS = 2
"""In how many worlds at once a test plays: programs that were killed wait now and then."""
CALLS_A_WORLD = 10
"""For fewer points than this, another world takes longer to make than to play in."""

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("name", "party", "moment"),
    [
        (scenario.name, party, moment)
        for scenario in SCENARIOS.values()
        for party in scenario.parties
        for moment in scenario.moments
    ],
)
async def test_killed_anywhere_it_ends_as_it_should(
    name: str,
    party: Party,
    moment: Moment,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every point there is."""
    scenario = SCENARIOS[name]
    if scenario.is_all_stored(without=party):
        points = await _go_on_from_each(scenario, party, moment, folder=tmp_path)
    else:
        points = await _kill_at_each(scenario, party, moment, folder=tmp_path)
    # What the hub would remove, the plane's garbage collector often has removed before.
    assert points or party is Party.HUB, "no call was met"
    record_property(CRASH_POINTS_PROPERTY, (name, points))


async def _go_on_from_each(
    scenario: Scenario, party: Party, moment: Moment, *, folder: Path
) -> int:
    """Note what the program leaves at each of its calls, and go on from there."""
    async with open_stage(scenario, folder=folder, watched=party) as stage:
        deaths = [death for death in stage.deaths if death.point.moment is moment]
        for death in deaths:
            await stage.go_on_from(death)
    return len(deaths)


async def _kill_at_each(scenario: Scenario, party: Party, moment: Moment, *, folder: Path) -> int:
    """Kill it at one call after the other; a run with fewer calls than that ends the count."""
    points: Counter[int] = Counter()

    async def play(stage: Stage, world: int, worlds: int) -> None:
        for number in count(world + 1, worlds):
            if not await stage.kill_at(Point(party, moment, number)):
                return
            points[world] += 1

    async def play_too(world: int, worlds: int, course: Course) -> None:
        async with open_stage(scenario, folder=folder / str(world), course=course) as stage:
            await play(stage, world, worlds)

    async with open_stage(scenario, folder=folder / "0") as stage, TaskGroup() as group:
        worlds = min(WORLDS, 1 + stage.course.calls[party] // CALLS_A_WORLD)
        for world in range(1, worlds):
            group.create_task(play_too(world, worlds, stage.course), name=f"play/{world}")
        await play(stage, 0, worlds)
    return points.total()
