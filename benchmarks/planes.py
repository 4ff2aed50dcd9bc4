"""Compares the embedded plane with the real one, and loads it with a fleet's leases.

Run it as `python benchmarks/planes.py`; see README.md beside it.
"""

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence

from lease_load import LeaseLoad, renew_leases
from plane_joins import Joins, join_clusters, milliseconds_from_cold, milliseconds_to_start
from spread import Spread
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.kube_plane import KubePlane

STARTS_WITHIN = 300.0
"""Milliseconds that an embedded plane may take to start."""
TIMES_FASTER = 5.0
"""How many times faster a cluster is to join from nothing through embedded planes."""


def report(
    starts: Sequence[float],
    cold: Sequence[float],
    joins: Mapping[str, Joins],
    load: LeaseLoad,
) -> str:
    """Return what was found, for people.

    Args:
        starts: Milliseconds until an embedded plane was up.
        cold: The same with a new Python each time.
        joins: What joining took: `cold` on embedded planes before everything was imported, then
            `embedded` and `kube`.
        load: What renewing Leases took.
    """
    embedded, kube = joins["embedded"], joins["kube"]
    lines = [
        f"embedded plane up in this process: {Spread.of(starts).text(0)} ms",
        f"as a new Python, imports included: {Spread.of(cold).text(0)} ms",
        f"first cluster joined, imports included: {joins['cold'].from_nothing:.1f} s from nothing",
        "",
        f"{'':34}{'embedded':>10}{'kube':>10}{'ratio':>8}",
        _compared("from nothing to a joined cluster", embedded.from_nothing, kube.from_nothing),
        _compared("- two planes up", embedded.planes_up, kube.planes_up),
        _compared("- a new hub takes clusters", embedded.hub_ready, kube.hub_ready),
        _compared("- the first cluster joins", embedded.first, kube.first),
        _compared("a later join (median)", embedded.later, kube.later),
        "",
    ]
    return (
        "\n".join(lines)
        + f"""
{load.leases} Leases, made at {load.created_per_second:.0f}/s
renewed at {load.renewed_per_second:.0f}/s for {load.seconds:.0f} s, \
{load.failed} failed, {load.seen_by_watch} seen by a watch
a renewal took {load.milliseconds_of(0.5):.1f} ms (median), \
{load.milliseconds_of(0.99):.1f} ms (99 %)
the plane's process used {load.cpu_share * 100:.0f} % of a core and \
{load.memory_after_mib:.0f} MiB ({load.memory_before_mib:.0f} before the Leases)"""
    )


def shortcomings(starts: Sequence[float], joins: Mapping[str, Joins], load: LeaseLoad) -> list[str]:
    """Return what is not as it has to be."""
    found = []
    slowest = max(starts)
    if slowest >= STARTS_WITHIN:
        found.append(f"an embedded plane took {slowest:.0f} ms to start")
    faster = joins["kube"].from_nothing / joins["embedded"].from_nothing
    if faster < TIMES_FASTER:
        found.append(f"joining from nothing is only {faster:.1f} times faster")
    # Timers are never early, so a rate that was held is a hair below the one that was asked for.
    if load.renewed_per_second < 0.99 * load.wanted_per_second:
        found.append(f"Leases were renewed at {load.renewed_per_second:.0f}/s only")
    renewed = len(load.milliseconds)
    if load.failed or load.seen_by_watch != renewed:
        found.append(
            f"of {renewed} renewals {load.failed} failed, and a watch saw {load.seen_by_watch}"
        )
    return found


def _compared(what: str, embedded: float, kube: float) -> str:
    return f"{what:34}{embedded:8.3f} s{kube:8.3f} s{kube / embedded:7.1f}x"


async def measure(options: argparse.Namespace) -> int:
    """Measure everything, one after another, and print it; return the exit status."""
    # Programs that are stopped tell of the connections they lose, which would stand in between.
    logging.disable()
    load = os.getloadavg()[0]
    cold = await milliseconds_from_cold(options.starts)
    starts = await milliseconds_to_start(options.starts)
    joins = {
        "cold": await join_clusters(EmbeddedPlane, others=0),
        "embedded": await join_clusters(EmbeddedPlane, others=options.joins),
        "kube": await join_clusters(KubePlane, others=options.joins),
    }
    leases = await renew_leases(options.leases, per_second=options.rate, seconds=options.seconds)
    if options.output == "json":
        found = {
            "load_before": load,
            "start_milliseconds": starts,
            "cold_start_milliseconds": cold,
            "joins": {kind: dataclasses.asdict(found) for kind, found in joins.items()},
            "leases": dataclasses.asdict(leases),
        }
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        print(f"{os.cpu_count()} cores, load {load:.1f} before\n")
        print(report(starts, cold, joins, leases))
    short = shortcomings(starts, joins, leases)
    for line in short:
        print(f"not as it has to be: {line}", file=sys.stderr)
    return 1 if short else 0


def main() -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=10, help="planes to start (default 10)")
    parser.add_argument("--joins", type=int, default=5, help="later joins (default 5)")
    parser.add_argument("--leases", type=int, default=10_000, help="default 10000")
    parser.add_argument("--rate", type=float, default=500.0, help="renewals a second (500)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of renewing (default 30)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
