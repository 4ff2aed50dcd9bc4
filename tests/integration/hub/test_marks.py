"""What placements see of clusters: taints and feature labels, and what they cost."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, eventually, join, until_condition
from integration.hub.watching import watch_objects
from support.tasks import background
from towline_api import names
from towline_api.condition_types import AVAILABLE, CLUSTER_AVAILABLE, HUB_ACCEPTED
from towline_api.conditions import with_condition
from towline_api.resources import MANAGED_CLUSTER_ADDONS, MANAGED_CLUSTERS, KubeObject
from towline_hub.clusters.acceptance_guard import POLICIES, POLICY_BINDINGS
from towline_kube.client import Client
from towline_kube.errors import ApiError

OPERATORS = {"key": "example.com/maintenance", "effect": "PreferNoSelect", "value": "tonight"}


def _taints(cluster: KubeObject) -> list[str]:
    return [item["key"] for item in cluster["spec"].get("taints") or []]


def _features(cluster: KubeObject) -> dict[str, str]:
    return {
        key.removeprefix(names.FEATURE_LABEL_PREFIX): value
        for key, value in (cluster["metadata"].get("labels") or {}).items()
        if key.startswith(names.FEATURE_LABEL_PREFIX)
    }


@asynccontextmanager
async def _written(admin: Client, cluster: str) -> AsyncIterator[list[KubeObject]]:
    """Collect what a ManagedCluster became at each write to anything but its status."""
    states: list[KubeObject] = []

    def take(cluster: KubeObject) -> None:
        metadata = cluster["metadata"]
        kept = ("labels", "annotations", "finalizers", "uid")
        state = {key: metadata.get(key) for key in kept} | {"spec": cluster.get("spec")}
        if states[-1:] != [state]:
            states.append(state)

    watching = watch_objects(admin, MANAGED_CLUSTERS, take, name=cluster)
    async with background(watching, name="watch-cluster"):
        yield states


async def _until_rest(admin: Client, spoke: Spoke) -> None:
    """Return once the hub has done what it had to: it has brought in a cluster made later."""
    later = Spoke(spoke.plane, f"{spoke.cluster}-{secrets.token_hex(2)}", spoke.bootstrap)
    async with await join(later, admin) as agent:
        await later.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        await _until_marked(admin, later.cluster)


async def _until_marked(admin: Client, cluster: str, *taints: str, **features: str) -> KubeObject:
    last: tuple[object, object] = (None, None)

    async def look() -> KubeObject | None:
        nonlocal last
        found = await admin.get(MANAGED_CLUSTERS, cluster)
        last = (_taints(found), _features(found))
        return found if last == (list(taints), features) else None

    try:
        return await eventually(look, what=f"taints {taints} and features {features}")
    except AssertionError as error:
        raise AssertionError(f"{error}; last seen: {last}") from None


async def _report(admin: Client, addon: str, cluster: str, status: str | None) -> None:
    """Say how an add-on is, as a cluster's agent does; with None create it, saying nothing."""
    if status is None:
        await admin.create(
            MANAGED_CLUSTER_ADDONS,
            {"metadata": {"name": addon, "namespace": cluster}, "spec": {}},
        )
        return
    found = await admin.get(MANAGED_CLUSTER_ADDONS, addon, namespace=cluster)
    conditions = with_condition(
        (found.get("status") or {}).get("conditions") or [],
        type=AVAILABLE,
        status="True" if status == "True" else "False",
        reason="Test",
        message="",
        now=datetime.now(UTC),
    )
    await admin.patch(
        MANAGED_CLUSTER_ADDONS,
        addon,
        {"status": {"conditions": conditions}},
        namespace=cluster,
        subresource="status",
    )


async def _set_available(admin: Client, cluster: str, status: str) -> None:
    found = await admin.get(MANAGED_CLUSTERS, cluster)
    conditions = [
        item | ({"status": status} if item["type"] == CLUSTER_AVAILABLE else {})
        for item in found["status"]["conditions"]
    ]
    await admin.patch(
        MANAGED_CLUSTERS, cluster, {"status": {"conditions": conditions}}, subresource="status"
    )


