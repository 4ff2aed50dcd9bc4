"""Joins a whole fleet to a hub at once, and watches a large one at rest.

Run it as `python benchmarks/fleet.py`; see README.md beside it.
"""

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Sequence
from statistics import median

from fleet_joins import FleetJoin, join_fleet
from fleet_rest import FleetRest, rest_fleet
from hub_under_test import FLOOR, OURS

FLOOR_RATIO = 1.25
"""How many times longer than the least hub there can be ours may take."""
FLOOR_CPU_RATIO = 2.0
"""How many times the floor's processor time ours may take for a join."""
MILLISECONDS_EACH = 8.0
"""The same where there is no floor to compare with, which takes half of it on a quiet machine with
two cores, and up to all of it on a busy one."""
JOIN_MIB = 100.0
REST_MIB = 300.0
REST_CPU_SHARE = 0.5


def report(joins: Sequence[FleetJoin], rest: FleetRest | None) -> str:
    """Return what was found, for people."""
    header = (
        f"{'hub':22}{'signing':>9}{'clusters':>9}{'seconds':>9}{'p50':>7}{'p95':>7}"
        f"{'hub ms/join':>13}{'hub MiB':>9}{'server s':>10}{'server MiB':>12}"
    )
    tables = [header, *map(_row, joins), *_ratios(joins), *(_lines(rest) if rest else [])]
    return "\n".join(tables)


def _row(join: FleetJoin) -> str:
    return (
        f"{join.hub[:21]:22}{'default' if join.limited else 'lifted':>9}{join.clusters:9}"
        f"{join.seconds:9.1f}{join.seconds_of(0.5):7.1f}{join.seconds_of(0.95):7.1f}"
        f"{join.hub_milliseconds_each:13.1f}{join.hub_peak_mib:9.0f}"
        f"{join.server_cpu:10.1f}{join.server_peak_mib:12.0f}"
    )


def _lines(rest: FleetRest) -> list[str]:
    seen = f"{rest.renewals} renewals seen, {rest.writes} writes by the hub"
    memory = f"{rest.resident_mib:.0f} MiB (at most {rest.peak_mib:.0f} since it started)"
    return [
        "",
        f"{rest.clusters} clusters, accepted in {rest.accepted_in:.0f} s",
        f"at rest for {rest.seconds:.0f} s: {seen}",
        f"the hub used {rest.cpu_share * 100:.0f} % of a core and {memory}",
    ]


def _ratio(ours: Sequence[FleetJoin], floor: Sequence[FleetJoin]) -> float | None:
    """Return how much longer ours takes, the median of all rounds; None if there is no floor.

    Each is compared with the floor of its own round: what else the machine does changes within
    minutes by more than hubs differ.
    """
    ratios = [one.seconds / other.seconds for one, other in zip(ours, floor, strict=False)]
    return median(ratios) if ratios else None


def _ratios(joins: Sequence[FleetJoin]) -> list[str]:
    lines = []
    for limited in (False, True):
        kind = [join for join in joins if join.limited is limited]
        floor = [join for join in kind if join.hub == FLOOR]
        for hub in dict.fromkeys(join.hub for join in kind if join.hub != FLOOR):
            ratio = _ratio([join for join in kind if join.hub == hub], floor)
            if ratio is not None:
                signing = "default" if limited else "lifted"
                lines.append(f"{hub}, signing {signing}: {ratio:.2f} times the floor's seconds")
    return ["", *lines] if lines else []


def shortcomings(joins: Sequence[FleetJoin], rest: FleetRest | None) -> list[str]:
    """Return what is not as it has to be."""
    found = []
    for limited in (False, True):
        ours, floor = (
            [join for join in joins if join.hub == hub and join.limited is limited]
            for hub in (OURS, FLOOR)
        )
        if not ours:
            continue
        ratio = _ratio(ours, floor)
        if ratio is not None and ratio > FLOOR_RATIO:
            found.append(f"joining took {ratio:.2f} times as long as the least hub needs")
        each = median(join.hub_milliseconds_each for join in ours)
        least = median([join.hub_milliseconds_each for join in floor] or [0.0])
        if each > (FLOOR_CPU_RATIO * least or MILLISECONDS_EACH):
            found.append(f"the hub used {each:.1f} ms for each join, the least one {least:.1f}")
        held = max(join.hub_peak_mib for join in ours)
        if held > JOIN_MIB:
            found.append(f"the hub held {held:.0f} MiB")
    if rest is not None:
        if rest.peak_mib > REST_MIB:
            found.append(f"with {rest.clusters} clusters the hub held {rest.peak_mib:.0f} MiB")
        if rest.cpu_share > REST_CPU_SHARE:
            found.append(f"at rest the hub used {rest.cpu_share * 100:.0f} % of a core")
        if rest.writes:
            found.append(f"at rest the hub wrote {rest.writes} times")
    return found


async def measure(options: argparse.Namespace) -> int:
    """Measure everything, one after another, and print it; return the exit status."""
    # Programs that are stopped tell of the connections they lose, which would stand in between.
    logging.disable()
    load = os.getloadavg()[0]
    joins = [
        await join_fleet(hub, clusters=options.clusters, limited=limited)
        for limited in (False, True)
        for _ in range(options.rounds)
        for hub in (options.hub or (FLOOR, OURS))
        if options.signing in ("both", "default" if limited else "lifted")
    ]
    rest = await rest_fleet(options.rest, seconds=options.seconds) if options.rest else None
    if options.output == "json":
        found = {
            "load_before": load,
            "joins": [dataclasses.asdict(join) for join in joins],
            "rest": None if rest is None else dataclasses.asdict(rest),
        }
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        print(f"{os.cpu_count()} cores, load {load:.1f} before\n")
        print(report(joins, rest))
    short = shortcomings(joins, rest)
    for line in short:
        print(f"not as it has to be: {line}", file=sys.stderr)
    return 1 if short else 0


def main() -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=500, help="that join (default 500)")
    parser.add_argument(
        "--hub",
        action="append",
        help="floor, floor-with-rights, towline, or a command with {kubeconfig}; "
        "again for several (floor, towline)",
    )
    parser.add_argument(
        "--signing",
        choices=("lifted", "default", "both"),
        default="both",
        help="whether Kubernetes' signer has its default limit (both)",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="joins with each hub, by turns (default 3)"
    )
    parser.add_argument(
        "--rest", type=int, default=10_000, help="clusters at rest (10000; 0: none)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of rest (default 60)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
