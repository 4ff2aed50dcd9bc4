"""An agent that is not ours joins our hub: what it finds there, object by object."""

from typing import Any

import pytest

from integration.interop.conftest import MakeAgent, Scene
from support.played_agent import CSRS, JSON, Wire, condition, find_condition, new_key, wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

RBAC = "/apis/rbac.authorization.k8s.io/v1"
CLUSTER_LABEL = "open-cluster-management.io/cluster-name"


def rule(group: str, resources: str, verbs: str, *names: str) -> JSON:
    """Return an RBAC rule: resources and verbs as words."""
    made: JSON = {
        "apiGroups": [group],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    return made | ({"resourceNames": list(names)} if names else {})


def subjects(cluster: str) -> list[JSON]:
    """Return whom every binding of a cluster is for."""
    return [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name}
        for name in (
            f"system:open-cluster-management:{cluster}",
            f"open-cluster-management:{cluster}",
        )
    ]


def role_ref(name: str) -> JSON:
    """Return a reference to a ClusterRole."""
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}


CERTIFICATES = "certificates.k8s.io"
CLUSTERS = "cluster.open-cluster-management.io"
LEASES = "coordination.k8s.io"
ADDONS = "addon.open-cluster-management.io"
EVENTS = "events.k8s.io"
REGISTER = "register.open-cluster-management.io"
WORKS = "work.open-cluster-management.io"
READ = "get list watch"

# path (a tilde stands for the cluster's name), label value, and what else has to be exactly so
OBJECTS = [
    pytest.param("/api/v1/namespaces/~", "~", {}, id="namespace"),
    pytest.param(
        f"{RBAC}/clusterroles/open-cluster-management:managedcluster:~",
        "~",
        {
            "rules": [
                rule(CERTIFICATES, "certificatesigningrequests", "create get list watch"),
                rule(REGISTER, "managedclusters/clientcertificates", "renew"),
                rule(CLUSTERS, "managedclusters", "get list update watch", "~"),
                rule(CLUSTERS, "managedclusters/status", "patch update", "~"),
            ]
        },
        id="own-role",
    ),
    pytest.param(
        f"{RBAC}/clusterrolebindings/open-cluster-management:managedcluster:~",
        "~",
        {
            "roleRef": role_ref("open-cluster-management:managedcluster:~"),
            "subjects": subjects("~"),
        },
        id="own-binding",
    ),
    pytest.param(
        f"{RBAC}/namespaces/~/rolebindings/open-cluster-management:managedcluster:~:registration",
        "~",
        {
            "roleRef": role_ref("open-cluster-management:managedcluster:registration"),
            "subjects": subjects("~"),
        },
        id="registration-binding",
    ),
    pytest.param(
        f"{RBAC}/namespaces/~/rolebindings/open-cluster-management:managedcluster:~:work",
        "~",
        {
            "roleRef": role_ref("open-cluster-management:managedcluster:work"),
            "subjects": subjects("~"),
            "finalizers": ["cluster.open-cluster-management.io/manifest-work-cleanup"],
        },
        id="work-binding",
    ),
    pytest.param(
        f"{RBAC}/clusterroles/open-cluster-management:managedcluster:registration",
        "",
        {
            "rules": [
                rule(LEASES, "leases", "get list watch update"),
                rule(ADDONS, "managedclusteraddons", READ),
                rule(ADDONS, "managedclusteraddons/status", "patch update"),
                rule(EVENTS, "events", "create"),
            ]
        },
        id="registration-role",
    ),
    pytest.param(
        f"{RBAC}/clusterroles/open-cluster-management:managedcluster:work",
        "",
        {
            "rules": [
                rule("", "events", "create patch update"),
                rule(EVENTS, "events", "create patch update"),
                rule(WORKS, "manifestworks", "get list watch update patch"),
                rule(WORKS, "manifestworks/status", "patch update"),
            ]
        },
        id="work-role",
    ),
    pytest.param(
        "/apis/coordination.k8s.io/v1/namespaces/~/leases/managed-cluster-lease",
        "~",
        {},
        id="lease",
    ),
]


