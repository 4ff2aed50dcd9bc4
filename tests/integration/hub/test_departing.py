"""Denial, deletion, and namespaces that go away underneath."""

from datetime import timedelta

import pytest

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, condition_is, eventually, join, until_condition
from towline_api import names
from towline_api.condition_types import DELETING, HUB_ACCEPTED, REGISTRATION_APPLIED
from towline_api.metadata import uid_of
from towline_api.rbac_subjects import group_subject
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)
from towline_hub import rbac
from towline_kube.client import Client
from towline_kube.errors import Forbidden


async def _install(admin: Client, spoke: Spoke, *, finalizers: list[str]) -> str:
    addon = f"addon-{spoke.cluster}"
    await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": addon}, "spec": {}})
    await admin.create(
        MANAGED_CLUSTER_ADDONS,
        {
            "metadata": {"name": addon, "namespace": spoke.cluster, "finalizers": finalizers},
            "spec": {},
        },
    )
    await until_condition(
        admin,
        MANAGED_CLUSTER_ADDONS,
        addon,
        REGISTRATION_APPLIED,
        "True",
        namespace=spoke.cluster,
    )
    return addon


async def _until_gone(admin: Client, cluster: str) -> None:
    async def gone() -> bool | None:
        return True if await admin.find(MANAGED_CLUSTERS, cluster) is None else None

    await eventually(gone, what=f"the end of cluster {cluster}")


async def _rights_of(admin: Client, cluster: str) -> list[str]:
    selector = f"{names.CLUSTER_NAME_LABEL}={cluster}"
    return [
        f"{resource.kind} {item['metadata']['name']}"
        for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
        for item in (await admin.list(resource, label_selector=selector)).items
    ]


async def test_deleting_a_cluster_leaves_no_right_behind(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Add-ons first, then rights, then the finalizer; the namespace and its contents stay."""
    async with run_hub(), await join(spoke, admin) as agent:
        addon = await _install(admin, spoke, finalizers=[])
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        await _until_gone(admin, spoke.cluster)
        found = await admin.find(MANAGED_CLUSTER_ADDONS, addon, namespace=spoke.cluster)
        assert found is None

        async def taken_back() -> bool | None:
            return True if not await _rights_of(admin, spoke.cluster) else None

        await eventually(taken_back, what="the end of all rights")
        await admin.get(NAMESPACES, spoke.cluster)
        with pytest.raises(Forbidden):
            await agent.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)


async def test_an_addon_that_cannot_end_holds_a_cluster_only_so_long(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Whoever should have removed the finalizer may be gone for good."""
    async with run_hub(cleanup_limit=timedelta(seconds=2)), await join(spoke, admin):
        addon = await _install(admin, spoke, finalizers=["example.com/never-removed"])
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, DELETING, "False", reason="ResourceRemaining"
        )
        assert any(addon in item["message"] for item in cluster["status"]["conditions"])
        await _until_gone(admin, spoke.cluster)
        await admin.patch(
            MANAGED_CLUSTER_ADDONS,
            addon,
            {"metadata": {"finalizers": []}},
            namespace=spoke.cluster,
        )


async def test_an_agent_keeps_its_rights_while_its_addons_end(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Taking them first would leave the add-ons' objects on the managed cluster."""
    async with run_hub(), await join(spoke, admin) as agent:
        addon = await _install(admin, spoke, finalizers=["example.com/clean-up"])
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, DELETING, "False")
        found = await agent.get(MANAGED_CLUSTER_ADDONS, addon, namespace=spoke.cluster)
        assert "deletionTimestamp" in found["metadata"]
        await admin.patch(
            MANAGED_CLUSTER_ADDONS,
            addon,
            {"metadata": {"finalizers": []}},
            namespace=spoke.cluster,
        )
        await _until_gone(admin, spoke.cluster)


async def test_a_denied_cluster_loses_its_rights_but_not_its_namespace(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Denial is taken back as easily; automatic acceptance must not do it by itself."""
    async with run_hub(), await join(spoke, admin) as agent:
        await _install(admin, spoke, finalizers=[])
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": False}})
        await until_condition(
            admin,
            MANAGED_CLUSTERS,
            spoke.cluster,
            HUB_ACCEPTED,
            "False",
            reason="HubClusterAdminDenied",
        )

        async def shrunk() -> bool | None:
            rights = await _rights_of(admin, spoke.cluster)
            return True if len(rights) == 2 else None

        await eventually(shrunk, what="only the cluster's own role and binding to remain")
        role = await admin.get(CLUSTER_ROLES, names.cluster_role(spoke.cluster))
        assert role["rules"] == rbac.denied_cluster_role(spoke.cluster)["rules"]
        await agent.get(MANAGED_CLUSTERS, spoke.cluster)
        with pytest.raises(Forbidden):
            await agent.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
        await admin.get(NAMESPACES, spoke.cluster)
        again = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        await again.ask()
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        assert cluster["spec"]["hubAcceptsClient"] is False
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": True}})
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        await agent.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)


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
        assert await _rights_of(admin, spoke.cluster) == []


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
        await admin.delete(CLUSTER_ROLE_BINDINGS, own)
        await admin.create(
            CLUSTER_ROLE_BINDINGS,
            {
                **rbac.own_cluster_role_binding(spoke.cluster),
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "view",
                },
            },
        )

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
