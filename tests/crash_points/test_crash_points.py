"""Hub and agent are killed before and after every call they make, one run for each such point.

Whatever happens, everything ends as if nobody had been killed: the same objects on both clusters,
no request too many, nothing approved that should not be, and no key lost.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crash_points.enumeration import Course, killed, undisturbed
from crash_points.scenarios import SCENARIOS, Scenario
from crash_points.world import Party, Point
from support.crash_point_count import CRASH_POINTS_PROPERTY
from towline_sandbox.embedded.faults import Moment

SHARES = 4
"""Into how many tests the points of one scenario, program and moment are dealt."""

pytestmark = pytest.mark.timeout(300)

_courses: dict[str, Course] = {}


async def course_of(scenario: Scenario, folder: Path) -> Course:
    """Return how the scenario goes when nobody is killed; found out once for each worker."""
    if scenario.name not in _courses:
        _courses[scenario.name] = await undisturbed(scenario, folder=folder)
    return _courses[scenario.name]


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
    scenario = SCENARIOS[name]
    course = await course_of(scenario, tmp_path / "undisturbed")
    points = 0
    for number in count(share + 1, SHARES):
        point = Point(party, moment, number)
        folder = tmp_path / str(number)
        if await killed(scenario, point, wanted=course.state, folder=folder) is None:
            break
        points += 1
    assert points or course.calls[party] <= share
    record_property(CRASH_POINTS_PROPERTY, (name, points))