@pytest.mark.parametrize(("path", "label", "content"), OBJECTS)
async def test_every_object_is_as_the_contract_says(
    scene: Scene, path: str, label: str, content: JSON
) -> None:
    """Names, labels, rules, subjects: agents and other controllers find things by them."""
    found = await scene.until(_of(scene.cluster, path), lambda obj: True)
    assert found["metadata"]["labels"].get(CLUSTER_LABEL) == _of(scene.cluster, label)
    expected = _of(scene.cluster, content)
    for field, value in expected.items():
        seen = (found | {"finalizers": found["metadata"].get("finalizers")})[field]
        assert (_plain(seen) == _plain(value)) if field == "rules" else (seen == value)


def _of(cluster: str, value: Any) -> Any:
    """Put a cluster's name wherever a tilde stands for it."""
    match value:
        case dict():
            return {key: _of(cluster, item) for key, item in value.items()}
        case list():
            return [_of(cluster, item) for item in value]
        case str():
            return value.replace("~", cluster)
        case _:
            return value


def _plain(rules: list[JSON]) -> set[tuple[str, str, str, str]]:
    """Return rules one right at a time, whatever they are gathered into."""
    return {
        (group, resource, name, verb)
        for item in rules
        for group in item["apiGroups"]
        for resource in item["resources"]
        for name in item.get("resourceNames") or ("",)
        for verb in item["verbs"]
    }


async def test_the_cluster_says_that_it_is_accepted_in_the_contracts_words(scene: Scene) -> None:
    """Consoles and scripts compare reasons and messages."""
    cluster = await scene.until(
        scene.agent.cluster_path, lambda obj: bool(find_condition(obj, "ManagedClusterJoined"))
    )
    accepted = find_condition(cluster, "HubAcceptedManagedCluster")
    assert {key: accepted[key] for key in ("status", "reason", "message")} == {
        "status": "True",
        "reason": "HubClusterAdminAccepted",
        "message": "Accepted by hub cluster admin",
    }
    assert cluster["spec"]["hubAcceptsClient"] is True
    annotations = cluster["metadata"]["annotations"]
    assert "open-cluster-management.io/automatically-accepted-on" in annotations
    assert annotations["agent.open-cluster-management.io/made-by"] == "a test"
    finalizers = cluster["metadata"]["finalizers"]
    assert "cluster.open-cluster-management.io/api-resource-cleanup" in finalizers


async def test_the_request_is_approved_in_the_contracts_words(scene: Scene) -> None:
    """The reason is what tools look for."""
    selector = f"labelSelector={CLUSTER_LABEL}%3D{scene.cluster}"
    (request,) = (await scene.admin.get(f"{CSRS}?{selector}")).ok()["items"]
    assert request["metadata"]["name"].startswith(f"{scene.cluster}-")
    approved = find_condition(request, "Approved")
    assert approved["reason"] == "AutoApprovedByHubCSRApprovingController"
    assert scene.cluster in approved["message"]


async def test_the_lease_is_the_hubs_and_the_agent_renews_it(scene: Scene) -> None:
    """A put that kept the label moves the time, and nothing else."""
    path = "/apis/coordination.k8s.io/v1/namespaces/~/leases/managed-cluster-lease"
    path = _of(scene.cluster, path)
    before = (await scene.own.get(path)).ok()
    assert before["spec"]["holderIdentity"] == "managed-cluster-lease"
    after = await scene.agent.renew_lease(scene.own)
    assert after["spec"]["renewTime"] > before["spec"]["renewTime"]
    assert after["metadata"]["labels"] == {CLUSTER_LABEL: scene.cluster}


async def test_the_agent_renews_its_certificate_under_its_own_identity(scene: Scene) -> None:
    """No person, and no bootstrap identity, is needed again."""
    key = new_key()
    asked = await scene.agent.ask(through=scene.own, key=key, expiration_seconds=3600)
    issued = await scene.agent.issued(asked, through=scene.own)
    async with wire(scene.agent.connection(issued, key=key)) as renewed:
        assert (await renewed.get(scene.agent.cluster_path)).status == 200


