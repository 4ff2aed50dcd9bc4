"""A cluster joins: approval, acceptance, and exactly the rights that follow."""

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from integration.hub.conftest import RunHub
from integration.hub.spoke import (
    Spoke,
    decision,
    eventually,
    issued,
    join,
    until_condition,
)
from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED, JOINED
from towline_api.metadata import annotations_of, finalizers_of, labels_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    NODES,
    ROLE_BINDINGS,
    SECRETS,
    KubeObject,
)
from towline_certs import Subject, generate_key
from towline_hub.clusters import rbac
from towline_hub.decisions.accept import AcceptError, accept_cluster
from towline_hub.fleet.status import collect_status
from towline_hub.object_writer import holds
from towline_kube.client import Client
from towline_kube.errors import Conflict, Forbidden


async def test_a_bootstrap_identity_brings_a_cluster_in(
    spoke: Spoke,
    admin: Client,
    run_hub: RunHub,
    record_property: Callable[[str, object], None],
) -> None:
    """The whole way from a token to a certificate, with every object the contract names."""
    async with run_hub() as hub:
        before = len(hub.writes())
        await spoke.register()
        name = await spoke.ask()
        kind, reason, message = await decision(admin, name)
        assert (kind, reason) == ("Approved", "AutoApprovedByHubCSRApprovingController")
        assert spoke.cluster in message
        certificate = await issued(admin, name)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True"
        )
        assert names.AUTOMATICALLY_ACCEPTED_ANNOTATION in annotations_of(cluster)
        assert names.API_RESOURCE_CLEANUP_FINALIZER in finalizers_of(cluster)
        for desired, resource in (
            (rbac.cluster_namespace(spoke.cluster), NAMESPACES),
            (rbac.accepted_cluster_role(spoke.cluster), CLUSTER_ROLES),
            (rbac.own_cluster_role_binding(spoke.cluster), CLUSTER_ROLE_BINDINGS),
            (rbac.registration_role_binding(spoke.cluster), ROLE_BINDINGS),
            (rbac.work_role_binding(spoke.cluster), ROLE_BINDINGS),
            *((role, CLUSTER_ROLES) for role in rbac.shared_cluster_roles()),
        ):
            live = await admin.get(
                resource,
                desired["metadata"]["name"],
                namespace=desired["metadata"].get("namespace"),
            )
            assert holds(desired, live), desired["metadata"]["name"]
        lease = await admin.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
        assert labels_of(lease) == {names.CLUSTER_NAME_LABEL: spoke.cluster}
        async with Client(spoke.connection(certificate), field_manager="test") as agent:
            me = await agent.whoami()
            assert me.username == spoke.identity.user
            await spoke.beat(agent)
        made = hub.writes()[before:]
        record_property("hub_writes_per_join", len(made))
        # Events and status are also written about what other tests left on this plane.
        telling = ("events.events.k8s.io", f"{MANAGED_CLUSTERS.qualified}/status")
        writes = Counter(write for write in made if write[1] not in telling)
        # What is counted twice here is paid for ten thousand times by a fleet.
        assert writes == {
            ("patch", "managedclusters.cluster.open-cluster-management.io"): 1,
            ("replace", "certificatesigningrequests.certificates.k8s.io/approval"): 1,
            ("create", "namespaces"): 1,
            ("create", "clusterroles.rbac.authorization.k8s.io"): 1 + _shared_roles_made(made),
            ("create", "clusterrolebindings.rbac.authorization.k8s.io"): 1,
            ("create", "rolebindings.rbac.authorization.k8s.io"): 2,
            ("create", "leases.coordination.k8s.io"): 1,
        }


def _shared_roles_made(writes: list[tuple[str, str]]) -> int:
    """Return how many of the roles that all clusters share this first join had to make."""
    made = writes.count(("create", "clusterroles.rbac.authorization.k8s.io")) - 1
    assert made in (0, 2)
    return made


