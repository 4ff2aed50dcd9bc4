"""An agent that is not ours serves an add-on on our hub: registration, certificate, rights."""

import secrets
from dataclasses import dataclass

import pytest

from integration.interop.conftest import Scene
from support.played_agent import JSON, condition, find_condition, new_key, wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

API = "/apis/addon.open-cluster-management.io/v1alpha1"


@dataclass(frozen=True)
class Enabled:
    """An add-on that was defined on the hub and enabled on the cluster.

    Args:
        name: Name of the add-on.
        path: Where its ManagedClusterAddOn is.
        definition: Its ClusterManagementAddOn.
    """

    name: str
    path: str
    definition: JSON


async def enable(scene: Scene, **spec: object) -> Enabled:
    """Define an add-on and enable it on the cluster, as an operator does with kubectl."""
    name = f"addon-{secrets.token_hex(3)}"
    head = {"apiVersion": "addon.open-cluster-management.io/v1alpha1"}
    definition = {
        **head,
        "kind": "ClusterManagementAddOn",
        "metadata": {"name": name},
        "spec": {"addOnMeta": {"displayName": name}},
    }
    made = (await scene.admin.post(f"{API}/clustermanagementaddons", definition)).ok(201)
    addon = {
        **head,
        "kind": "ManagedClusterAddOn",
        "metadata": {"name": name, "namespace": scene.cluster},
        "spec": spec,
    }
    collection = f"{API}/namespaces/{scene.cluster}/managedclusteraddons"
    (await scene.admin.post(collection, addon)).ok(201)
    return Enabled(name, f"{collection}/{name}", made)


async def registered(scene: Scene, enabled: Enabled) -> JSON:
    """Return the add-on once the agent can see how to register it."""
    path = f"{API}/namespaces/{scene.cluster}/managedclusteraddons"
    (found,) = [
        item
        for item in await scene.own.follow(
            path,
            f"fieldSelector=metadata.name%3D{enabled.name}",
            lambda seen: any(
                find_condition(item, "RegistrationApplied").get("status") == "True" for item in seen
            ),
        )
        if item["metadata"]["name"] == enabled.name
    ]
    return found


@pytest.mark.parametrize(
    ("spec", "namespace"),
    [
        pytest.param({}, "open-cluster-management-agent-addon", id="usual-namespace"),
        pytest.param({"installNamespace": "helloworld"}, "helloworld", id="namespace-asked-for"),
    ],
)
async def test_the_hub_writes_the_registration_the_agent_goes_by(
    scene: Scene, spec: JSON, namespace: str
) -> None:
    """Owner, subject, namespace, condition: each is read by somebody on the other side."""
    enabled = await enable(scene, **spec)
    addon = await registered(scene, enabled)
    group = f"system:open-cluster-management:cluster:{scene.cluster}:addon:{enabled.name}"
    status = addon["status"]
    assert status["registrations"] == [
        {
            "signerName": "kubernetes.io/kube-apiserver-client",
            "subject": {
                "user": f"{group}:agent:{enabled.name}",
                "groups": [group, f"system:open-cluster-management:addon:{enabled.name}"],
            },
        }
    ]
    assert status["namespace"] == namespace
    applied = find_condition(addon, "RegistrationApplied")
    assert (applied["reason"], applied["message"]) == (
        "SetPermissionApplied",
        "Registration of the addon agent is configured",
    )
    owners = [
        {key: owner[key] for key in ("apiVersion", "kind", "name", "uid")}
        for owner in addon["metadata"]["ownerReferences"]
    ]
    assert [(owner["kind"], owner["name"], owner["uid"]) for owner in owners] == [
        ("ClusterManagementAddOn", enabled.name, enabled.definition["metadata"]["uid"])
    ]
    assert owners[0]["apiVersion"].startswith("addon.open-cluster-management.io/")


@pytest.mark.parametrize(
    "more_groups",
    [
        pytest.param([], id="both-groups"),
        pytest.param(["system:authenticated"], id="older-agent-with-a-third-group"),
    ],
)
async def test_the_agent_earns_the_addons_certificate(scene: Scene, more_groups: list[str]) -> None:
    """It says its driver first, asks with the registration's subject, and the channel works."""
    enabled = await enable(scene)
    addon = await registered(scene, enabled)
    metadata = {key: addon["metadata"][key] for key in ("uid", "resourceVersion")}
    told = {"metadata": metadata, "status": {"kubeClientDriver": "csr"}}
    answer = await scene.own.merge(f"{enabled.path}/status", told)
    assert answer.status in (200, 409), answer
    subject = addon["status"]["registrations"][0]["subject"]
    key = new_key()
    asked = await scene.agent.ask_for_addon(
        enabled.name,
        through=scene.own,
        key=key,
        user=subject["user"],
        groups=[*subject["groups"], *more_groups],
    )
    issued = await scene.agent.issued(asked, through=scene.own, addon=enabled.name)
    approved = find_condition(issued, "Approved")
    assert approved["reason"] == "AutoApprovedByHubCSRApprovingController"
    async with wire(scene.agent.connection(issued, key=key)) as channel:
        own = f"{API}/namespaces/{scene.cluster}/managedclusteraddons/{enabled.name}"
        await scene.until(enabled.path, lambda obj: True)
        assert (await channel.get(own)).status == 200
        assert (await channel.get(f"/api/v1/namespaces/{scene.cluster}/secrets")).status == 403
        assert (await channel.get("/api/v1/namespaces/default/configmaps")).status == 403


async def test_the_agent_reports_the_addons_health(scene: Scene) -> None:
    """By merge patch, under the cluster's identity, into conditions the hub wrote beside."""
    enabled = await enable(scene)
    addon = await registered(scene, enabled)
    available = condition(
        "Available",
        f"{enabled.name} add-on is available.",
        reason="ManagedClusterAddOnLeaseUpdated",
    )
    patch = {
        "metadata": {key: addon["metadata"][key] for key in ("uid", "resourceVersion")},
        "status": {"conditions": [*addon["status"]["conditions"], available]},
    }
    answer = await scene.own.merge(f"{enabled.path}/status", patch)
    assert answer.status == 200, answer
    kept = await scene.until(
        enabled.path, lambda obj: find_condition(obj, "Available").get("status") == "True"
    )
    assert find_condition(kept, "RegistrationApplied")["status"] == "True"


HOSTILE = [
    pytest.param({"groups": ["cluster-admins"]}, id="somebody-elses-groups"),
    pytest.param({"user": "root"}, id="a-person"),
    pytest.param({"addon": "another"}, id="another-addons-name"),
]


@pytest.mark.parametrize("change", HOSTILE)
async def test_a_request_for_another_identity_is_denied(scene: Scene, change: JSON) -> None:
    """The agent of a cluster is trusted with its own add-ons, and with nothing else."""
    enabled = await enable(scene)
    subject = (await registered(scene, enabled))["status"]["registrations"][0]["subject"]
    asked = await scene.agent.ask_for_addon(
        enabled.name,
        through=scene.own,
        key=new_key(),
        user=str(change.get("user", subject["user"])).replace(
            f"addon:{enabled.name}", f"addon:{change.get('addon', enabled.name)}"
        ),
        groups=list(change.get("groups", subject["groups"])),
    )
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    request = await scene.until(
        f"{path}/{asked['metadata']['name']}", lambda obj: bool(find_condition(obj, "Denied"))
    )
    assert not find_condition(request, "Approved")
    assert find_condition(request, "Denied")["message"]
