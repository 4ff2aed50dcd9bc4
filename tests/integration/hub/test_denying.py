"""A cluster that its hub's owner does not want any more."""

from datetime import timedelta

import pytest

from integration.hub.conftest import RunHub
from integration.hub.rights import OWN_CLUSTER, opened_by, rights_of
from integration.hub.spoke import (
    Spoke,
    condition_is,
    decision,
    eventually,
    issued,
    join,
    until_condition,
)
from integration.hub.watching import watch_objects
from integration.hub.works import add_work, serve_works
from support.tasks import background
from towline_api import names
from towline_api.condition_types import (
    CLUSTER_AVAILABLE,
    HUB_ACCEPTED,
    REGISTRATION_APPLIED,
)
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLES,
    EVENTS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    KubeObject,
)
from towline_certs import generate_key
from towline_hub.clusters import rbac
from towline_kube.client import Client
from towline_kube.errors import Forbidden


async def _deny(admin: Client, cluster: str) -> None:
    await admin.patch(MANAGED_CLUSTERS, cluster, {"spec": {"hubAcceptsClient": False}})
    await until_condition(
        admin, MANAGED_CLUSTERS, cluster, HUB_ACCEPTED, "False", reason="HubClusterAdminDenied"
    )


async def _install(admin: Client, spoke: Spoke) -> str:
    addon = f"addon-{spoke.cluster}"
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
    return addon


async def until_opened(client: Client, spoke: Spoke, expected: frozenset[str]) -> None:
    """Wait until a certificate opens just this; authorizers learn of bindings by watches too."""

    async def just_that() -> bool | None:
        return True if await opened_by(client, spoke) == expected else None

    await eventually(just_that, what=f"certificate to open {set(expected)} only", within=5)


async def test_a_denied_clusters_certificate_opens_nothing_but_the_sight_of_itself(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """At once: on connections that were open already, with works still there, for add-ons too."""
    await serve_works(admin)
    async with run_hub(), await join(spoke, admin) as agent:
        addon = await _install(admin, spoke)
        key = generate_key()
        request = await spoke.ask_for_addon(addon, client=agent, key=key)
        certificate = await issued(admin, request)
        connection = spoke.connection(certificate, key=key)
        async with Client(connection, field_manager="test-addon") as addon_agent:
            await add_work(admin, "held", namespace=spoke.cluster)
            assert len(await opened_by(agent, spoke)) > 9
            assert await opened_by(addon_agent, spoke) == {"see configuration"}
            await _deny(admin, spoke.cluster)
            await until_opened(agent, spoke, OWN_CLUSTER)
            await until_opened(addon_agent, spoke, frozenset())
        own = names.cluster_role(spoke.cluster)
        assert await rights_of(admin, spoke.cluster) == [
            f"ClusterRole {own}",
            f"ClusterRoleBinding {own}",
        ]
        role = await admin.get(CLUSTER_ROLES, own)
        assert role["rules"] == rbac.denied_cluster_role(spoke.cluster)["rules"]
        await admin.get(NAMESPACES, spoke.cluster)
        await admin.get(MANAGED_CLUSTER_ADDONS, addon, namespace=spoke.cluster)

        async def told() -> KubeObject | None:
            events = await admin.list(
                EVENTS, namespace="default", field_selector=f"regarding.name={spoke.cluster}"
            )
            return next((item for item in events.items if item["reason"] == "ClusterDenied"), None)

        await eventually(told, what="the event about the denial")


async def test_a_watch_that_is_open_goes_on_but_none_can_be_opened(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Kubernetes authorizes a watch when it begins and never again; that is in the guide."""
    seen: list[str] = []

    async def watch(agent: Client) -> None:
        def take(addon: KubeObject) -> None:
            seen.append(addon["metadata"]["name"])

        await watch_objects(agent, MANAGED_CLUSTER_ADDONS, take, namespace=spoke.cluster)

    async def sees(name: str) -> bool | None:
        return True if name in seen else None

    async def make(name: str) -> None:
        await admin.create(
            MANAGED_CLUSTER_ADDONS,
            {"metadata": {"name": name, "namespace": spoke.cluster}, "spec": {}},
        )

    async with (
        run_hub(),
        await join(spoke, admin) as agent,
        background(watch(agent), name="watch-addons"),
    ):
        await make("before")
        await eventually(lambda: sees("before"), what="the watch")
        await _deny(admin, spoke.cluster)
        await until_opened(agent, spoke, OWN_CLUSTER)
        await make("after")
        await eventually(lambda: sees("after"), what="what the watch still shows")
        with pytest.raises(Forbidden):
            await watch(agent)


async def test_denial_denies_what_was_asked_before_and_acceptance_gives_everything_back(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A request from before must not come to life; the agent's next one waits for a person."""
    async with run_hub(), await join(spoke, admin) as agent:
        stranger = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        before = await stranger.ask()
        await _deny(admin, spoke.cluster)
        kind, reason, message = await decision(admin, before)
        assert kind == "Denied"
        assert reason in ("ClusterDenied", "RequestOlderThanRemoval")
        assert spoke.cluster in message
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": True}})
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        await spoke.beat(agent)
        csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, before)
        assert [item["type"] for item in csr["status"]["conditions"]] == ["Denied"]
        namespace = await admin.get(NAMESPACES, spoke.cluster)
        assert names.FORMER_CERTIFICATE_ANNOTATION not in namespace["metadata"].get(
            "annotations", {}
        )


async def test_automatic_acceptance_does_not_undo_a_denial(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Otherwise an agent would need only to ask again."""
    async with run_hub(), await join(spoke, admin):
        await _deny(admin, spoke.cluster)
        again = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        await again.ask()
        other = Spoke(spoke.plane, f"{spoke.cluster}-b", spoke.bootstrap)
        async with await join(other, admin):
            pass  # whatever was asked before has been looked at
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        assert cluster["spec"]["hubAcceptsClient"] is False


async def test_a_denied_cluster_becomes_unknown_once_its_lease_is_stale(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It cannot renew it; and what counts as available would get new work."""
    async with run_hub(), await join(spoke, admin) as agent:
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"leaseDurationSeconds": 1}})
        await spoke.report(agent, CLUSTER_AVAILABLE, reason="ManagedClusterAvailable")
        await _deny(admin, spoke.cluster)

        async def unreachable() -> bool | None:
            cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
            taints = [item["key"] for item in cluster["spec"].get("taints", [])]
            silent = condition_is(cluster, CLUSTER_AVAILABLE, "Unknown")
            return True if silent and taints == [names.UNREACHABLE_TAINT] else None

        await eventually(unreachable, what="the taint of an unreachable cluster")


async def test_a_denied_cluster_that_is_deleted_keeps_nothing_while_its_addons_end(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The order by which an operator keeps out an agent that is not trusted."""
    async with run_hub(cleanup_limit=timedelta(seconds=4)), await join(spoke, admin) as agent:
        await admin.create(
            MANAGED_CLUSTER_ADDONS,
            {
                "metadata": {
                    "name": "held",
                    "namespace": spoke.cluster,
                    "finalizers": ["example.com/hold"],
                },
                "spec": {},
            },
        )
        await _deny(admin, spoke.cluster)
        await admin.delete(MANAGED_CLUSTERS, spoke.cluster)
        await until_opened(agent, spoke, frozenset())
        assert await rights_of(admin, spoke.cluster) == []
        await admin.get(MANAGED_CLUSTERS, spoke.cluster)

        async def gone() -> bool | None:
            return True if await admin.find(MANAGED_CLUSTERS, spoke.cluster) is None else None

        await eventually(gone, what="the end of the cluster")
