"""The hub is killed in the middle of its work and at rest, and starts again."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta

import pytest
import pytest_asyncio

from integration.channel.corner import Corner, watched_requests
from integration.channel.programs import Program
from support.planes import Flavor, open_plane
from support.planes_plugin import record_plane
from support.waiting import until
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.conditions import find_condition
from towline_api.names import CLUSTER_NAME_LABEL
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from towline_kube.client import Client
from towline_sandbox.plane import ControlPlane

QUIET = timedelta(seconds=4)
"""Longer than any of the hub's short waits."""

WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_REQUESTS = re.compile(
    r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


pytestmark = pytest.mark.planes("kube", because="it reads the real server's metrics")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub_plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[ControlPlane]:
    """A plane for this module alone: what other tests left behind makes a hub write in its time."""
    async with open_plane(flavor, "restarts") as plane:
        record_plane(request.config, plane)
        yield plane


async def writes(admin: Client) -> Counter[str]:
    """Return how often the hub's API server was asked to write each kind, since it started.

    Writes that change nothing count, which no resource version shows. Leases do not: renewing them
    is what they are for. Nor does what only asks and stores nothing.
    """
    found: Counter[str] = Counter()
    for match in _REQUESTS.finditer(await admin.request_text("/metrics")):
        labels: Mapping[str, str] = dict(_LABEL.findall(match["labels"]))
        kind = "/".join(filter(None, (labels["resource"], labels.get("subresource"))))
        if labels["verb"] in WRITES and kind != "leases" and not kind.endswith("reviews"):
            found[f"{labels['verb']} {kind}"] += int(float(match["count"]))
    return found


async def until_quiet(admin: Client) -> Counter[str]:
    """Wait until nothing is written for a while; return the writes until then."""
    last, since = await writes(admin), time.monotonic()

    async def look() -> bool:
        nonlocal last, since
        now = await writes(admin)
        if now != last:
            last, since = now, time.monotonic()
        # To write and to read all the metrics of a server takes both sides more than a hub does.
        await asyncio.sleep(1.0)
        return time.monotonic() - since > QUIET.total_seconds()

    await until(look, what=lambda: f"writes go on: {last}", within=timedelta(seconds=60))
    return last


async def versions(corner: Corner) -> dict[str, str]:
    """Return the resource versions of everything the hub made or keeps for a cluster."""
    label = f"{CLUSTER_NAME_LABEL}={corner.cluster}"
    named: list[tuple[Resource, str | None, str | None]] = [
        (MANAGED_CLUSTERS, None, f"metadata.name={corner.cluster}"),
        (NAMESPACES, None, f"metadata.name={corner.cluster}"),
        (MANAGED_CLUSTER_ADDONS, corner.cluster, None),
        (ROLES, corner.cluster, None),
        (ROLE_BINDINGS, corner.cluster, None),
    ]
    found = [
        *[await corner.hub.list(kind, namespace=ns, field_selector=f) for kind, ns, f in named],
        *[
            await corner.hub.list(kind, label_selector=label)
            for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
        ],
    ]
    return {
        f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}": item[
            "metadata"
        ]["resourceVersion"]
        for objects in found
        for item in objects.items
    }


async def test_killed_at_rest_it_starts_again_and_writes_nothing(
    corner: Corner, hub: Program, admin: Client
) -> None:
    """A restart of the hub must cost its API server nothing, with one cluster or a thousand."""
    await corner.define_addon()
    await corner.prepare_agent()
    corner.agent.start()
    await corner.joined()
    await corner.enable_addon()
    await corner.configured()
    written = await until_quiet(admin)
    before = await versions(corner)
    assert len(before) >= 10, before
    hub.kill()
    hub.start()
    await hub.until_said("hub runs")
    # Beside an API server on loopback, a hub's webhook has a new authority at each start, which two
    # definitions have to name.
    named = Counter({"PATCH customresourcedefinitions": 2})
    assert await until_quiet(admin) - written == named
    assert await versions(corner) == before
    # A twin: one write is seen, and so is what it changed.
    await corner.set_acceptance(True)
    assert await writes(admin) - written - named == Counter({"PATCH managedclusters": 1})
    # It is at work: what somebody breaks, it mends.
    role = f"open-cluster-management:managedcluster:{corner.cluster}"
    await admin.delete(CLUSTER_ROLES, role)

    async def is_back() -> bool:
        return await admin.find(CLUSTER_ROLES, role) is not None

    await until(is_back, what=lambda: hub.said[-2000:])


async def test_killed_in_the_middle_of_a_join_it_goes_on_where_it_stopped(
    corner: Corner, hub: Program, admin: Client
) -> None:
    """Between any two of its writes: each time a cluster comes a little further, never astray."""
    await corner.define_addon()
    await corner.prepare_agent()
    async with watched_requests(corner) as history:
        hub.kill()
        corner.agent.start()
        await corner.agent.until_said("waits for the hub's approval")
        rounds = await kill_at_each_step(hub, done=lambda: is_let_in(corner))
        assert rounds >= 2, "it was killed after all was done"
        await corner.enable_addon()
        await kill_at_each_step(hub, done=lambda: is_registered(corner))
        hub.start()
        await corner.joined()
        await corner.configured()
    assert len(history.names()) == 1, history.names()
    assert len(history.names(addon=corner.addon)) == 1
    await until_quiet(admin)
    assert hub.is_running


STEPS = (
    "cluster accepted automatically",
    "certificate request approved",
    "cluster acceptance changed",
    "add-on status written",
)
"""What the hub says when it has done something."""


async def kill_at_each_step(hub: Program, *, done: Callable[[], Awaitable[bool]]) -> int:
    """Start the hub and kill it after its next step, until all is done; return how often."""
    rounds = 0
    while not await done():
        rounds += 1
        assert rounds < 10, f"it comes no further; said: {hub.said}"
        hub.start()

        async def has_done_something() -> bool:
            return any(step in hub.said for step in STEPS) or await done()

        await until(has_done_something, what=lambda: hub.said)
        hub.kill()
    return rounds


async def is_let_in(corner: Corner) -> bool:
    """Return whether the cluster is accepted, with all its rights, and its request approved."""
    requests = await corner.requests()
    approved = all(find_condition(request, "Approved") is not None for request in requests)
    return approved and await corner.has_condition(HUB_ACCEPTED)


async def is_registered(corner: Corner) -> bool:
    """Return whether the add-on is registered."""
    return bool((await corner.managed_addon()).get("status", {}).get("registrations"))
