"""Several hubs side by side as programs, and what the API server noted of which of them wrote."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from integration.channel.programs import Program
from support.tasks import background
from support.waiting import until
from towline_api.names import HUB_NAMESPACE
from towline_api.resources import LEASES, MANAGED_CLUSTERS, NAMESPACES, KubeObject
from towline_kube.client import Client
from towline_sandbox.audit import AuditEvent

LEASE = "towline-hub"
ELECTS = " leader-election"
"""How those calls end their introduction that campaign for the lead."""
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_IDENTITY = re.compile(r"^towline-hub/\S+ \((?P<identity>[^)]+)\)")


class Replica(Program):
    """A hub that may lead."""

    _read = 0
    _entries: tuple[dict[str, Any], ...] = ()

    def start(self) -> None:
        """Start it, for the first time or again."""
        super().start()
        self._read, self._entries = 0, ()

    @property
    def entries(self) -> tuple[dict[str, Any], ...]:
        """What it logged since it was started last. Asked for often, so each is read once."""
        lines = self.said_after(self._read).rpartition(b"\n")[0]
        if lines:
            self._read += len(lines) + 1
            new = (json.loads(line) for line in lines.splitlines() if line.startswith(b"{"))
            self._entries += tuple(new)
        return self._entries

    def has_logged(self, message: str) -> bool:
        """Tell whether it has logged this since it was started last."""
        return any(entry["message"] == message for entry in self.entries)

    @property
    def identity(self) -> str:
        """Under which name it led last; empty if it never did."""
        led = [e["reason"] for e in self.entries if e["message"] == "this replica leads"]
        return str(led[-1]) if led else ""


@asynccontextmanager
async def replicas(
    number: int, *, kubeconfig: Path, folder: Path, flags: Sequence[str] = ()
) -> AsyncIterator[list[Replica]]:
    """Run hubs side by side; end those that are left."""
    programs = [
        Replica(
            [
                *("hub", "run", "--install-crds", "--leader-election", "--log-format", "json"),
                *("--kubeconfig", str(kubeconfig), *flags),
            ],
            log=folder / f"replica-{place}.log",
        )
        for place in range(number)
    ]
    try:
        for program in programs:
            program.start()
        yield programs
    finally:
        for program in programs:
            program.stop()


async def leader_of(admin: Client, among: Iterable[Replica]) -> Replica | None:
    """Return the replica that holds the Lease; None if nobody, or nobody of these, does."""
    lease = await admin.find(LEASES, LEASE, namespace=HUB_NAMESPACE)
    holder = str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")
    return next((each for each in among if holder and each.identity == holder), None)


async def until_led(
    admin: Client, among: Sequence[Replica], *, within: timedelta = timedelta(seconds=30)
) -> Replica:
    """Wait until one of these leads, and works; return it."""

    async def works() -> Replica | None:
        leader = await leader_of(admin, among)
        return leader if leader is not None and leader.has_logged("hub runs") else None

    found = await until(works, what=lambda: [each.said[-1500:] for each in among], within=within)
    assert found is not None
    return found


async def accept_one(admin: Client) -> str:
    """Register a cluster that an operator has accepted: work for whoever leads."""
    name = f"work-{secrets.token_hex(5)}"
    body: KubeObject = {"metadata": {"name": name}, "spec": {"hubAcceptsClient": True}}
    await admin.create(MANAGED_CLUSTERS, body)
    return name


async def until_served(admin: Client, cluster: str, *, within: timedelta) -> None:
    """Wait until a hub has done its part for a cluster."""

    async def served() -> bool:
        return await admin.find(NAMESPACES, cluster) is not None

    await until(served, what=lambda: f"nobody serves {cluster}", within=within)


@asynccontextmanager
async def much_work(admin: Client, *, every: timedelta) -> AsyncIterator[None]:
    """Register accepted clusters all the time, so that the leader is never done."""

    async def register() -> NoReturn:
        while True:
            await accept_one(admin)
            await asyncio.sleep(every.total_seconds())

    async with background(register(), name="register-clusters"):
        yield


@dataclass(frozen=True)
class Written:
    """One write of a hub, as the API server noted it."""

    at: datetime
    identity: str
    what: str
    of_election: bool
    accepted: bool


def writes_of_hubs(events: Iterable[AuditEvent]) -> list[Written]:
    """Return what replicas wrote, or tried to, in the order it came in."""
    found = []
    for event in sorted(events, key=lambda event: event.at):
        match = _IDENTITY.match(event.user_agent)
        # Reviews are questions: nothing is stored.
        asks = event.resource.partition(".")[0].endswith("reviews")
        if match and event.verb in _WRITES and not asks:
            found.append(
                Written(
                    at=event.at,
                    identity=match["identity"],
                    what=f"{event.verb} {event.resource} {event.namespace}/{event.name}",
                    of_election=event.user_agent.endswith(ELECTS),
                    accepted=event.status < 400,
                )
            )
    return found


def takeovers(writes: Iterable[Written]) -> list[Written]:
    """Return by which writes the Lease changed hands, the first one included."""
    found: list[Written] = []
    for write in writes:
        took = write.of_election and write.accepted
        if took and (not found or found[-1].identity != write.identity):
            found.append(write)
    return found


def late_writes(writes: Sequence[Written]) -> list[tuple[Written, Written]]:
    """Return the writes of replicas that had lost the Lease, each with the take-over before it.

    Refused ones count: that the server took offence is not what keeps the fleet safe.
    """
    found = []
    lead: Written | None = None
    taken = iter([*takeovers(writes), None])
    upcoming = next(taken)
    for write in writes:
        if upcoming is not None and write is upcoming:
            lead, upcoming = upcoming, next(taken)
        if not write.of_election and (lead is None or write.identity != lead.identity):
            assert lead is not None, f"a write before anybody led: {write}"
            found.append((write, lead))
    return found
