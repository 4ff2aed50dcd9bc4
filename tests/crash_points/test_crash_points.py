"""Hub and agent are killed before and after every call they make, one run for each such point.

Whatever happens, everything ends as if nobody had been killed: the same objects on both clusters,
no request too many, nothing approved that should not be, and no key lost.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crash_points.enumeration import open_stage
from crash_points.scenarios import SCENARIOS
from crash_points.world import Party, Point
from support.crash_point_count import CRASH_POINTS_PROPERTY
from towline_sandbox.embedded.faults import Moment

WORLDS = 3
"""In how many worlds at once a test plays: programs that were killed wait now and then."""

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("party", Party)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_killed_anywhere_it_ends_as_it_should(
    name: str,
    party: Party,
    moment: Moment,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every point there is: the run that makes fewer calls than that ends the count."""
    points = [0] * WORLDS

    async def play(world: int) -> None:
        async with open_stage(SCENARIOS[name], folder=tmp_path / str(world)) as stage:
            for number in count(world + 1, WORLDS):
                if await stage.kill_at(Point(party, moment, number)) is None:
                    break
                points[world] += 1

    async with asyncio.TaskGroup() as group:
        for world in range(WORLDS):
            group.create_task(play(world), name=f"play/{world}")
    # What the hub would remove, the plane's garbage collector often has removed before.
    assert sum(points) or party is Party.HUB, "no call was met"
    record_property(CRASH_POINTS_PROPERTY, (name, sum(points)))