async def test_the_agent_may_do_what_the_contract_grants_and_nothing_else(
    spoke: Spoke, other_spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A stolen cluster certificate must be worth as little as possible."""
    async with run_hub():
        async with await join(other_spoke, admin):
            pass
        async with await join(spoke, admin) as agent:
            await agent.get(MANAGED_CLUSTERS, spoke.cluster)
            await agent.list(MANAGED_CLUSTERS, field_selector=f"metadata.name={spoke.cluster}")
            await agent.list(CERTIFICATE_SIGNING_REQUESTS)
            await agent.get(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)
            await agent.list(MANAGED_CLUSTER_ADDONS, namespace=spoke.cluster)
            await spoke.report(agent, JOINED, reason="ManagedClusterJoined")
            other = other_spoke.cluster
            with pytest.raises(Forbidden):
                await agent.get(MANAGED_CLUSTERS, other)
            with pytest.raises(Forbidden):
                await agent.list(MANAGED_CLUSTERS)
            with pytest.raises(Forbidden):
                await agent.get(LEASES, names.CLUSTER_LEASE, namespace=other)
            for resource in (SECRETS, CONFIG_MAPS, ROLE_BINDINGS, MANAGED_CLUSTER_ADDONS):
                with pytest.raises(Forbidden):
                    await agent.list(resource, namespace=other)
            for resource in (SECRETS, CONFIG_MAPS, ROLE_BINDINGS):
                with pytest.raises(Forbidden):
                    await agent.list(resource, namespace=spoke.cluster)
            for resource in (NODES, NAMESPACES, CLUSTER_ROLES):
                with pytest.raises(Forbidden):
                    await agent.list(resource)
            with pytest.raises(Forbidden):
                await agent.delete(MANAGED_CLUSTERS, spoke.cluster)
            with pytest.raises(Forbidden):
                await agent.delete(LEASES, names.CLUSTER_LEASE, namespace=spoke.cluster)


async def test_without_auto_approval_a_cluster_waits_for_a_person(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The default: nobody comes in by themselves, and the operator sees who waits and why."""
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        name = await spoke.ask()

        async def waiting() -> str | None:
            fleet = await collect_status(admin)
            reasons = [item.waiting_for for item in fleet.pending if item.name == name]
            return reasons[0] if reasons and "towline accept" in reasons[0] else None

        reason = await eventually(waiting, what="a reason why the request waits")
        assert spoke.cluster in reason
        report = await accept_cluster(admin, spoke.cluster)
        assert report.newly_accepted
        assert [item.name for item in report.approved] == [name]
        certificate = await issued(admin, name)
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        async with Client(spoke.connection(certificate), field_manager="test") as agent:
            await agent.get(MANAGED_CLUSTERS, spoke.cluster)
        again = await accept_cluster(admin, spoke.cluster)
        assert not again.newly_accepted
        assert again.requests == ()


async def test_accepting_what_is_not_there_says_so(
    admin: Client, run_hub: RunHub, cluster_name: str
) -> None:
    """A typo must not look like success."""
    async with run_hub():
        with pytest.raises(AcceptError, match="there is no managed cluster"):
            await accept_cluster(admin, cluster_name)


async def test_several_requests_are_not_approved_by_guessing(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """One of them may be an impostor's, and only the operator can tell which."""
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        first = await spoke.ask()
        impostor = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="impostor")
        second = await impostor.ask()
        with pytest.raises(AcceptError, match="--request") as refusal:
            await accept_cluster(admin, spoke.cluster)
        assert first in str(refusal.value)
        assert second in str(refusal.value)
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        assert cluster["spec"]["hubAcceptsClient"] is False
        report = await accept_cluster(admin, spoke.cluster, request=first)
        assert [item.name for item in report.approved] == [first]
        await issued(admin, first)
        csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, second)
        assert not csr.get("status", {}).get("conditions")


async def test_an_agent_renews_its_own_certificate(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Renewal needs no person, but the right to renew, which a denied cluster loses."""
    async with run_hub(), await join(spoke, admin) as agent:
        renewal = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap)
        name = await renewal.ask(client=agent)
        kind, _, _ = await decision(admin, name)
        assert kind == "Approved"
        await issued(admin, name)


async def test_a_taken_name_is_not_given_to_another_bootstrapper(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Bootstrap tokens are shared by many; a running cluster's name is not theirs."""
    async with run_hub(), await join(spoke, admin):
        thief = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="thief")
        name = await thief.ask()

        async def told() -> str | None:
            fleet = await collect_status(admin)
            reasons = [item.waiting_for for item in fleet.pending if item.name == name]
            return reasons[0] if reasons and "valid certificate" in reasons[0] else None

        await eventually(told, what="the reason why the thief waits")


