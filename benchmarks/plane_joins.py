"""Joining clusters to a hub with all of it in this process, on planes of one kind."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from towline_agent import daemon as agent_daemon
from towline_api.condition_types import JOINED
from towline_api.conditions import is_true
from towline_api.resources import MANAGED_CLUSTERS
from towline_hub import daemon as hub_daemon
from towline_kube.client import Client
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.in_process import (
    admin_client,
    prepare_agent,
    prepare_hub,
    running,
    until_hub_takes_clusters,
)
from towline_sandbox.plane import ControlPlane

MakePlane = Callable[[str], ControlPlane]

_ALONE = """
from towline_sandbox.embedded.plane import EmbeddedPlane
with EmbeddedPlane("alone"):
    print("up", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Joins:
    """What joining took on planes of one kind; all in seconds.

    Args:
        planes_up: Until hub plane and spoke plane had started, one after the other.
        hub_ready: From then until a new hub took clusters: its CRDs, its rules, its rights.
        first: From then until the first cluster had joined.
        others: For each later cluster, from the start of its agent until it had joined.
    """

    planes_up: float
    hub_ready: float
    first: float
    others: Sequence[float]

    @property
    def from_nothing(self) -> float:
        """Seconds from nothing to a joined cluster."""
        return self.planes_up + self.hub_ready + self.first

    @property
    def later(self) -> float:
        """Seconds that a later join took: half took no longer."""
        return statistics.median(self.others)


async def milliseconds_to_start(times: int) -> list[float]:
    """Return how long it took each time to start an embedded plane in this process."""
    found = []
    for number in range(times):
        started = time.perf_counter()
        async with EmbeddedPlane(f"start-{number}"):
            found.append((time.perf_counter() - started) * 1000)
    return found


async def milliseconds_from_cold(times: int) -> list[float]:
    """Return how long it took each time from the start of a Python that does nothing else."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _ALONE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        told = await process.stdout.readline()
        found.append((time.perf_counter() - started) * 1000)
        if await process.wait() or told != b"up\n":
            raise RuntimeError("a plane on its own did not start; see standard error")
    return found


async def join_clusters(make: MakePlane, *, others: int) -> Joins:
    """Join one cluster to a new hub and others after it, each from a spoke plane of its own."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="towline-joins-")))
        began = time.perf_counter()
        hub = await stack.enter_async_context(make("hub"))
        spoke = await stack.enter_async_context(make("spoke"))
        planes_up = time.perf_counter() - began
        admin = await stack.enter_async_context(admin_client(hub))
        settings = await prepare_hub(hub, folder=folder)
        await stack.enter_async_context(running("run-hub", partial(hub_daemon.run, settings)))
        await until_hub_takes_clusters(admin)
        hub_ready = time.perf_counter() - began - planes_up
        first = await _join(admin, hub, spoke, cluster="first", folder=folder)
        later = []
        for number in range(others):
            async with make(f"spoke-{number}") as plane:
                later.append(await _join(admin, hub, plane, cluster=f"c{number}", folder=folder))
        return Joins(planes_up, hub_ready, first, later)


async def _join(
    admin: Client, hub: ControlPlane, spoke: ControlPlane, *, cluster: str, folder: Path
) -> float:
    """Return how many seconds an agent took from its start until its cluster had joined."""
    settings = await prepare_agent(hub, spoke, cluster=cluster, folder=folder)
    began = time.perf_counter()
    async with running("run-agent", partial(agent_daemon.run, settings)):
        await _until_joined(admin, cluster)
        return time.perf_counter() - began


async def _until_joined(admin: Client, cluster: str) -> None:
    watched = admin.watch(MANAGED_CLUSTERS, field_selector=f"metadata.name={cluster}")
    async with aclosing(watched) as events:
        async for event in events:
            if is_true(event.object, JOINED):
                return
    raise RuntimeError(f"the watch ended before cluster {cluster} had joined")
