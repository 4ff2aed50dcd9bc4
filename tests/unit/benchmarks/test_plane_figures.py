"""The figures that the benchmark of planes publishes are added up and judged correctly."""

from dataclasses import replace

import pytest

from lease_load import LeaseLoad
from plane_joins import Joins
from planes import report, shortcomings

EMBEDDED = Joins(planes_up=0.05, hub_ready=0.1, first=0.15, others=(0.3, 0.1, 0.2))
KUBE = Joins(planes_up=10.0, hub_ready=0.5, first=1.5, others=(0.4,))
JOINS = {"cold": replace(EMBEDDED, hub_ready=1.0), "embedded": EMBEDDED, "kube": KUBE}
LOAD = LeaseLoad(
    leases=100,
    created_per_second=900.0,
    wanted_per_second=500.0,
    renewed_per_second=499.9,
    seconds=0.4,
    failed=0,
    seen_by_watch=200,
    milliseconds=tuple(float(number) for number in range(1, 201)),
    cpu_share=0.456,
    memory_before_mib=60.0,
    memory_after_mib=120.0,
)


def test_a_join_from_nothing_counts_everything_before_it() -> None:
    """Planes that start fast and then keep the hub waiting would be no gain."""
    assert EMBEDDED.from_nothing == pytest.approx(0.3)
    assert EMBEDDED.later == 0.2


@pytest.mark.parametrize(("share", "milliseconds"), [(0.5, 101.0), (0.99, 199.0), (1.0, 200.0)])
def test_a_share_of_renewals_took_no_longer(share: float, milliseconds: float) -> None:
    """The last one is there too, and nothing behind it."""
    assert LOAD.milliseconds_of(share) == milliseconds


def test_people_are_told_ratios_and_shares() -> None:
    """Whoever reads the table need not work out what is faster by how much."""
    told = report([20.0, 30.0, 40.0], [700.0], JOINS, LOAD)
    assert "embedded plane up in this process: 30  (20-40) ms" in told
    assert "from nothing to a joined cluster     0.300 s  12.000 s   40.0x" in told
    assert "imports included: 1.2 s from nothing" in told
    assert "used 46 % of a core and 120 MiB (60 before the Leases)" in told


def test_what_holds_is_not_complained_of() -> None:
    """A rate that timers keep a hair below the wanted one is the wanted one."""
    assert shortcomings([299.0], JOINS, LOAD) == []


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (replace(LOAD, renewed_per_second=480.0), "renewed at 480/s only"),
        (replace(LOAD, failed=1), "of 200 renewals 1 failed"),
        (replace(LOAD, seen_by_watch=199), "a watch saw 199"),
    ],
)
def test_leases_that_come_too_short_are_named(load: LeaseLoad, told: str) -> None:
    """A slow plane, a refused call and a lost event are three different things."""
    (found,) = shortcomings([20.0], JOINS, load)
    assert told in found


def test_slow_starts_and_slow_joins_are_named() -> None:
    """The slowest start counts, and a join from nothing on planes of both kinds."""
    slow = JOINS | {"embedded": replace(EMBEDDED, planes_up=3.0)}
    assert shortcomings([20.0, 301.0], slow, LOAD) == [
        "an embedded plane took 301 ms to start",
        "joining from nothing is only 3.7 times faster",
    ]