HOSTILE = [
    pytest.param({"subject": Subject("root", frozenset({"cluster-admins"}))}, id="a-person"),
    pytest.param(
        {
            "subject": Subject(
                "system:open-cluster-management:victim:agent1",
                frozenset(
                    {
                        "system:open-cluster-management:victim",
                        "system:open-cluster-management:managed-clusters",
                    }
                ),
            )
        },
        id="another-cluster",
    ),
    pytest.param({"dns_names": ["kubernetes.default.svc"]}, id="extra-san"),
    pytest.param({"usages": ["digital signature", "server auth"]}, id="server-usage"),
    pytest.param({"expiration_seconds": 10 * 366 * 24 * 3600 // 2}, id="five-years"),
]


@pytest.mark.parametrize("changes", HOSTILE)
async def test_a_hostile_request_is_denied_with_its_reason(
    spoke: Spoke, admin: Client, run_hub: RunHub, changes: dict[str, Any]
) -> None:
    """Denied for good, visibly, and the cluster is not accepted on the side."""
    async with run_hub():
        await spoke.register()
        name = await spoke.ask(**changes)
        kind, reason, message = await decision(admin, name)
        assert kind == "Denied"
        assert reason
        assert message
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        assert cluster["spec"]["hubAcceptsClient"] is False


async def test_an_agent_cannot_ask_for_another_clusters_identity(
    spoke: Spoke, other_spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Cluster A's certificate must be of no use against cluster B."""
    async with run_hub():
        async with await join(other_spoke, admin):
            pass
        async with await join(spoke, admin) as agent:
            stolen = Spoke(spoke.plane, other_spoke.cluster, spoke.bootstrap, key=generate_key())
            name = await stolen.ask(client=agent)
            kind, reason, _ = await decision(admin, name)
            assert (kind, reason) == ("Denied", "RequesterNotEntitled")


async def test_requests_for_other_signers_are_left_alone(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Kubelets and other systems have approvers of their own."""
    async with run_hub():
        await spoke.register()
        name = await spoke.ask(signer="example.com/own")
        # A second request behind it proves that the first was looked at.
        other = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        await decision(admin, await other.ask())
        csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        assert not csr.get("status", {}).get("conditions")


async def test_a_cluster_whose_name_is_no_namespace_gets_a_clear_condition(
    admin: Client, run_hub: RunHub, cluster_name: str
) -> None:
    """Kubernetes lets such a name in; a hub that crashed on it would be down for everybody."""
    name = f"{cluster_name}.example.com"
    async with run_hub():
        await admin.create(
            MANAGED_CLUSTERS, {"metadata": {"name": name}, "spec": {"hubAcceptsClient": True}}
        )
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, name, HUB_ACCEPTED, "False", reason="Error"
        )
        messages = [item["message"] for item in cluster["status"]["conditions"]]
        assert any("DNS-1123 label" in message for message in messages)
        await admin.delete(MANAGED_CLUSTERS, name)


async def test_a_system_namespace_never_becomes_a_clusters(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A bootstrap token must not buy rights in kube-system."""
    async with run_hub():
        bad = Spoke(spoke.plane, "kube-system", spoke.bootstrap)
        await bad.register()
        await until_condition(
            admin, MANAGED_CLUSTERS, "kube-system", HUB_ACCEPTED, "False", reason="Error"
        )
        name = await bad.ask()
        csr = await _looked_at(admin, name)
        assert not csr.get("status", {}).get("conditions")
        bindings = await admin.list(ROLE_BINDINGS, namespace="kube-system")
        assert not [item for item in bindings.items if "managedcluster" in item["metadata"]["name"]]
        await admin.delete(CERTIFICATE_SIGNING_REQUESTS, name)
        await admin.delete(MANAGED_CLUSTERS, "kube-system")


async def test_somebody_elses_namespace_is_not_taken_over_automatically(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A bootstrap token must not buy rights in a namespace that somebody uses for other things."""
    async with run_hub():
        await admin.create(NAMESPACES, {"metadata": {"name": spoke.cluster}})
        await spoke.register()
        name = await spoke.ask()
        csr = await _looked_at(admin, name)
        assert not csr.get("status", {}).get("conditions")
        report = await accept_cluster(admin, spoke.cluster)
        assert [item.name for item in report.approved] == [name]
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")


async def _looked_at(admin: Client, name: str) -> KubeObject:
    """Return a request once the hub has said why it waits."""

    async def look() -> KubeObject | None:
        fleet = await collect_status(admin)
        reasons = [item.waiting_for for item in fleet.pending if item.name == name]
        if not reasons or "no hub has looked" in reasons[0]:
            return None
        return await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)

    return await eventually(look, what=f"a reason why request {name} waits")


async def test_a_bootstrap_identity_cannot_accept_its_own_cluster(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It may create ManagedClusters, and acceptance is one field of them."""
    async with run_hub(auto_approve_groups=()):
        refusals: list[str] = []

        async def guarded() -> bool | None:
            try:
                await spoke.bootstrap.create(
                    MANAGED_CLUSTERS,
                    {
                        "metadata": {"name": f"{spoke.cluster}-{secrets.token_hex(3)}"},
                        "spec": {"hubAcceptsClient": True},
                    },
                )
            except Forbidden as error:
                refusals.append(str(error))
                return "setting spec.hubAcceptsClient" in str(error) or None
            refusals.append("none")
            return None

        try:
            await eventually(guarded, what="the refusal of the API server")
        except AssertionError as error:
            raise AssertionError(f"{error}; seen: {refusals[-1]}") from None
        await spoke.register()


async def test_an_agent_cannot_accept_its_cluster_again(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """It may update its own ManagedCluster until its rights have shrunk; a denial has to hold."""
    async with run_hub(), await join(spoke, admin) as agent:
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": False}})
        cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
        cluster["spec"]["hubAcceptsClient"] = True
        with pytest.raises((Forbidden, Conflict)):
            await agent.replace(MANAGED_CLUSTERS, cluster)
