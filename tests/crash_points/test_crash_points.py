"""Hub and agent are killed before and after every call they make.

Whatever happens, everything ends as if nobody had been killed: the same objects on both clusters,
no request too many, nothing approved that should not be, and no key lost.
"""

from collections import Counter
from collections.abc import Callable
from itertools import count, groupby
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


def _players(*, all_is_stored: bool) -> list[tuple[Scenario, Party]]:
    return [
        (scenario, party)
        for scenario in SCENARIOS.values()
        for party in scenario.parties
        if scenario.is_all_stored(without=party) is all_is_stored
    ]


@pytest.mark.parametrize(("scenario", "party"), _players(all_is_stored=True), ids=str)
async def test_from_whatever_it_leaves_it_ends_as_it_should(
    scenario: Scenario, party: Party, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every point there is, where nobody lives on who remembers more than is stored.

    Points between which nothing was written leave the same, so one run is played for all of them.
    """
    async with open_stage(scenario, folder=tmp_path, watched=party) as stage:
        deaths = [death for death in stage.deaths if death.point.moment in scenario.moments]
        assert deaths, "no call was met"
        alike = groupby(deaths, key=lambda death: death.left)
        beginnings = [next(same) for _left, same in alike]
        for death in beginnings:
            await stage.go_on_from(death)
    record_property(CRASH_POINTS_PROPERTY, (scenario.name, len(deaths), len(beginnings)))


@pytest.mark.parametrize(
    ("scenario", "party", "moment"),
    [
        (scenario, party, moment)
        for scenario, party in _players(all_is_stored=False)
        for moment in scenario.moments
    ],
    ids=str,
)
async def test_killed_anywhere_it_ends_as_it_should(
    scenario: Scenario,
    party: Party,
    moment: Moment,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every point there is; whoever lives on remembers, so each run goes all the way."""
    points = await _kill_at_each(scenario, party, moment, folder=tmp_path)
    # What the hub would remove, the plane's garbage collector often has removed before.
    assert points or party is Party.HUB, "no call was met"
    record_property(CRASH_POINTS_PROPERTY, (scenario.name, points, points))


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
