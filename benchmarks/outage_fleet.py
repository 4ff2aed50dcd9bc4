"""A fleet of real agents in one process, whose hub goes away for a while and comes back."""

import asyncio
import base64
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from process_use import cpu_seconds_of, memory_of
from towline_agent.cluster_session import ClusterSession
from towline_agent.daemon import Observers
from towline_agent.daemon import run as run_agent
from towline_agent.settings import AgentSettings
from towline_api.condition_types import JOINED
from towline_api.conditions import is_true
from towline_api.metadata import name_of, uid_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    KubeObject,
)
from towline_hub import daemon as hub_daemon
from towline_kube.client import Call, Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.embedded.plane_process import PlaneProcess
from towline_sandbox.in_process import (
    admin_client,
    keep_kubeconfig,
    prepare_hub,
    running,
    until_hub_takes_clusters,
)

_JOIN_AT_ONCE = 10
_LOOK_SECONDS = 0.2
_JOIN_WITHIN = timedelta(minutes=20)
_WHOLE_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What a fleet did when its hub went away and came back.

    Args:
        agents: How many there were, all in this process.
        joined_in: Seconds until all had joined.
        mib_each: Memory that each took, with its share of the hub's plane in the same process.
        lasted: Seconds the hub was away.
        spread: The agents' `hub_return_spread` in seconds.
        away_tries: Tries in each second of the outage.
        return_calls: Answered calls in each second from the return on.
        back_after: Seconds from the return until each agent had an answer again; sorted.
        whole_after: Seconds from the return until the last loop of the last agent had one.
        new_requests: Certificate requests that were not there before.
        new_clusters: ManagedClusters that were not there before, or are gone.
        changed_specs: ManagedClusters whose spec changed.
        cpu_share: Processor seconds of this process in each second of the outage.
    """

    agents: int
    joined_in: float
    mib_each: float
    lasted: float
    spread: float
    away_tries: Sequence[int]
    return_calls: Sequence[int]
    back_after: Sequence[float]
    whole_after: float
    new_requests: int
    new_clusters: int
    changed_specs: int
    cpu_share: float

    @property
    def away_peak(self) -> int:
        """Most tries in any second of the outage."""
        return max(self.away_tries, default=0)

    @property
    def return_peak(self) -> int:
        """Most answered calls in any second after the return."""
        return max(self.return_calls, default=0)


@dataclass(eq=False, slots=True)
class _Agent:
    """One agent, and when it called its hub."""

    name: str
    calls: list[tuple[float, Call]] = field(default_factory=list)
    session: ClusterSession | None = None

    def note(self, call: Call) -> None:
        self.calls.append((time.monotonic(), call))

    def note_session(self, session: ClusterSession) -> None:
        self.session = session

    def answered_after(self, moment: float) -> float | None:
        return next((at for at, call in self.calls if at >= moment and call.status), None)


@dataclass(eq=False, slots=True)
class _Held:
    """Memory of this process by the number of agents in it."""

    seen: list[tuple[int, float]] = field(default_factory=list)

    def note(self, agents: int) -> None:
        self.seen.append((agents, memory_of(os.getpid()).resident_mib))

    @property
    def mib_each(self) -> float:
        """What each agent took beyond the first few, which load what all of them share."""
        (few, least), (all_of_them, most) = self.seen[0], self.seen[-1]
        return (most - least) / max(all_of_them - few, 1)


@dataclass(frozen=True, slots=True)
class _Registered:
    """What of the fleet is on the hub."""

    requests: frozenset[str]
    clusters: frozenset[str]
    specs: dict[str, KubeObject]

    @classmethod
    async def at(cls, admin: Client) -> "_Registered":
        requests = (await admin.list(CERTIFICATE_SIGNING_REQUESTS)).items
        clusters = (await admin.list(MANAGED_CLUSTERS)).items
        return cls(
            frozenset(uid_of(item) for item in requests),
            frozenset(uid_of(item) for item in clusters),
            {name_of(item): item["spec"] for item in clusters},
        )


async def lose_hub(agents: int, *, lasting: timedelta, spread: timedelta) -> Outage:
    """Join a fleet to a hub, take the hub's API server away, and see everybody come back.

    Args:
        agents: How many, all in this process and on one managed cluster.
        lasting: How long the hub is away.
        spread: The agents' `hub_return_spread`.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="towline-outage-")))
        spoke = await stack.enter_async_context(PlaneProcess("spoke"))
        hub = stack.enter_context(EmbeddedPlane("hub"))
        admin = await stack.enter_async_context(admin_client(hub))
        settings = await prepare_hub(hub, folder=folder)
        await stack.enter_async_context(running("run-hub", partial(hub_daemon.run, settings)))
        await until_hub_takes_clusters(admin)
        held = _Held()
        began = time.monotonic()
        fleet = await stack.enter_async_context(
            _running_fleet(
                agents, hub=hub, spoke=spoke, admin=admin, folder=folder, spread=spread, held=held
            )
        )
        joined_in = time.monotonic() - began
        # What comes right after a join belongs to it: the add-ons are looked for, the lease beats.
        await asyncio.sleep(spread.total_seconds())
        held.note(agents)
        known = await _Registered.at(admin)

        cpu, gone = cpu_seconds_of(os.getpid()), time.monotonic()
        hub.stop_serving()
        await asyncio.sleep(lasting.total_seconds())
        cpu_share = (cpu_seconds_of(os.getpid()) - cpu) / (time.monotonic() - gone)
        back = time.monotonic()
        hub.serve_again()
        whole = await _until_whole(fleet, gone=gone, back=back)
        found = await _Registered.at(admin)
        return Outage(
            agents=agents,
            joined_in=joined_in,
            mib_each=held.mib_each,
            lasted=back - gone,
            spread=spread.total_seconds(),
            away_tries=_by_second(fleet, gone, back, answered=False),
            return_calls=_by_second(fleet, back, whole, answered=True),
            back_after=sorted((agent.answered_after(back) or whole) - back for agent in fleet),
            whole_after=whole - back,
            new_requests=len(found.requests - known.requests),
            new_clusters=len(found.clusters ^ known.clusters),
            changed_specs=sum(found.specs.get(name) != spec for name, spec in known.specs.items()),
            cpu_share=cpu_share,
        )


