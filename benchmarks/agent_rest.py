"""Measures what a standalone agent costs while nothing happens, with its endpoint and without.

Run it as `python benchmarks/agent_rest.py`; see README.md beside it.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from call_counts import AGENT_TO_HUB, AGENT_TO_SPOKE, towline_calls
from one_join import Place, join, start_hub
from process_use import Memory, cpu_seconds_of, memory_of
from towline_agent.deploying.deployment import deployment
from towline_api.errors import TowlineError
from towline_sandbox.demo.programs import Program
from towline_sandbox.kube_plane import KubePlane

OFF, ON, ASKED = "off", "on", "on, and asked"
ENDPOINTS = {OFF: "off", ON: "127.0.0.1:0", ASKED: "127.0.0.1:0"}
"""What `listen` is; the last one is asked as a kubelet and a Prometheus ask a deployed agent."""
_SCRAPED_EVERY = 30.0

MOST_RESIDENT_MIB = 83.0
MOST_CPU_PERCENT = 0.15
MOST_HUB_CALLS = 2.0
"""Goals: what OCM's registration agent holds and uses on such a machine, and calls a minute."""

_SETTLE_SECONDS = 20.0
"""What a join leaves to be done: conditions said once more, connections closed."""


@dataclass(frozen=True, slots=True)
class AgentRest:
    """What an agent used while nothing happened.

    Args:
        endpoint: One of `ENDPOINTS`.
        memory: What it held in the end.
        cpu_percent: Share of one core.
        hub_calls: Calls to the hub in each minute, by verb and resource.
        spoke_calls: Calls to the managed cluster in each minute.
    """

    endpoint: str
    memory: Memory
    cpu_percent: float
    hub_calls: Mapping[str, float]
    spoke_calls: Mapping[str, float]

    @property
    def hub_calls_beside_watches(self) -> float:
        """Calls to the hub in each minute that began no watch."""
        return sum(n for call, n in self.hub_calls.items() if not call.startswith("watch "))


def shortcomings(found: Sequence[AgentRest]) -> list[str]:
    """Return what misses a goal, a line each."""
    lines = []
    for rest in found:
        for what, measured, most in (
            ("MiB resident", rest.memory.resident_mib, MOST_RESIDENT_MIB),
            ("% of a core", rest.cpu_percent, MOST_CPU_PERCENT),
            ("hub calls a minute", rest.hub_calls_beside_watches, MOST_HUB_CALLS),
        ):
            if measured > most:
                lines.append(
                    f"endpoint {rest.endpoint}: {measured:.2f} {what}; the goal is {most:g}"
                )
    return lines


async def measure(seconds: float, *, folder: Path) -> list[AgentRest]:
    """Join a cluster for each kind of endpoint, and watch their agents at rest, all at a time."""
    async with AsyncExitStack() as stack:
        _say("starting the hub")
        place = await start_hub(stack, folder=folder, environment={})
        agents: dict[str, _Agent] = {}
        for endpoint, listen in ENDPOINTS.items():
            _say(f"joining an agent with its endpoint {endpoint}")
            cluster = f"c-{secrets.token_hex(3)}"
            _, program, plane = await join(
                place, cluster, stack, environment={"TOWLINE_LISTEN": listen}
            )
            agents[endpoint] = _Agent(cluster, program, plane)
        await stack.enter_async_context(_Asking(_address_of(agents[ASKED].program)))
        await asyncio.sleep(_SETTLE_SECONDS)
        _say(f"at rest for {seconds:g} s")
        return await _watch(place, agents, seconds=seconds)


@dataclass(frozen=True, slots=True)
class _Agent:
    cluster: str
    program: Program
    plane: KubePlane

    @property
    def pid(self) -> int:
        return self.program.process.pid


