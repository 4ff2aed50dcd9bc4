"""Deletion of clusters, in order and in the end by force; namespaces that go away underneath."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from integration.hub.conftest import RunHub
from integration.hub.rights import OWN_CLUSTER, opened_by, rights_of
from integration.hub.spoke import (
    Spoke,
    condition_is,
    decision,
    eventually,
    join,
    until_condition,
)
from integration.hub.works import add_work, serve_works
from towline_api import names
from towline_api.condition_types import DELETING, HUB_ACCEPTED, REGISTRATION_APPLIED
from towline_api.conditions import find_condition
from towline_api.metadata import uid_of
from towline_api.rbac_subjects import group_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
    Resource,
)
from towline_hub.clusters import rbac
from towline_hub.clusters.cluster_remains import MANIFEST_WORKS
from towline_kube.client import Client
from towline_kube.errors import AlreadyExists
from towline_sandbox.embedded.faults import Calls, Refuse
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.plane import EmbeddedPlane

HOLD = "example.com/hold"
PRIORITY = names.CLEANUP_PRIORITY_ANNOTATION


async def _install(admin: Client, spoke: Spoke, *, finalizers: list[str]) -> str:
    addon = f"addon-{spoke.cluster}"
    await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": addon}, "spec": {}})
    await _add_addon(admin, addon, namespace=spoke.cluster, finalizers=finalizers)
    await until_condition(
        admin,
        MANAGED_CLUSTER_ADDONS,
        addon,
        REGISTRATION_APPLIED,
        "True",
        namespace=spoke.cluster,
    )
    return addon


async def _add_addon(admin: Client, name: str, *, namespace: str, **metadata: Any) -> None:
    await admin.create(
        MANAGED_CLUSTER_ADDONS,
        {"metadata": {"name": name, "namespace": namespace, **metadata}, "spec": {}},
    )


async def _let_go(admin: Client, resource: Resource, name: str, cluster: str) -> None:
    await admin.patch(resource, name, {"metadata": {"finalizers": None}}, namespace=cluster)


async def _until_gone(
    admin: Client, name: str, *, resource: Resource = MANAGED_CLUSTERS, namespace: str | None = None
) -> None:
    async def gone() -> bool | None:
        return True if await admin.find(resource, name, namespace=namespace) is None else None

    await eventually(gone, what=f"the end of {name}")


async def _until_said(admin: Client, cluster: str, *parts: str) -> str:
    """Return the message of the `Deleting` condition once it has all parts."""

    async def said() -> str | None:
        found = await admin.get(MANAGED_CLUSTERS, cluster)
        condition = find_condition(found, DELETING)
        message = condition.message if condition is not None else ""
        return message if all(part in message for part in parts) else None

    return await eventually(said, what=f"condition {DELETING} with {parts}")


async def _deleted(admin: Client, resource: Resource, cluster: str) -> dict[str, bool]:
    """Return what is left of a kind, and whether it is being deleted."""
    listed = await admin.list(resource, namespace=cluster)
    return {
        item["metadata"]["name"]: "deletionTimestamp" in item["metadata"] for item in listed.items
    }


async def _event_about(admin: Client, name: str, reason: str, *, namespace: str = "default") -> str:
    async def told() -> str | None:
        events = await admin.list(
            EVENTS, namespace=namespace, field_selector=f"regarding.name={name}"
        )
        return next((item["note"] for item in events.items if item["reason"] == reason), None)

    return await eventually(told, what=f"event {reason} about {name}")


async def test_deleting_a_cluster_leaves_no_right_behind(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Add-ons first, then rights, then the finalizer; the namespace stays, as in OCM."""
    async with run_hub(), await join(spoke, admin) as agent:
        addon = await _install(admin, spoke, finalizers=[])
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        await _until_gone(admin, spoke.cluster)
        found = await admin.find(MANAGED_CLUSTER_ADDONS, addon, namespace=spoke.cluster)
        assert found is None

        async def taken_back() -> bool | None:
            nothing = not await rights_of(admin, spoke.cluster)
            return True if nothing and not await opened_by(agent, spoke) else None

        await eventually(taken_back, what="the end of all rights")
        await admin.get(NAMESPACES, spoke.cluster)
        await _event_about(admin, spoke.cluster, "ClusterRemoved")


