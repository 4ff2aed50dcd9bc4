"""Leases renewed at a steady rate on an embedded plane that has a process of its own."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from process_use import cpu_seconds_of, memory_of
from towline_api.resources import LEASES, NAMESPACES, KubeObject
from towline_api.timestamps import format_micro_time
from towline_kube.client import Client
from towline_sandbox.embedded.plane_process import PlaneProcess
from towline_sandbox.grants import new_namespace
from towline_sandbox.in_process import admin_client

_NAMESPACE = "leases"
_AT_ONCE = 32
"""How many calls are under way at most."""


@dataclass(frozen=True, slots=True)
class LeaseLoad:
    """What renewing Leases took.

    Args:
        leases: How many there were.
        created_per_second: How fast they were made.
        wanted_per_second: The rate that was asked for.
        renewed_per_second: The rate that was held.
        seconds: For how long.
        failed: Renewals that were refused or lost.
        seen_by_watch: Renewals that a watch of all Leases saw.
        milliseconds: How long renewals took, sorted.
        cpu_share: Processor seconds of the plane's process in each second.
        memory_before_mib: Resident memory of the plane's process without Leases.
        memory_after_mib: The same after the renewals: with all Leases, their recent past, and the
            log of calls.
    """

    leases: int
    created_per_second: float
    wanted_per_second: float
    renewed_per_second: float
    seconds: float
    failed: int
    seen_by_watch: int
    milliseconds: Sequence[float]
    cpu_share: float
    memory_before_mib: float
    memory_after_mib: float

    def milliseconds_of(self, share: float) -> float:
        """Return what this share of the renewals did not take longer than."""
        last = len(self.milliseconds) - 1
        return self.milliseconds[min(int(share * len(self.milliseconds)), last)]


async def renew_leases(leases: int, *, per_second: float, seconds: float) -> LeaseLoad:
    """Make that many Leases, and renew one after another at that rate for that long.

    Whoever is late goes on at once, so a plane that cannot hold the rate shows a lower one.
    """
    async with PlaneProcess("leases") as plane, admin_client(plane) as client:
        before = memory_of(plane.pid).resident_mib
        await client.apply(NAMESPACES, new_namespace(_NAMESPACE))
        created = await _create(client, leases)
        seen: list[int] = [0]
        async with asyncio.TaskGroup() as group:
            version = (await client.list(LEASES, namespace=_NAMESPACE)).resource_version
            watching = group.create_task(_watch(client, version, seen), name="watch-leases")
            cpu = cpu_seconds_of(plane.pid)
            started = time.monotonic()
            took, failed = await _renew(client, leases, per_second=per_second, seconds=seconds)
            lasted = time.monotonic() - started
            cpu = cpu_seconds_of(plane.pid) - cpu
            await _until_seen(seen, len(took))
            watching.cancel("enough was seen")
        return LeaseLoad(
            leases=leases,
            created_per_second=leases / created,
            wanted_per_second=per_second,
            renewed_per_second=len(took) / lasted,
            seconds=lasted,
            failed=failed,
            seen_by_watch=seen[0],
            milliseconds=sorted(took),
            cpu_share=cpu / lasted,
            memory_before_mib=before,
            memory_after_mib=memory_of(plane.pid).resident_mib,
        )


async def _create(client: Client, leases: int) -> float:
    """Make the Leases; return how many seconds that took."""
    numbers = iter(range(leases))

    async def create() -> None:
        for number in numbers:
            await client.create(LEASES, _lease(number))

    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for worker in range(_AT_ONCE):
            group.create_task(create(), name=f"create-leases/{worker}")
    return time.monotonic() - started


async def _renew(
    client: Client, leases: int, *, per_second: float, seconds: float
) -> tuple[list[float], int]:
    """Return how many milliseconds each renewal took, and how many failed."""
    count = round(per_second * seconds)
    numbers = iter(range(count))
    started = time.monotonic()
    took: list[float] = []
    failures: list[Exception] = []

    async def renew() -> None:
        for number in numbers:
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            called = time.monotonic()
            renewal = {"spec": {"renewTime": format_micro_time(datetime.now(UTC))}}
            name = _name(number % leases)
            try:
                await client.patch(LEASES, name, renewal, namespace=_NAMESPACE)
            except Exception as error:  # noqa: BLE001  # counted, whatever it is
                failures.append(error)
            took.append((time.monotonic() - called) * 1000)

    async with asyncio.TaskGroup() as group:
        for worker in range(_AT_ONCE):
            group.create_task(renew(), name=f"renew-leases/{worker}")
    return took, len(failures)


async def _watch(client: Client, version: str, seen: list[int]) -> None:
    async for event in client.watch(LEASES, namespace=_NAMESPACE, resource_version=version):
        seen[0] += event.type == "MODIFIED"


async def _until_seen(seen: list[int], wanted: int) -> None:
    """Let the watch catch up; what it has not seen after five seconds counts as not seen."""
    for _ in range(100):
        if seen[0] >= wanted:
            return
        await asyncio.sleep(0.05)


def _name(number: int) -> str:
    return f"lease-{number:05}"


def _lease(number: int) -> KubeObject:
    now = format_micro_time(datetime.now(UTC))
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": _name(number), "namespace": _NAMESPACE},
        "spec": {"holderIdentity": _name(number), "leaseDurationSeconds": 60, "renewTime": now},
    }