async def test_a_cluster_is_tainted_from_its_acceptance_until_it_is_available(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """One write for the taint's end; its beginning rides on the write that accepts the cluster."""
    async with (
        run_hub(),
        _written(admin, spoke.cluster) as states,
        await join(spoke, admin) as agent,
    ):
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        assert cluster["spec"]["taints"] == [
            {
                "key": names.UNREACHABLE_TAINT,
                "effect": "NoSelect",
                "timeAdded": cluster["metadata"]["annotations"][
                    names.AUTOMATICALLY_ACCEPTED_ANNOTATION
                ],
            }
        ]
        await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        await _until_marked(admin, spoke.cluster)
        await _until_rest(admin, spoke)
        assert len(states) == 3, "created by its agent, accepted with the taint, freed of it"


async def test_acceptance_by_a_person_costs_no_write_more_for_the_taint(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It comes with the finalizer that acceptance puts on the cluster anyway."""
    async with run_hub(), _written(admin, spoke.cluster) as states:
        await spoke.register()
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": True}})
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        await _until_rest(admin, spoke)
        assert len(states) == 3, "created, accepted by a person, held and tainted by the hub"
        assert _taints(states[-1]) == [names.UNREACHABLE_TAINT]


async def test_where_ocms_webhook_dates_taints_the_hub_leaves_that_to_it(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It refuses an update that brings a time along, and the taint comes with acceptance."""
    name = f"dated-{spoke.cluster}"
    await _forbid_dated_taints(admin, name, only_on=spoke.cluster)
    try:
        async with run_hub(), await join(spoke, admin) as agent:
            cluster = await _until_marked(admin, spoke.cluster, names.UNREACHABLE_TAINT)
            assert "timeAdded" not in cluster["spec"]["taints"][0]
            await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
            await _until_marked(admin, spoke.cluster)
            await _set_available(admin, spoke.cluster, "False")
            await _until_marked(admin, spoke.cluster, names.UNAVAILABLE_TAINT)
    finally:
        await admin.delete(POLICY_BINDINGS, name)
        await admin.delete(POLICIES, name)


async def _forbid_dated_taints(admin: Client, name: str, *, only_on: str) -> None:
    """Refuse what OCM's webhook refuses, in its words; it would add the time, too."""
    rule = {
        "apiGroups": [MANAGED_CLUSTERS.group],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": [MANAGED_CLUSTERS.plural],
    }
    await admin.create(
        POLICIES,
        {
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "matchConditions": [
                    {"name": "this-one", "expression": f"object.metadata.name == '{only_on}'"}
                ],
                "validations": [
                    {
                        "expression": "!has(object.spec.taints) || "
                        "object.spec.taints.all(taint, !has(taint.timeAdded))",
                        "message": "It is not allowed to set TimeAdded of Taint",
                    }
                ],
            },
        },
    )
    await admin.create(
        POLICY_BINDINGS,
        {
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    )

    async def in_force() -> bool | None:
        body: KubeObject = {"metadata": {"name": only_on}, "spec": {"hubAcceptsClient": False}}
        await admin.apply(MANAGED_CLUSTERS, _versioned(body))
        dated = {
            "key": "example.com/try",
            "effect": "NoSelect",
            "timeAdded": "2026-01-01T00:00:00Z",
        }
        try:
            await admin.patch(MANAGED_CLUSTERS, only_on, {"spec": {"taints": [dated]}})
        except ApiError:
            await admin.delete(MANAGED_CLUSTERS, only_on)
            return True
        await admin.delete(MANAGED_CLUSTERS, only_on)
        return None

    await eventually(in_force, what="the policy")


def _versioned(body: KubeObject) -> KubeObject:
    return {
        "apiVersion": MANAGED_CLUSTERS.api_version,
        "kind": MANAGED_CLUSTERS.kind,
        **body,
    }


async def test_the_taint_follows_the_clusters_health_beside_the_operators_own(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Exclusive of each other, and nothing of an operator's is lost on the way."""
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        cluster = spoke.cluster
        await admin.patch(
            MANAGED_CLUSTERS, cluster, {"spec": {"hubAcceptsClient": True, "taints": [OPERATORS]}}
        )
        await until_condition(admin, MANAGED_CLUSTERS, cluster, HUB_ACCEPTED, "True")
        await _until_marked(admin, cluster, OPERATORS["key"], names.UNREACHABLE_TAINT)
        await spoke.report(admin, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        await _until_marked(admin, cluster, OPERATORS["key"])
        for status, taint in (
            ("False", names.UNAVAILABLE_TAINT),
            ("Unknown", names.UNREACHABLE_TAINT),
        ):
            await _set_available(admin, cluster, status)
            found = await _until_marked(admin, cluster, OPERATORS["key"], taint)
            assert found["spec"]["taints"][0] == OPERATORS


async def test_addons_show_on_their_cluster_at_the_price_of_a_write_each(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Not two: that nobody knows yet how a new one is, is not worth a write."""
    async with (
        run_hub(),
        await join(spoke, admin) as agent,
        _written(admin, spoke.cluster) as states,
    ):
        await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        await _until_marked(admin, spoke.cluster)
        for addon in ("logs", "mesh"):
            await _report(admin, addon, spoke.cluster, None)
        await _report(admin, "logs", spoke.cluster, "True")
        await _until_marked(admin, spoke.cluster, logs="available")
        await _report(admin, "mesh", spoke.cluster, "False")
        await _until_marked(admin, spoke.cluster, logs="available", mesh="unhealthy")
        await admin.delete(MANAGED_CLUSTER_ADDONS, "logs", namespace=spoke.cluster)
        await _until_marked(admin, spoke.cluster, mesh="unhealthy")
        await _until_rest(admin, spoke)
        assert len(states) == 5, "tainted, freed, then one write for each change of an add-on"


async def test_a_cluster_nobody_accepted_is_left_as_it_is(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The hub does nothing at all for it."""
    async with run_hub(), _written(admin, spoke.cluster) as states:
        await spoke.register()
        await _until_rest(admin, spoke)
        assert len(states) == 1
        assert not _taints(states[0])