@asynccontextmanager
async def _running_fleet(
    agents: int,
    *,
    hub: EmbeddedPlane,
    spoke: PlaneProcess,
    admin: Client,
    folder: Path,
    spread: timedelta,
    held: "_Held",
) -> AsyncIterator[list[_Agent]]:
    """Run the agents, a few of them joining at a time; the body begins when all have joined."""
    bootstrap = parse_kubeconfig(await hub.bootstrap_kubeconfig(), source="bootstrap")
    assert bootstrap.ca_pem is not None
    assert bootstrap.token is not None
    kubeconfig = keep_kubeconfig(folder, "spoke", spoke.admin_kubeconfig())
    fleet = [_Agent(f"cluster-{number:04}") for number in range(agents)]
    async with AsyncExitStack() as stack:
        spoke_admin = await stack.enter_async_context(admin_client(spoke))
        for start in range(0, agents, _JOIN_AT_ONCE):
            for agent in fleet[start : start + _JOIN_AT_ONCE]:
                namespace = f"agent-of-{agent.name}"
                await spoke_admin.create(NAMESPACES, _namespace(namespace))
                settings = AgentSettings(
                    # Without a file there is none to be watched by each of them.
                    hub_server=bootstrap.server,
                    hub_ca_data=base64.b64encode(bootstrap.ca_pem).decode(),
                    bootstrap_token=SecretStr(bootstrap.token),
                    spoke_kubeconfig=kubeconfig,
                    cluster_name=agent.name,
                    namespace=namespace,
                    hub_return_spread=spread,
                )
                observers = Observers(on_hub_call=agent.note, on_session=agent.note_session)
                await stack.enter_async_context(
                    running(
                        f"run-agent/{agent.name}",
                        partial(run_agent, settings, observers=observers),
                    )
                )
            async with asyncio.timeout(_JOIN_WITHIN.total_seconds()):
                await _until_joined(admin, fleet[start : start + _JOIN_AT_ONCE])
            held.note(min(start + _JOIN_AT_ONCE, agents))
        yield fleet


async def _until_joined(admin: Client, agents: Sequence[_Agent]) -> None:
    while True:
        found = [await admin.find(MANAGED_CLUSTERS, agent.name) for agent in agents]
        if all(cluster is not None and is_true(cluster, JOINED) for cluster in found):
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _until_whole(fleet: Sequence[_Agent], *, gone: float, back: float) -> float:
    """Wait until whatever the outage broke works again; return when that was.

    That is every watch there was, and the lease if it could not be renewed.

    Raises:
        TimeoutError: It took so long that something never will.
    """
    while True:
        whole = [_whole_since(agent, gone=gone, back=back) for agent in fleet]
        reached = [moment for moment in whole if moment is not None]
        if len(reached) == len(fleet):
            return max(reached)
        if time.monotonic() - back > _WHOLE_WITHIN.total_seconds():
            missing = {
                agent.name: sorted(_broken_and_mended(agent, gone=gone, back=back).broken)
                for agent, moment in zip(fleet, whole, strict=True)
                if moment is None
            }
            raise TimeoutError(f"not back after {_WHOLE_WITHIN}: {missing}")
        await asyncio.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class _Mending:
    """Kinds of call of one agent that the outage broke, without those that were mended."""

    broken: set[tuple[str, str]]
    mended_at: float


def _broken_and_mended(agent: _Agent, *, gone: float, back: float) -> _Mending:
    broken: set[tuple[str, str]] = set()
    mended: dict[tuple[str, str], float] = {}
    for at, call in agent.calls:
        key = (call.verb, call.resource)
        if at < gone:
            if call.verb == "watch" and call.resource != CERTIFICATE_SIGNING_REQUESTS.qualified:
                broken.add(key)
        elif not call.status:
            if call.resource == LEASES.qualified:
                broken.add(key)
        elif at >= back:
            mended.setdefault(key, at)
    latest = max((mended[key] for key in broken & mended.keys()), default=back)
    return _Mending(broken - mended.keys(), latest)


def _whole_since(agent: _Agent, *, gone: float, back: float) -> float | None:
    mending = _broken_and_mended(agent, gone=gone, back=back)
    return None if mending.broken else mending.mended_at


def _by_second(fleet: Sequence[_Agent], begin: float, end: float, *, answered: bool) -> list[int]:
    found = Counter(
        int(at - begin)
        for agent in fleet
        for at, call in agent.calls
        if begin <= at < end and bool(call.status) is answered
    )
    return [found[second] for second in range(int(end - begin) + 1)]


def _namespace(name: str) -> KubeObject:
    return {
        "apiVersion": NAMESPACES.api_version,
        "kind": NAMESPACES.kind,
        "metadata": {"name": name},
    }
