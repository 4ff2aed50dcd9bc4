"""The figures that the fleet's benchmark publishes are added up and judged correctly."""

from dataclasses import replace

import pytest

from fleet import report, shortcomings
from fleet_joins import FleetJoin
from fleet_rest import FleetRest
from hub_under_test import FLOOR, OURS

LEAST = FleetJoin(
    hub=FLOOR,
    limited=False,
    clusters=4,
    seconds=10.0,
    each=(1.0, 2.0, 3.0, 10.0),
    hub_cpu=0.016,
    hub_peak_mib=80.0,
    server_cpu=5.0,
    server_peak_mib=300.0,
)
OWN = replace(LEAST, hub=OURS, seconds=12.4, hub_cpu=0.032)
REST = FleetRest(
    clusters=10_000,
    accepted_in=100.0,
    seconds=60.0,
    renewals=10_000,
    cpu_share=0.2,
    resident_mib=220.0,
    peak_mib=240.0,
    writes=0,
)


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 3.0), (0.95, 10.0), (1.0, 10.0)])
def test_a_share_of_the_clusters_had_joined(share: float, seconds: float) -> None:
    """The slowest is there too, and nothing behind it."""
    assert LEAST.seconds_of(share) == seconds


def test_people_are_told_what_each_join_cost() -> None:
    """Processor time is told by the join, so that fleets of different sizes compare."""
    told = report([LEAST, OWN], REST)
    assert "floor                    lifted        4     10.0" in told
    assert OWN.hub_milliseconds_each == pytest.approx(8.0)
    assert "10000 renewals seen, 0 writes by the hub" in told
    assert "used 20 % of a core and 220 MiB (at most 240 since it started)" in told


def test_what_holds_is_not_complained_of() -> None:
    """The bounds themselves are within bounds."""
    assert shortcomings([LEAST, OWN], REST) == []
    assert shortcomings([LEAST, OWN], None) == []


@pytest.mark.parametrize(
    ("join", "told"),
    [
        (replace(OWN, seconds=12.6), "1.26 times as long as the least hub needs"),
        (replace(OWN, hub_cpu=0.036), "used 9.0 ms for each join"),
        (replace(OWN, hub_peak_mib=101.0), "held 101 MiB"),
    ],
)
def test_joins_that_cost_too_much_are_named(join: FleetJoin, told: str) -> None:
    """Time, processor and memory are three different things."""
    (found,) = shortcomings([LEAST, join], None)
    assert told in found


def test_only_runs_with_the_same_signing_limit_are_compared() -> None:
    """A signer at its default limit is slower than any hub; that is no fault of ours."""
    limited = replace(OWN, limited=True, seconds=30.0)
    assert shortcomings([LEAST, limited], None) == []
    assert shortcomings([LEAST, limited, replace(LEAST, limited=True, seconds=10.0)], None) != []


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (replace(REST, peak_mib=301.0), "with 10000 clusters the hub held 301 MiB"),
        (replace(REST, cpu_share=0.51), "at rest the hub used 51 % of a core"),
        (replace(REST, writes=1), "at rest the hub wrote 1 times"),
    ],
)
def test_a_restless_hub_is_named(rest: FleetRest, told: str) -> None:
    """A fleet at rest is to cost next to nothing."""
    assert shortcomings([], rest) == [told]
