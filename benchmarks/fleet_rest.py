"""A large fleet at rest: its leases are renewed, and the hub has nothing to do but see it.

On the embedded plane: what is measured is the hub, and a real API server would need hours and
gigabytes for ten thousand clusters on a small machine.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub_under_test import OURS, running_hub
from process_use import cpu_seconds_of, memory_of, peak_mebibytes_of
from towline_api.condition_types import CLUSTER_AVAILABLE, HUB_ACCEPTED, JOINED
from towline_api.conditions import conditions_of, is_true, with_condition
from towline_api.names import CLUSTER_LEASE
from towline_api.resources import LEASES, MANAGED_CLUSTERS, KubeObject
from towline_api.timestamps import format_micro_time
from towline_kube.client import Client
from towline_kube.errors import Conflict
from towline_sandbox.embedded.plane_process import PlaneProcess
from towline_sandbox.in_process import admin_client

_AT_ONCE = 32
_LOOK_SECONDS = 2.0
_LEASE_SECONDS = 60.0
"""Agents renew their lease this often."""


@dataclass(frozen=True, slots=True)
class FleetRest:
    """What a hub used while a fleet was at rest.

    Args:
        clusters: How many there were.
        accepted_in: Seconds it took the hub to accept them all.
        seconds: For how long it was watched.
        renewals: How many leases were renewed meanwhile.
        cpu_share: Processor seconds of the hub in each second.
        resident_mib: Its memory in the end.
        peak_mib: The most it ever had, accepting all of them included.
        writes: What the hub wrote meanwhile.
    """

    clusters: int
    accepted_in: float
    seconds: float
    renewals: int
    cpu_share: float
    resident_mib: float
    peak_mib: float
    writes: int


async def rest_fleet(clusters: int, *, seconds: float) -> FleetRest:
    """Have a hub accept that many clusters, and watch it while their leases are renewed."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="towline-rest-")))
        plane = await stack.enter_async_context(PlaneProcess("rest"))
        admin = await stack.enter_async_context(admin_client(plane))
        hub = await stack.enter_async_context(running_hub(OURS, plane, admin, folder=folder))
        began = time.monotonic()
        await _for_each(clusters, lambda number: admin.create(MANAGED_CLUSTERS, _cluster(number)))
        await _until_accepted(admin, clusters)
        accepted_in = time.monotonic() - began
        await _say_joined(admin, clusters)
        await _come_to_rest(admin, clusters)
        cpu, began = cpu_seconds_of(hub.pid), time.monotonic()
        before = await _versions(admin)
        renewals = await _renew(admin, clusters, seconds=seconds)
        lasted = time.monotonic() - began
        return FleetRest(
            clusters=clusters,
            accepted_in=accepted_in,
            seconds=lasted,
            renewals=renewals,
            cpu_share=(cpu_seconds_of(hub.pid) - cpu) / lasted,
            resident_mib=memory_of(hub.pid).resident_mib,
            peak_mib=peak_mebibytes_of(hub.pid),
            writes=await _versions(admin) - before - renewals,
        )


async def _for_each(count: int, work: Callable[[int], Awaitable[object]]) -> None:
    """Do something with each number below a count, a few at a time."""
    numbers = iter(range(count))

    async def do() -> None:
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for worker in range(_AT_ONCE):
            group.create_task(do(), name=f"work/{worker}")


async def _until_accepted(admin: Client, clusters: int) -> None:
    while True:
        listed = (await admin.list(MANAGED_CLUSTERS)).items
        if sum(is_true(cluster, HUB_ACCEPTED) for cluster in listed) == clusters:
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _say_joined(admin: Client, clusters: int) -> None:
    """Report for each agent that its cluster has joined and is well."""

    async def say(number: int) -> None:
        while True:
            cluster = await admin.get(MANAGED_CLUSTERS, _name(number))
            conditions = conditions_of(cluster)
            for kind in (JOINED, CLUSTER_AVAILABLE):
                conditions = with_condition(
                    conditions,
                    type=kind,
                    status="True",
                    reason=kind,
                    message="it is",
                    now=datetime.now(UTC),
                )
            status = {**(cluster.get("status") or {}), "conditions": conditions}
            with suppress(Conflict):
                await admin.patch_status(MANAGED_CLUSTERS, cluster, status)
                return

    await _for_each(clusters, say)


async def _come_to_rest(admin: Client, clusters: int) -> None:
    """Renew the leases until the hub has written nothing for a whole round of renewals.

    With the second one it tells that the clusters' clocks are right; and the Events of ten thousand
    acceptances are recorded by and by, which takes minutes.
    """
    while True:
        before = await _versions(admin)
        renewals = await _renew(admin, clusters, seconds=_LEASE_SECONDS)
        if await _versions(admin) == before + renewals:
            return


async def _renew(admin: Client, clusters: int, *, seconds: float) -> int:
    """Renew leases one after another, each once a minute; return how many renewals that made."""
    count = round(seconds * clusters / _LEASE_SECONDS)
    began = time.monotonic()

    async def renew(number: int) -> None:
        due = began + number * _LEASE_SECONDS / clusters
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        renewal = {"spec": {"renewTime": format_micro_time(datetime.now(UTC))}}
        await admin.patch(LEASES, CLUSTER_LEASE, renewal, namespace=_name(number % clusters))

    await _for_each(count, renew)
    return count


async def _versions(admin: Client) -> int:
    """Return how many writes the plane has seen: each is one step of its resource version."""
    listed = await admin.list(MANAGED_CLUSTERS, field_selector="metadata.name=nobody")
    return int(listed.resource_version)


def _name(number: int) -> str:
    return f"cluster-{number:05}"


def _cluster(number: int) -> KubeObject:
    return {
        "apiVersion": MANAGED_CLUSTERS.api_version,
        "kind": MANAGED_CLUSTERS.kind,
        "metadata": {"name": _name(number)},
        "spec": {"hubAcceptsClient": True},
    }
