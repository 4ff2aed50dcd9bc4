"""Takes the hub away from a fleet of agents, gives it back, and watches them return.

Run it as `python benchmarks/outage.py`; see README.md beside it.
"""

import argparse
import asyncio
import dataclasses
import json
import logging
import math
import os
import sys
from datetime import timedelta

from outage_fleet import Outage, lose_hub
from towline_agent.channel.hub_return import (
    CLUSTER_LOOPS,
    DEFAULT_SPREAD,
    return_policy,
    tries_per_second,
)
from towline_api.durations import parse_duration
from towline_kube.reflector import WATCH_BACKOFF

CALLS_PER_TRY = 2
"""A lease is read before it is renewed after a failure; a watch too old to go on begins with a
list."""
SLACK_SECONDS = 5.0
"""For the call itself, on a machine where everything else runs as well."""
MIB_EACH = 8.0
"""Memory of one agent beyond what all in a process share."""


def most_tries(outage: Outage) -> float:
    """Return how many tries may fall into one second: the stated average, and what chance adds."""
    spread = timedelta(seconds=outage.spread)
    average = tries_per_second(outage.agents, loops=CLUSTER_LOOPS, spread=spread)
    return average + 5 * math.sqrt(average)


def report(outage: Outage) -> str:
    """Return what was found, for people."""
    back = outage.back_after
    half = back[len(back) // 2]
    tries = sum(outage.away_tries) / max(outage.lasted, 1)
    bound = tries_per_second(outage.agents, spread=timedelta(seconds=outage.spread))
    lines = {
        "agents in this process": f"{outage.agents}, joined in {outage.joined_in:.0f} s",
        "memory of each": f"{outage.mib_each:.1f} MiB",
        "hub away for": f"{outage.lasted:.0f} s",
        "tries a second meanwhile": f"{tries:.1f}, at most {outage.away_peak} (bound {bound:.0f})",
        "processor meanwhile": f"{outage.cpu_share * 100:.1f} % of a core",
        "first agent back after": f"{back[0]:.1f} s",
        "half of them after": f"{half:.1f} s",
        "all after": f"{back[-1]:.1f} s, with all their loops {outage.whole_after:.1f} s",
        "calls answered a second then": f"at most {outage.return_peak}",
        "new certificate requests": str(outage.new_requests),
        "clusters registered anew": str(outage.new_clusters),
        "changed specs": str(outage.changed_specs),
    }
    return "\n".join(f"{label:30}{value}" for label, value in lines.items())


def shortcomings(outage: Outage) -> list[str]:
    """Return what is not as it has to be."""
    found = []
    most = most_tries(outage)
    if outage.away_peak > most:
        found.append(f"{outage.away_peak} tries in a second of the outage, over {most:.0f}")
    if outage.return_peak > CALLS_PER_TRY * most:
        found.append(f"{outage.return_peak} calls in a second, over {CALLS_PER_TRY * most:.0f}")
    limit = max(return_policy(timedelta(seconds=outage.spread)).limit, WATCH_BACKOFF.limit)
    if outage.back_after[-1] > limit.total_seconds() + SLACK_SECONDS:
        found.append(f"an agent was back only {outage.back_after[-1]:.0f} s after the hub")
    if outage.new_requests or outage.new_clusters or outage.changed_specs:
        found.append("something was registered or asked for anew")
    if outage.mib_each > MIB_EACH:
        found.append(f"each agent took {outage.mib_each:.1f} MiB")
    return found


async def measure(options: argparse.Namespace) -> int:
    """Measure, and print what was found; return the exit status."""
    # Three hundred agents would tell of the connections they lose.
    logging.disable()
    load = os.getloadavg()[0]
    outage = await lose_hub(options.agents, lasting=options.outage, spread=options.spread)
    if options.output == "json":
        json.dump({"load_before": load, "outage": dataclasses.asdict(outage)}, sys.stdout, indent=2)
        print()
    else:
        print(f"{os.cpu_count()} cores, load {load:.1f} before\n")
        print(report(outage))
    short = shortcomings(outage)
    for line in short:
        print(f"not as it has to be: {line}", file=sys.stderr)
    return 1 if short else 0


def main() -> int:
    """Run the benchmark; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=300, help="in this process (default 300)")
    parser.add_argument(
        "--outage",
        type=parse_duration,
        default=timedelta(minutes=10),
        help="how long the hub is away (default 10m)",
    )
    parser.add_argument(
        "--spread",
        type=parse_duration,
        default=DEFAULT_SPREAD,
        help="the agents' hub_return_spread (default 30s)",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