async def test_the_agent_reports_as_it_does_elsewhere(scene: Scene) -> None:
    """Merge patch of the status, put of the spec, Events of the newer kind."""
    capacity = {"cpu": "8", "memory": "32Gi"}
    available = condition(
        "ManagedClusterConditionAvailable",
        "Managed cluster is available",
        reason="ManagedClusterAvailable",
    )
    cluster = await scene.agent.report(
        scene.own,
        [available],
        capacity=capacity,
        allocatable=capacity,
        version={"kubernetes": "v1.30.0"},
        clusterClaims=[{"name": "id.k8s.io", "value": scene.cluster}],
    )
    assert cluster["status"]["capacity"] == capacity
    assert find_condition(cluster, "ManagedClusterJoined")["status"] == "True"

    def move(live: JSON) -> None:
        live["spec"]["managedClusterClientConfigs"].append({"url": "https://other.example:6443"})

    assert (await scene.agent.replace_cluster(scene.own, move)).status == 200
    assert (await scene.agent.send_event(scene.own, "Available")).status == 201


# What the identity holds, beyond what every authenticated user does; a tilde is its own cluster.
CLUSTER_WIDE = {
    *((CERTIFICATES, "certificatesigningrequests", "*", v) for v in ["create", *READ.split()]),
    (REGISTER, "managedclusters/clientcertificates", "*", "renew"),
    *((CLUSTERS, "managedclusters", "~", v) for v in ["update", *READ.split()]),
    *((CLUSTERS, "managedclusters/status", "~", v) for v in ("patch", "update")),
}
IN_ITS_NAMESPACE = CLUSTER_WIDE | {
    *((LEASES, "leases", "*", v) for v in ["update", *READ.split()]),
    *((ADDONS, "managedclusteraddons", "*", v) for v in READ.split()),
    *((ADDONS, "managedclusteraddons/status", "*", v) for v in ("patch", "update")),
    *((group, "events", "*", v) for group in ("", EVENTS) for v in ("create", "patch", "update")),
    *((WORKS, "manifestworks", "*", v) for v in ["update", "patch", *READ.split()]),
    *((WORKS, "manifestworks/status", "*", v) for v in ("patch", "update")),
}
BOOTSTRAP = {
    ("", "configmaps", "*", "get"),
    *((CERTIFICATES, "certificatesigningrequests", "*", v) for v in ["create", *READ.split()]),
    *((CLUSTERS, "managedclusters", "*", v) for v in ["create", *READ.split()]),
    (CLUSTERS, "managedclustersets/join", "*", "create"),
}


@pytest.mark.parametrize(
    ("who", "namespace", "expected"),
    [
        pytest.param("agent", "~", IN_ITS_NAMESPACE, id="agent-in-its-namespace"),
        pytest.param("agent", "default", CLUSTER_WIDE, id="agent-elsewhere"),
        pytest.param("agent", "kube-system", CLUSTER_WIDE, id="agent-in-kube-system"),
        pytest.param("bootstrap", "~", BOOTSTRAP, id="bootstrap-in-a-clusters-namespace"),
        pytest.param("bootstrap", "kube-system", BOOTSTRAP, id="bootstrap-in-kube-system"),
    ],
)
async def test_an_identity_may_do_this_and_nothing_else(
    scene: Scene,
    everybody: Wire,
    who: str,
    namespace: str,
    expected: set[tuple[str, str, str, str]],
) -> None:
    """All of it, as the API server counts it up."""
    speaker = scene.own if who == "agent" else scene.agent.bootstrap
    where = _of(scene.cluster, namespace)
    found = await speaker.rules(where) - await everybody.rules(where)
    assert found == {(g, r, _of(scene.cluster, n), v) for g, r, n, v in expected}


