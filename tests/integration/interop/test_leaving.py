"""What our hub takes back, and in which order, from a cluster whose agent is not ours."""

import pytest

from integration.interop.conftest import Scene
from integration.interop.test_addons import enable, registered
from support.played_agent import JSON, find_condition
from support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def paths(cluster: str) -> dict[str, str]:
    """Return where a cluster's rights are."""
    role = f"open-cluster-management:managedcluster:{cluster}"
    return {
        "role": f"{RBAC}/clusterroles/{role}",
        "binding": f"{RBAC}/clusterrolebindings/{role}",
        "registration": f"{RBAC}/namespaces/{cluster}/rolebindings/{role}:registration",
        "work": f"{RBAC}/namespaces/{cluster}/rolebindings/{role}:work",
    }


async def deny(scene: Scene) -> None:
    """Take the acceptance back, as an operator does with kubectl."""
    body: JSON = {"spec": {"hubAcceptsClient": False}}
    (await scene.admin.merge(scene.agent.cluster_path, body)).ok(200)


async def test_a_denied_cluster_may_look_at_itself_and_no_more(own_scene: Scene) -> None:
    """The role shrinks, its binding stays, both namespace bindings go; the namespace stays."""
    where = paths(own_scene.cluster)
    await deny(own_scene)
    await own_scene.until_gone(where["registration"])
    await own_scene.until_gone(where["work"])

    def shrunk(role: JSON) -> bool:
        return bool(
            role["rules"]
            == [
                {
                    "apiGroups": ["cluster.open-cluster-management.io"],
                    "resources": ["managedclusters"],
                    "resourceNames": [own_scene.cluster],
                    "verbs": ["get", "list", "watch"],
                }
            ]
        )

    await own_scene.until(where["role"], shrunk)
    assert (await own_scene.admin.get(where["binding"])).status == 200
    namespace = (await own_scene.admin.get(f"/api/v1/namespaces/{own_scene.cluster}")).ok()
    assert "deletionTimestamp" not in namespace["metadata"]
    cluster = await own_scene.until(
        own_scene.agent.cluster_path,
        lambda obj: find_condition(obj, "HubAcceptedManagedCluster").get("status") == "False",
    )
    denied = find_condition(cluster, "HubAcceptedManagedCluster")
    assert (denied["reason"], denied["message"]) == (
        "HubClusterAdminDenied",
        "Denied by hub cluster admin",
    )
    assert find_condition(cluster, "ManagedClusterJoined")["status"] == "True"
    assert (await own_scene.own.get(own_scene.agent.cluster_path)).status == 200
    lease = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/managed-cluster-lease"

    async def shut_out() -> bool:
        return (await own_scene.own.get(lease.format(own_scene.cluster))).status == 403

    await until(shut_out, what=lambda: "the denied cluster still reads its lease")


async def test_a_denied_cluster_is_let_in_again(own_scene: Scene) -> None:
    """All that went comes back, and the agent goes on with the certificate it has."""
    await deny(own_scene)
    where = paths(own_scene.cluster)
    await own_scene.until_gone(where["registration"])
    body: JSON = {"spec": {"hubAcceptsClient": True}}
    (await own_scene.admin.merge(own_scene.agent.cluster_path, body)).ok(200)
    for path in where.values():
        await own_scene.until(path, lambda obj: True)
    await own_scene.agent.renew_lease(own_scene.own)


async def test_a_deleted_cluster_takes_its_rights_along(own_scene: Scene) -> None:
    """Add-ons first, then what the hub granted; the namespace is kept."""
    enabled = await enable(own_scene)
    await registered(own_scene, enabled)
    answer = await own_scene.admin.call("DELETE", own_scene.agent.cluster_path)
    assert answer.status == 200, answer
    await own_scene.until_gone(enabled.path)
    await own_scene.until_gone(own_scene.agent.cluster_path)
    for path in paths(own_scene.cluster).values():
        await own_scene.until_gone(path)
    namespace = (await own_scene.admin.get(f"/api/v1/namespaces/{own_scene.cluster}")).ok()
    assert "deletionTimestamp" not in namespace["metadata"]

    async def shut_out() -> bool:
        return (await own_scene.own.get(own_scene.agent.cluster_path)).status == 403

    await until(shut_out, what=lambda: "the removed cluster's certificate still opens something")


async def test_the_deletion_says_what_it_waits_for(own_scene: Scene) -> None:
    """An add-on somebody holds keeps the cluster, which names it in the contract's words."""
    enabled = await enable(own_scene)
    await registered(own_scene, enabled)
    held: JSON = {"metadata": {"finalizers": ["addon.open-cluster-management.io/addon-pre-delete"]}}
    (await own_scene.admin.merge(enabled.path, held)).ok(200)
    await own_scene.admin.call("DELETE", own_scene.agent.cluster_path)
    cluster = await own_scene.until(
        own_scene.agent.cluster_path, lambda obj: bool(find_condition(obj, "Deleting"))
    )
    deleting = find_condition(cluster, "Deleting")
    assert (deleting["status"], deleting["reason"]) == ("False", "ResourceRemaining")
    assert enabled.name in deleting["message"]
    # The agent still may do what cleaning up takes.
    assert (await own_scene.own.get(enabled.path)).status == 200
    released: JSON = {"metadata": {"finalizers": []}}
    (await own_scene.admin.merge(enabled.path, released)).ok(200)
    await own_scene.until_gone(own_scene.agent.cluster_path)