async def test_whatever_was_granted_under_the_clusters_label_goes_with_it(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """In other namespaces too, and for add-ons that this hub does not look after."""
    shared = f"shared-{spoke.cluster}"
    labels = {names.CLUSTER_NAME_LABEL: spoke.cluster}
    async with run_hub(), await join(spoke, admin):
        await admin.create(NAMESPACES, {"metadata": {"name": shared}})
        role = rbac.role("granted", [], namespace=shared, labels=labels)
        binding = rbac.role_binding(
            "granted",
            namespace=shared,
            role_kind="Role",
            role_name="granted",
            subjects=rbac.cluster_subjects(spoke.cluster),
            labels=labels,
        )
        binding["metadata"]["finalizers"] = [HOLD]
        await admin.create(ROLES, role)
        await admin.create(ROLE_BINDINGS, binding)
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        await _until_gone(admin, spoke.cluster)
        assert await rights_of(admin, spoke.cluster) == ["RoleBinding granted"]

        async def grants_nothing() -> bool | None:
            held = await admin.get(ROLE_BINDINGS, "granted", namespace=shared)
            return None if held.get("subjects") else True

        # The hub may hear of the cluster's end before it hears of a binding that is so new.
        await eventually(grants_nothing, what="the end of what a finalizer holds")
        await _let_go(admin, ROLE_BINDINGS, "granted", shared)


async def test_addons_end_before_works_and_low_priorities_before_high_ones(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Whoever gave a priority relies on what is of a higher one while it cleans up."""
    await serve_works(admin)
    cluster = spoke.cluster
    async with run_hub(), await join(spoke, admin):
        for resource in (MANAGED_CLUSTER_ADDONS, MANIFEST_WORKS):
            for name, priority in (("first", "0"), ("second", "7"), ("third", "100")):
                metadata: dict[str, Any] = {
                    "finalizers": [HOLD],
                    "annotations": {PRIORITY: priority},
                }
                if resource is MANIFEST_WORKS:
                    await add_work(admin, name, namespace=cluster, **metadata)
                else:
                    await _add_addon(admin, name, namespace=cluster, **metadata)
        await admin.delete(MANAGED_CLUSTERS, cluster)
        for resource in (MANAGED_CLUSTER_ADDONS, MANIFEST_WORKS):
            for name, left in (("first", 3), ("second", 2), ("third", 1)):

                async def its_turn(
                    resource: Resource = resource, name: str = name
                ) -> dict[str, bool] | None:
                    found = await _deleted(admin, resource, cluster)
                    return found if found.get(name) else None

                found = await eventually(its_turn, what=f"the deletion of {name}")
                assert sum(found.values()) == 1, found
                await _until_said(
                    admin, cluster, f"{left} {resource.plural} remain", f"{HOLD} ({left})"
                )
                if resource is MANAGED_CLUSTER_ADDONS:
                    assert not any((await _deleted(admin, MANIFEST_WORKS, cluster)).values())
                await _let_go(admin, resource, name, cluster)
        await _until_gone(admin, cluster)


async def test_an_agent_keeps_what_it_cleans_up_with_and_nothing_else(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Taking that too would leave the add-ons' objects on the managed cluster for good."""
    await serve_works(admin)
    cluster = spoke.cluster
    async with run_hub(), await join(spoke, admin) as agent:
        addon = await _install(admin, spoke, finalizers=[HOLD])
        await add_work(admin, "held", namespace=cluster)
        await admin.delete(MANAGED_CLUSTERS, cluster)
        await _until_said(admin, cluster, "1 managedclusteraddons remain", addon, HOLD)
        keeps = {
            *OWN_CLUSTER,
            *("see its addons", "report on an addon", "see its works", "finish a work"),
            *("see its lease", "renew its lease", "tell an event"),
        }

        async def shrunk() -> bool | None:
            return True if await opened_by(agent, spoke) == keeps else None

        await eventually(shrunk, what=f"rights to shrink to {keeps}")
        found = await agent.get(MANAGED_CLUSTER_ADDONS, addon, namespace=cluster)
        assert "deletionTimestamp" in found["metadata"]
        await _let_go(admin, MANAGED_CLUSTER_ADDONS, addon, cluster)
        await _until_said(admin, cluster, "1 manifestworks remain", "(held)")
        await agent.patch(
            MANIFEST_WORKS, "held", {"metadata": {"finalizers": None}}, namespace=cluster
        )
        await _until_gone(admin, cluster)

        async def nothing() -> bool | None:
            return True if not await opened_by(agent, spoke) else None

        await eventually(nothing, what="the end of all rights", within=5)


async def test_what_cannot_end_is_let_go_by_force(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Whoever should have removed the finalizers may be gone for good."""
    await serve_works(admin)
    cluster = spoke.cluster
    async with run_hub(cleanup_limit=timedelta(seconds=2)), await join(spoke, admin) as agent:
        deprecated = "cluster.open-cluster-management.io/addon-pre-delete"
        addon = await _install(admin, spoke, finalizers=["example.com/never-removed", deprecated])
        await _add_addon(
            admin, "later", namespace=cluster, finalizers=[HOLD], annotations={PRIORITY: "9"}
        )
        await add_work(admin, "held", namespace=cluster)
        await admin.delete(MANAGED_CLUSTERS, cluster)
        said = await _until_said(admin, cluster, addon, "let go without them 2 s after")
        assert deprecated in said or "example.com/never-removed (1)" in said
        await _until_gone(admin, cluster)
        assert await _deleted(admin, MANAGED_CLUSTER_ADDONS, cluster) == {}
        assert await _deleted(admin, MANIFEST_WORKS, cluster) == {}
        assert await rights_of(admin, cluster) == []
        note = await _event_about(admin, cluster, "ForcedRelease")
        assert "example.com/never-removed (1)" in note
        assert "1 manifestworks remain (held)" in note
        assert deprecated not in note, "it was taken before, and nobody acts on it anyway"
        assert not await opened_by(agent, spoke)
        await admin.get(NAMESPACES, cluster)


async def test_requests_of_a_cluster_that_goes_are_denied(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Else the next cluster of that name, or a person with an old list, would let it in."""
    async with run_hub(), await join(spoke, admin):
        stranger = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        before = await stranger.ask()
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        kind, reason, _ = await decision(admin, before)
        assert kind == "Denied"
        assert reason in ("ClusterRemoved", "RequestOlderThanRemoval")
        await _until_gone(admin, spoke.cluster)
        requests = await admin.list(
            CERTIFICATE_SIGNING_REQUESTS,
            label_selector=f"{names.CLUSTER_NAME_LABEL}={spoke.cluster}",
        )
        assert all(item["status"]["conditions"] for item in requests.items)


async def test_the_finalizer_of_ocms_hub_is_released_too(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It is on every cluster of a hub that OCM ran before, accepted or not."""
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        await admin.patch(
            MANAGED_CLUSTERS,
            spoke.cluster,
            {"metadata": {"finalizers": [names.RESOURCE_CLEANUP_FINALIZER]}},
        )
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        await _until_gone(admin, spoke.cluster)


async def test_somebody_elses_finalizer_on_a_cluster_is_named_and_left(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It belongs to a program on the hub, which is not gone with the agent."""
    async with run_hub(), await join(spoke, admin):
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        await admin.patch_metadata(
            MANAGED_CLUSTERS, cluster, finalizers=[*cluster["metadata"]["finalizers"], HOLD]
        )
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, DELETING, "True", reason="NoResource"
        )
        condition = find_condition(cluster, DELETING)
        assert condition is not None
        assert f"{HOLD} holds it" in condition.message

        async def let_go() -> bool | None:
            found = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
            return True if found["metadata"]["finalizers"] == [HOLD] else None

        await eventually(let_go, what="the hub's own finalizer to go")
        await _let_go_cluster(admin, spoke.cluster)
        await _until_gone(admin, spoke.cluster)


async def _let_go_cluster(admin: Client, cluster: str) -> None:
    await admin.patch(MANAGED_CLUSTERS, cluster, {"metadata": {"finalizers": None}})


@pytest.mark.planes("embedded", because="it makes the API server refuse what the hub may do")
async def test_what_keeps_the_hub_from_cleaning_up_is_said(
    spoke: Spoke, admin: Client, run_hub: RunHub, hub_plane: EmbeddedPlane
) -> None:
    """An operator sees a cluster that does not go, and looks at its conditions."""
    async with run_hub(), await join(spoke, admin):
        await _install(admin, spoke, finalizers=[])
        refusal = Refuse(ApiFailure(403, "Forbidden", "not today, says a webhook"))
        calls = Calls(
            verb="delete", resource=MANAGED_CLUSTER_ADDONS.qualified, user_agent="towline-hub/"
        )
        rule = hub_plane.faults.add(refusal, calls)
        try:
            await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
            cluster = await until_condition(
                admin, MANAGED_CLUSTERS, spoke.cluster, DELETING, "False", reason="DeletingError"
            )
        finally:
            hub_plane.faults.remove(rule)
        condition = find_condition(cluster, DELETING)
        assert condition is not None
        assert "not today, says a webhook" in condition.message
        await _until_gone(admin, spoke.cluster)


async def test_addons_left_over_without_a_cluster_are_let_go(
    cluster_name: str, admin: Client, run_hub: RunHub
) -> None:
    """Whoever should clean up after them looks for the cluster first, and finds none."""
    async with run_hub(cleanup_limit=timedelta(seconds=2)):
        await admin.create(NAMESPACES, {"metadata": {"name": cluster_name}})
        await _add_addon(admin, "stays", namespace=cluster_name, finalizers=[HOLD])
        await _add_addon(admin, "goes", namespace=cluster_name, finalizers=[HOLD])
        await admin.delete(MANAGED_CLUSTER_ADDONS, "goes", namespace=cluster_name)
        assert await _deleted(admin, MANAGED_CLUSTER_ADDONS, cluster_name) == {
            "stays": False,
            "goes": True,
        }
        await _until_gone(admin, "goes", resource=MANAGED_CLUSTER_ADDONS, namespace=cluster_name)
        note = await _event_about(admin, "goes", "ForcedRelease", namespace=cluster_name)
        assert HOLD in note
        # It may have been made before its cluster registers.
        assert await _deleted(admin, MANAGED_CLUSTER_ADDONS, cluster_name) == {"stays": False}
        await _let_go(admin, MANAGED_CLUSTER_ADDONS, "stays", cluster_name)


async def test_deprecated_finalizers_hold_no_addon(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Nobody acts on them, whether or not the cluster is there."""
    async with run_hub(), await join(spoke, admin):
        await _add_addon(
            admin,
            "old",
            namespace=spoke.cluster,
            finalizers=[*names.DEPRECATED_ADDON_FINALIZERS, HOLD],
        )
        await admin.delete(MANAGED_CLUSTER_ADDONS, "old", namespace=spoke.cluster)

        async def taken() -> bool | None:
            addon = await admin.get(MANAGED_CLUSTER_ADDONS, "old", namespace=spoke.cluster)
            return True if addon["metadata"]["finalizers"] == [HOLD] else None

        await eventually(taken, what="only the finalizer that means something")
        await _let_go(admin, MANAGED_CLUSTER_ADDONS, "old", spoke.cluster)


async def test_a_deleted_namespace_comes_back_with_everything_in_it(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Our own finalizer must not hold it, and its end must not be the cluster's."""
    async with run_hub(), await join(spoke, admin) as agent:
        before = await admin.get(NAMESPACES, spoke.cluster)
        await admin.delete(NAMESPACES, spoke.cluster)

        async def back() -> KubeObject | None:
            namespace = await admin.find(NAMESPACES, spoke.cluster)
            if namespace is None or uid_of(namespace) == uid_of(before):
                return None
            cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
            return cluster if condition_is(cluster, HUB_ACCEPTED, "True") else None

        await eventually(back, what="the namespace made anew", within=40)
        lease = await eventually(
            lambda: admin.find(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster),
            what="the lease made anew",
        )
        assert lease["metadata"]["labels"] == {names.CLUSTER_NAME_LABEL: spoke.cluster}
        await spoke.beat(agent)


async def test_a_namespace_that_cannot_end_is_said(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The operator must see what the cluster waits for."""
    async with run_hub(), await join(spoke, admin):
        await _install(admin, spoke, finalizers=["example.com/hold"])
        await admin.delete(NAMESPACES, spoke.cluster)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "False", reason="Error"
        )
        messages = [item["message"] for item in cluster["status"]["conditions"]]
        assert any(f"namespace {spoke.cluster} is being deleted" in item for item in messages)
        await admin.patch(
            MANAGED_CLUSTER_ADDONS,
            f"addon-{spoke.cluster}",
            {"metadata": {"finalizers": []}},
            namespace=spoke.cluster,
        )
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")


async def test_a_cluster_that_was_never_accepted_leaves_at_once(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The hub put nothing on it, so nothing holds it."""
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        assert await admin.find(MANAGED_CLUSTERS, spoke.cluster) is None
        assert await rights_of(admin, spoke.cluster) == []


async def test_edited_cluster_rights_are_put_right(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A subject added by hand is an intruder; a binding that refers elsewhere is useless."""
    async with run_hub(), await join(spoke, admin):
        name = names.registration_role_binding(spoke.cluster)
        desired = rbac.registration_role_binding(spoke.cluster)
        intruder = group_subject("intruders")
        await admin.patch(
            ROLE_BINDINGS,
            name,
            {"subjects": [*desired["subjects"], intruder]},
            namespace=spoke.cluster,
        )
        own = names.cluster_role(spoke.cluster)
        elsewhere = {
            **rbac.own_cluster_role_binding(spoke.cluster),
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "view",
            },
        }

        async def misled() -> bool | None:
            # The hub makes its own anew as soon as it hears of it, and may be faster.
            await admin.delete(CLUSTER_ROLE_BINDINGS, own, missing_ok=True)
            with suppress(AlreadyExists):
                await admin.create(CLUSTER_ROLE_BINDINGS, elsewhere)
                return True
            return None

        await eventually(misled, what="a binding that refers elsewhere")

        async def repaired() -> bool | None:
            binding = await admin.get(ROLE_BINDINGS, name, namespace=spoke.cluster)
            cluster_binding = await admin.find(CLUSTER_ROLE_BINDINGS, own)
            return (
                True
                if binding["subjects"] == desired["subjects"]
                and cluster_binding is not None
                and cluster_binding["roleRef"]["name"] == own
                else None
            )

        await eventually(repaired, what="the repair of the cluster's rights")