# What OCM's operator asks about a kubeconfig before it takes it for a usable one.
USABLE_FOR_BOOTSTRAP: list[tuple[str, str, str, JSON]] = [
    *((verb, CLUSTERS, "managedclusters", {}) for verb in ("create", "get")),
    *(
        (verb, CERTIFICATES, "certificatesigningrequests", {})
        for verb in ("create", "get", "list", "watch")
    ),
]
USABLE_FOR_THE_AGENT: list[tuple[str, str, str, JSON]] = [
    *((verb, CERTIFICATES, "certificatesigningrequests", {}) for verb in ("get", "list", "watch")),
    *(
        (verb, CLUSTERS, "managedclusters", {"name": "~"})
        for verb in ("get", "list", "update", "watch")
    ),
    *(
        (verb, CLUSTERS, "managedclusters", {"name": "~", "subresource": "status"})
        for verb in ("patch", "update")
    ),
    ("renew", REGISTER, "managedclusters", {"subresource": "clientcertificates"}),
    *(
        (verb, LEASES, "leases", {"namespace": "~", "name": "managed-cluster-lease"})
        for verb in ("get", "update")
    ),
    *(
        (verb, group, "events", {"namespace": "~"})
        for group in ("", EVENTS)
        for verb in ("create", "patch", "update")
    ),
    *(
        (verb, WORKS, "manifestworks", {"namespace": "~"})
        for verb in ("get", "list", "watch", "update")
    ),
    *(
        (verb, WORKS, "manifestworks", {"namespace": "~", "subresource": "status"})
        for verb in ("patch", "update")
    ),
]


@pytest.mark.parametrize(
    ("who", "rights"),
    [
        pytest.param("bootstrap", USABLE_FOR_BOOTSTRAP, id="bootstrap"),
        pytest.param("agent", USABLE_FOR_THE_AGENT, id="agent"),
    ],
)
async def test_a_kubeconfig_passes_for_usable(
    scene: Scene, who: str, rights: list[tuple[str, str, str, JSON]]
) -> None:
    """An operator that finds one right missing reports the whole agent as degraded."""
    speaker = scene.own if who == "agent" else scene.agent.bootstrap
    missing = [
        (verb, group, resource, attributes)
        for verb, group, resource, attributes in rights
        if not await speaker.may(verb, group, resource, **_of(scene.cluster, attributes))
    ]
    assert missing == []


MAY_NOT = [
    ("create", LEASES, "leases", {"namespace": "~"}),
    ("delete", LEASES, "leases", {"namespace": "~", "name": "managed-cluster-lease"}),
    ("get", "", "secrets", {"namespace": "~"}),
    ("list", "", "configmaps", {"namespace": "~"}),
    ("create", ADDONS, "managedclusteraddons", {"namespace": "~"}),
    ("patch", ADDONS, "managedclusteraddons", {"namespace": "~"}),
    ("delete", CLUSTERS, "managedclusters", {"name": "~"}),
    ("create", CLUSTERS, "managedclusters", {}),
    ("list", CLUSTERS, "managedclusters", {}),
    ("get", CLUSTERS, "managedclusters", {"name": "another"}),
    ("update", REGISTER, "managedclusters", {"subresource": "accept", "name": "~"}),
    ("update", CERTIFICATES, "certificatesigningrequests", {"subresource": "approval"}),
    ("approve", CERTIFICATES, "signers", {"name": "kubernetes.io/kube-apiserver-client"}),
    ("impersonate", "", "users", {}),
    ("create", "rbac.authorization.k8s.io", "rolebindings", {"namespace": "~"}),
]


@pytest.mark.parametrize(
    ("verb", "group", "resource", "attributes"),
    MAY_NOT,
    ids=[f"{verb}-{resource}-{'-'.join(rest) or 'all'}" for verb, _, resource, rest in MAY_NOT],
)
async def test_an_agent_may_not(
    scene: Scene, verb: str, group: str, resource: str, attributes: dict[str, str]
) -> None:
    """Named one by one, for whoever reads what a stolen certificate is worth."""
    assert not await scene.own.may(verb, group, resource, **_of(scene.cluster, attributes))


async def test_an_agent_cannot_accept_itself(scene: Scene, make_agent: MakeAgent) -> None:
    """Neither on creation as the bootstrap identity, nor by a put of its own ManagedCluster."""
    newcomer = await make_agent()
    body = {
        "kind": "ManagedCluster",
        "apiVersion": "cluster.open-cluster-management.io/v1",
        "metadata": {"name": newcomer.cluster},
        "spec": {"hubAcceptsClient": True},
    }
    path = newcomer.cluster_path.rpartition("/")[0]
    answer = await newcomer.bootstrap.post(path, body)
    assert answer.status == 403, answer
    assert "managedclusters/accept" in answer.body["message"]
