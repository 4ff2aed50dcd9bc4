"""Hub and agent are killed before and after every call they make, one run for each such point.

Whatever happens, everything ends as if nobody had been killed: the same objects on both clusters,
no request too many, nothing approved that should not be, and no key lost.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crash_points.enumeration import open_stage
from crash_points.scenarios import SCENARIOS
from crash_points.world import Party, Point
from support.crash_point_count import CRASH_POINTS_PROPERTY
from towline_sandbox.embedded.faults import Moment

SHARES = 4
"""Into how many tests the points of one scenario, program and moment are dealt."""

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("party", Party)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_killed_anywhere_it_ends_as_it_should(
    name: str,
    party: Party,
    moment: Moment,
    share: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Every point there is: the run that makes fewer calls than that ends the count."""
    points = 0
    async with open_stage(SCENARIOS[name], folder=tmp_path) as stage:
        for number in count(share + 1, SHARES):
            if await stage.kill_at(Point(party, moment, number)) is None:
                break
            points += 1
        assert points or stage.course.calls[party] <= share
    record_property(CRASH_POINTS_PROPERTY, (name, points))
