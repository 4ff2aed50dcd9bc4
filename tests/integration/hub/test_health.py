"""A cluster that falls silent, and comes back."""

import time
from datetime import UTC, datetime, timedelta

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, condition_is, eventually, join, until_condition
from integration.hub.watching import watch_objects
from support.tasks import background
from towline_api import names
from towline_api.condition_types import (
    AVAILABLE,
    CLOCK_SYNCED,
    CLUSTER_AVAILABLE,
    REASON_CLUSTER_LEASE_STOPPED,
)
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    KubeObject,
)
from towline_api.timestamps import format_micro_time
from towline_kube.client import Client


async def test_a_silent_cluster_becomes_unknown_with_its_addons_and_comes_back(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Five missed renewals, then Unknown everywhere; the next renewal ends it."""
    addon = f"addon-{spoke.cluster}"
    async with run_hub() as hub, await join(spoke, admin) as agent:
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"leaseDurationSeconds": 1}})
        await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": addon}, "spec": {}})
        await admin.create(
            MANAGED_CLUSTER_ADDONS,
            {"metadata": {"name": addon, "namespace": spoke.cluster}, "spec": {}},
        )
        await spoke.beat(agent)
        await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        cluster = await until_condition(
            admin,
            MANAGED_CLUSTERS,
            spoke.cluster,
            CLUSTER_AVAILABLE,
            "Unknown",
            reason=REASON_CLUSTER_LEASE_STOPPED,
        )
        assert condition_is(cluster, CLOCK_SYNCED, "True")
        await until_condition(
            admin,
            MANAGED_CLUSTER_ADDONS,
            addon,
            AVAILABLE,
            "Unknown",
            reason=REASON_CLUSTER_LEASE_STOPPED,
            namespace=spoke.cluster,
        )

        async def told() -> KubeObject | None:
            events = await admin.list(
                EVENTS, namespace="default", field_selector=f"regarding.name={spoke.cluster}"
            )
            return next((e for e in events.items if e["reason"] == "AvailableUnknown"), None)

        await eventually(told, what="the event about the silent cluster")
        await spoke.beat(agent)
        began = time.monotonic()
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLUSTER_AVAILABLE, "True")
        # The watch tells it at once; whoever looks by the clock would take a minute.
        assert time.monotonic() - began < 10
        assert ("list", "leases.coordination.k8s.io") in {(c.verb, c.resource) for c in hub.calls}


async def test_a_living_cluster_costs_no_writes(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """At rest, renewals are watched and nothing is written, or a fleet would never be at rest."""
    versions: list[str] = []

    def take(cluster: KubeObject) -> None:
        versions.append(cluster["metadata"]["resourceVersion"])

    async with run_hub(), await join(spoke, admin) as agent:
        for _ in range(2):
            await spoke.beat(agent)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLOCK_SYNCED, "True")
        watching = watch_objects(admin, MANAGED_CLUSTERS, take, name=spoke.cluster)
        async with background(watching, name="watch-cluster"):
            for _ in range(20):
                await spoke.beat(agent)
            await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
            # A write of another cluster's join proves that everything before it was looked at.
            other = Spoke(spoke.plane, f"{spoke.cluster}-b", spoke.bootstrap)
            async with await join(other, admin):
                pass
        assert len(versions) == 3, "as it was, then the agent's report, then no taint any more"


async def test_a_restarted_hub_declares_nobody_dead(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A lease nobody renewed while the hub was down gets a whole grace period again."""
    async with run_hub(), await join(spoke, admin) as agent:
        await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        lease = await admin.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
        lease["spec"]["renewTime"] = format_micro_time(datetime.now(UTC) - timedelta(hours=1))
        await admin.replace(LEASES, lease)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLOCK_SYNCED, "False")
    async with run_hub():
        other = Spoke(spoke.plane, f"{spoke.cluster}-b", spoke.bootstrap)
        async with await join(other, admin):
            pass
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        assert condition_is(cluster, CLUSTER_AVAILABLE, "True")


async def test_a_clock_that_is_off_is_said_and_does_not_count_as_silence(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Clock skew made clusters flap elsewhere; here it is a condition of its own."""
    async with run_hub(), await join(spoke, admin) as agent:
        await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        lease = await agent.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
        lease["spec"]["renewTime"] = format_micro_time(datetime.now(UTC) + timedelta(hours=1))
        await agent.replace(LEASES, lease)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, CLOCK_SYNCED, "False"
        )
        assert condition_is(cluster, CLUSTER_AVAILABLE, "True")
        await spoke.beat(agent)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLOCK_SYNCED, "True")


async def test_a_deleted_lease_is_made_again(spoke: Spoke, admin: Client, run_hub: RunHub) -> None:
    """Agents may not create leases, so without this one the cluster would be lost."""
    async with run_hub(), await join(spoke, admin) as agent:
        await admin.delete(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)

        async def made() -> KubeObject | None:
            return await admin.find(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)

        await eventually(made, what="the new lease")
        await spoke.beat(agent)


async def test_a_lease_without_its_label_is_labelled_again_and_watched_on(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The hub sees leases by that label only; without it, a cluster would die of a typing error."""
    async with run_hub(), await join(spoke, admin) as agent:
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"leaseDurationSeconds": 1}})
        await admin.patch(
            LEASES,
            names.CLUSTER_LEASE,
            {"metadata": {"labels": {names.CLUSTER_NAME_LABEL: None}}},
            namespace=spoke.cluster,
        )

        async def labelled() -> KubeObject | None:
            lease = await admin.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
            return lease if lease["metadata"].get("labels") else None

        await eventually(labelled, what="the label on the lease")
        await spoke.beat(agent)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLOCK_SYNCED, "True")
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLUSTER_AVAILABLE, "Unknown")
        await spoke.beat(agent)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, CLUSTER_AVAILABLE, "True")