async def _watch(place: Place, agents: Mapping[str, _Agent], *, seconds: float) -> list[AgentRest]:
    before = {endpoint: cpu_seconds_of(agent.pid) for endpoint, agent in agents.items()}
    since, began = datetime.now(UTC), time.monotonic()
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    found = []
    for endpoint, agent in agents.items():
        used = cpu_seconds_of(agent.pid) - before[endpoint]
        agent.program.check_running()
        at_hub = [e for e in place.plane.audit_events() if f":{agent.cluster}:" in e.user]
        calls = towline_calls(at_hub, agent.plane.audit_events(), since=since)
        counts = {
            side: Counter(call.call for call in calls if call.caller == side)
            for side in (AGENT_TO_HUB, AGENT_TO_SPOKE)
        }
        a_minute = {
            side: {call: number * 60 / lasted for call, number in of_side.most_common()}
            for side, of_side in counts.items()
        }
        found.append(
            AgentRest(
                endpoint=endpoint,
                memory=memory_of(agent.pid),
                cpu_percent=100 * used / lasted,
                hub_calls=a_minute[AGENT_TO_HUB],
                spoke_calls=a_minute[AGENT_TO_SPOKE],
            )
        )
    return found


def _address_of(agent: Program) -> str:
    (line,) = [
        line
        for line in agent.log.read_text().splitlines()
        if "metrics and health are served" in line
    ]
    found = re.search(r"127\.0\.0\.1:\d+", line)
    assert found is not None, line
    return found[0]


class _Asking:
    """Asks an agent for as long as a block lasts what a kubelet and a Prometheus ask."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [
            asyncio.create_task(self._ask(path, every=every), name=f"ask{path}")
            for path, every in _asked_every().items()
        ]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, path: str, *, every: float) -> None:
        # A kubelet opens a new connection for each probe.
        while True:
            async with aiohttp.ClientSession() as session, session.get(self._url + path) as answer:
                answer.raise_for_status()
                await answer.read()
            await asyncio.sleep(every)


def _asked_every() -> dict[str, float]:
    """Return what a deployed agent is asked, and after how many seconds again."""
    pod = deployment(namespace="n", image="i")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = [container[probe] for probe in ("livenessProbe", "readinessProbe")]
    asked = {probe["httpGet"]["path"]: float(probe["periodSeconds"]) for probe in probes}
    return {**asked, "/metrics": _SCRAPED_EVERY}


def text(found: Sequence[AgentRest]) -> str:
    """Return it all as a table for a terminal, with the calls below."""
    lines = [
        "endpoint         resident  proportional  threads   CPU, %  hub calls/min  spoke calls/min"
    ]
    for rest in found:
        proportional = rest.memory.proportional_mib
        shared = f"{proportional:.1f} MiB" if proportional is not None else "unknown"
        lines.append(
            f"{rest.endpoint:<14} {rest.memory.resident_mib:>6.1f} MiB  {shared:>12}  "
            f"{rest.memory.threads:>7}  {rest.cpu_percent:>7.3f}  "
            f"{rest.hub_calls_beside_watches:>13.2f}  {_beside_watches(rest.spoke_calls):>15.2f}"
        )
    for rest in found:
        lines += ["", f"calls a minute, endpoint {rest.endpoint}"]
        for side, calls in (("hub", rest.hub_calls), ("spoke", rest.spoke_calls)):
            lines += [f"  {side:<6} {number:>6.2f}  {call}" for call, number in calls.items()]
    return "\n".join(lines)


def _beside_watches(calls: Mapping[str, float]) -> float:
    return sum(number for call, number in calls.items() if not call.startswith("watch "))


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main() -> int:
    """Run the benchmark and print what it found; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (default 300)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="towline-benchmark-"))  # mode 0700
    try:
        load = os.getloadavg()[0]
        found = asyncio.run(measure(options.seconds, folder=folder))
    except TowlineError as failure:
        print(f"benchmark: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.output == "json":
        json.dump([dataclasses.asdict(rest) for rest in found], sys.stdout, indent=2)
        print()
    else:
        print(f"{options.seconds:g} s at rest, {os.cpu_count()} cores, load {load:.1f}")
        print(text(found))
    missed = shortcomings(found)
    for line in missed:
        print(f"benchmark: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
