"""What a cluster and an add-on cost the hub's API server: the numbers that the documents state."""

import secrets
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from integration.hub.conftest import RunHub, RunningHub
from integration.hub.spoke import Spoke, eventually, join, until_condition
from towline_api.condition_types import CLOCK_SYNCED, REGISTRATION_APPLIED
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
)
from towline_kube.client import Client

JOIN = Counter(
    {
        ("patch", MANAGED_CLUSTERS.qualified): 1,
        ("replace", f"{CERTIFICATE_SIGNING_REQUESTS.qualified}/approval"): 1,
        ("create", NAMESPACES.qualified): 1,
        ("create", CLUSTER_ROLES.qualified): 1,
        ("create", CLUSTER_ROLE_BINDINGS.qualified): 1,
        ("create", ROLE_BINDINGS.qualified): 2,
        ("create", LEASES.qualified): 1,
        # Accepted; and that the clocks agree, once a second heartbeat says so too.
        ("patch", f"{MANAGED_CLUSTERS.qualified}/status"): 2,
        ("create", EVENTS.qualified): 1,
    }
)
ADDON = Counter(
    {
        # Its owner, then all that the agent is to know.
        ("patch", MANAGED_CLUSTER_ADDONS.qualified): 1,
        ("patch", f"{MANAGED_CLUSTER_ADDONS.qualified}/status"): 1,
        ("create", ROLES.qualified): 1,
        ("create", ROLE_BINDINGS.qualified): 1,
    }
)


async def _until_written(hub: RunningHub, since: int, wanted: Counter[tuple[str, str]]) -> None:
    async def all_there() -> bool | None:
        return True if Counter(hub.writes()[since:]) >= wanted else None

    await eventually(all_there, what=f"{sum(wanted.values())} writes")


async def _beat_twice(spoke: Spoke, agent: Client) -> None:
    for _ in range(2):
        await spoke.beat(agent)


@pytest.mark.planes("embedded", because="what others left on a real one would be counted")
async def test_clusters_and_add_ons_cost_what_is_stated_and_nothing_at_rest(
    spoke: Spoke, other_spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Eleven writes for a cluster, four for an add-on: paid ten thousand times by a fleet."""
    async with run_hub() as hub, AsyncExitStack() as stack:
        # The first cluster of a hub brings what all of them share.
        first = await stack.enter_async_context(await join(other_spoke, admin))
        await _beat_twice(other_spoke, first)
        await until_condition(admin, MANAGED_CLUSTERS, other_spoke.cluster, CLOCK_SYNCED, "True")
        await _until_written(hub, 0, JOIN)

        before = len(hub.writes())
        agent = await stack.enter_async_context(await join(spoke, admin))
        await _beat_twice(spoke, agent)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLOCK_SYNCED, "True")
        await _until_written(hub, before, JOIN)
        joined = hub.writes()[before:]

        before = len(hub.writes())
        addon = f"addon-{secrets.token_hex(4)}"
        await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": addon}, "spec": {}})
        await admin.create(
            MANAGED_CLUSTER_ADDONS,
            {"metadata": {"name": addon, "namespace": spoke.cluster}, "spec": {}},
        )
        await until_condition(
            admin,
            MANAGED_CLUSTER_ADDONS,
            addon,
            REGISTRATION_APPLIED,
            "True",
            namespace=spoke.cluster,
        )
        await _until_written(hub, before, ADDON)
        for _ in range(10):
            await spoke.beat(agent)
            await _beat_twice(other_spoke, first)
        enabled = hub.writes()[before:]
    assert Counter(joined) == JOIN
    assert sum(JOIN.values()) == 11
    # What came with the heartbeats would stand here as well.
    assert Counter(enabled) == ADDON
