"""Defaults and rules of the built-in kinds, in the words a real server used."""

import pytest

from support.built_in_kinds import complaints, created, kind_of, written
from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import kinds
from towline_sandbox.embedded.model.kinds import Kind

NAMESPACES = kind_of("v1", "namespaces")
SECRETS = kind_of("v1", "secrets")
CONFIG_MAPS = kind_of("v1", "configmaps")
PODS = kind_of("v1", "pods")
NODES = kind_of("v1", "nodes")
SERVICES = kind_of("v1", "services")
LEASES = kind_of("coordination.k8s.io/v1", "leases")
ROLES = kind_of("rbac.authorization.k8s.io/v1", "roles")
CLUSTER_ROLES = kind_of("rbac.authorization.k8s.io/v1", "clusterroles")
BINDINGS = kind_of("rbac.authorization.k8s.io/v1", "rolebindings")
CLUSTER_BINDINGS = kind_of("rbac.authorization.k8s.io/v1", "clusterrolebindings")
DEPLOYMENTS = kind_of("apps/v1", "deployments")
DAEMON_SETS = kind_of("apps/v1", "daemonsets")
JOBS = kind_of("batch/v1", "jobs")

CONTAINERS = {"containers": [{"name": "c", "image": "i"}]}
RBAC_GROUP = "rbac.authorization.k8s.io"


def named(**fields: object) -> KubeObject:
    return {"metadata": {"name": "n"}, **fields}


def test_a_namespace_is_born_active_and_held() -> None:
    """Its content goes before it does."""
    found = created(NAMESPACES, named(status={"phase": "Terminating"}))
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert found["status"] == {"phase": "Active"}


def test_only_finalizing_lets_a_namespace_go() -> None:
    """An update that leaves the finalizers out changes nothing."""
    old = created(NAMESPACES, named())
    assert written(NAMESPACES, named(), old)["spec"] == old["spec"]
    assert written(NAMESPACES, named(), old, subresource="finalize")["spec"] == {}


def test_the_phase_of_a_namespace_follows_its_deletion() -> None:
    """Nobody says it is terminating when it is not."""
    found = complaints(NAMESPACES, named(status={"phase": "Terminating"}), subresource="status")
    assert found == [
        (
            "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if "
            "`deletionTimestamp` is empty"
        )
    ]


def test_text_in_a_secret_becomes_data() -> None:
    """What was written as text wins, and is never read back as text."""
    found = created(SECRETS, named(stringData={"a": "b"}, data={"a": "YQ==", "c": ""}))
    assert found["data"] == {"a": "Yg==", "c": ""}
    assert found["type"] == "Opaque"
    assert "stringData" not in found


def test_the_type_of_a_secret_stays() -> None:
    """Readers rely on it."""
    old = created(SECRETS, named(type="a"))
    assert complaints(SECRETS, created(SECRETS, named(type="b")), old) == [
        'type: Invalid value: "b": field is immutable'
    ]


@pytest.mark.parametrize(
    ("type_", "missing"),
    [
        ("kubernetes.io/tls", ["data[tls.crt]", "data[tls.key]"]),
        ("kubernetes.io/dockerconfigjson", ["data[.dockerconfigjson]"]),
        ("kubernetes.io/basic-auth", ["data[username]", "data[password]"]),
        ("bootstrap.kubernetes.io/token", []),
    ],
)
def test_a_secret_has_what_its_type_promises(type_: str, missing: list[str]) -> None:
    """A certificate without its key is no use to anybody."""
    found = complaints(SECRETS, created(SECRETS, named(type=type_)))
    assert found == [f"{field}: Required value" for field in missing]


def test_what_is_immutable_stays_so() -> None:
    """Neither the data nor the promise changes."""
    told = "Forbidden: field is immutable when `immutable` is set"
    old = created(CONFIG_MAPS, named(data={"k": "v"}, immutable=True))
    new = created(CONFIG_MAPS, named(data={"k": "w"}))
    assert complaints(CONFIG_MAPS, new, old) == [f"immutable: {told}", f"data: {told}"]


def test_keys_are_file_names() -> None:
    """They become files when they are mounted."""
    data = {"..": "x", "..a": "x", "fine.txt": "x"}
    assert complaints(CONFIG_MAPS, created(CONFIG_MAPS, named(data=data))) == [
        "data[..]: Invalid value: \"..\": must not be '..'",
        "data[..a]: Invalid value: \"..a\": must not start with '..'",
    ]


def test_configuration_has_a_largest_size() -> None:
    """Everything is held in memory by everybody."""
    most = 1024 * 1024
    assert complaints(CONFIG_MAPS, created(CONFIG_MAPS, named(data={"a": "x" * most}))) == []
    assert complaints(CONFIG_MAPS, created(CONFIG_MAPS, named(data={"a": "x" * (most + 1)}))) == [
        f"[]: Too long: may not be more than {most} bytes"
    ]


def test_the_numbers_of_a_lease_make_sense() -> None:
    """A Lease that is over before it begins belongs to nobody."""
    spec = {"leaseDurationSeconds": 0, "leaseTransitions": -1}
    assert complaints(LEASES, created(LEASES, named(spec=spec))) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
    ]


def test_a_binding_means_rbac_unless_it_says_otherwise() -> None:
    """What is left out is the group of roles."""
    found = created(
        CLUSTER_BINDINGS,
        named(
            roleRef={"kind": "ClusterRole", "name": "view"},
            subjects=[
                {"kind": "User", "name": "u"},
                {"kind": "ServiceAccount", "name": "a", "namespace": "n"},
            ],
        ),
    )
    assert found["roleRef"]["apiGroup"] == RBAC_GROUP
    assert [subject.get("apiGroup") for subject in found["subjects"]] == [RBAC_GROUP, None]
    assert complaints(CLUSTER_BINDINGS, found) == []


def test_a_binding_keeps_its_role() -> None:
    """Whoever may edit a binding may not turn it into another grant."""
    old, new = (
        created(BINDINGS, named(roleRef={"kind": "ClusterRole", "name": name}))
        for name in ("view", "edit")
    )
    assert complaints(BINDINGS, new, old) == [
        (
            'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole",'
            '"Name":"edit"}: field is immutable'
        )
    ]


@pytest.mark.parametrize(
    ("kind", "rule", "told"),
    [
        (
            CLUSTER_ROLES,
            {},
            [
                (
                    "rules[0].apiGroups: Required value: resource rules must supply at least one "
                    "api group"
                ),
                (
                    "rules[0].resources: Required value: resource rules must supply at least one "
                    "resource"
                ),
                "rules[0].verbs: Required value",
            ],
        ),
        (
            ROLES,
            {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            [
                (
                    'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot '
                    "apply to non-resource URLs"
                )
            ],
        ),
        (CLUSTER_ROLES, {"verbs": ["get"], "nonResourceURLs": ["/x"]}, []),
    ],
)
def test_rules_of_roles_are_whole(kind: Kind, rule: KubeObject, told: list[str]) -> None:
    """Half a rule grants nothing and looks as if it did."""
    assert complaints(kind, created(kind, named(rules=[rule]))) == told


def test_a_deployment_picks_its_own_pods() -> None:
    """Otherwise it would start them without end."""
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": CONTAINERS}}
    told = "`selector` does not match template `labels`"
    assert complaints(DEPLOYMENTS, created(DEPLOYMENTS, named(spec=spec))) == [
        f"spec.template.metadata.labels: Invalid value: null: {told}"
    ]


def test_a_daemon_set_counts_the_changes_of_its_template() -> None:
    """Old clients look for the annotation."""
    count = "deprecated.daemonset.template.generation"
    body = named(spec={"template": {"spec": CONTAINERS}})
    old = created(DAEMON_SETS, body)
    assert old["metadata"]["annotations"] == {count: "1"}
    assert written(DAEMON_SETS, {**old}, old)["metadata"]["annotations"] == {count: "1"}
    changed = {**old, "spec": {"template": {"spec": {**CONTAINERS, "hostNetwork": True}}}}
    assert written(DAEMON_SETS, changed, old)["metadata"]["annotations"] == {count: "2"}


def test_a_job_makes_its_own_selector() -> None:
    """It is told apart from others by its uid."""
    body = named(spec={"template": {"spec": {**CONTAINERS, "restartPolicy": "Never"}}})
    found = created(JOBS, body)
    labels = found["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == "n"
    assert found["metadata"]["labels"] == labels
    assert found["spec"]["selector"]["matchLabels"] == {
        "batch.kubernetes.io/controller-uid": "the-uid"
    }
    assert complaints(JOBS, found) == []


def test_a_job_ends() -> None:
    """Pods that always restart never do."""
    found = complaints(JOBS, created(JOBS, named(spec={"template": {"spec": CONTAINERS}})))
    assert found == [
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    ]


def test_a_pod_gets_its_accounts_token() -> None:
    """As the real server's admission does."""
    spec = created(PODS, named(spec=CONTAINERS))["spec"]
    (volume,), (container,) = spec["volumes"], spec["containers"]
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
    ],
)
def test_a_pod_is_classed_by_what_it_asks_for(resources: KubeObject, quality: str) -> None:
    """Limits without requests are requests, too."""
    container = {"name": "c", "image": "i", "resources": resources}
    found = created(PODS, named(spec={"containers": [container]}))
    assert found["status"] == {"phase": "Pending", "qosClass": quality}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1", "IfNotPresent"),
        ("registry:5000/busybox", "Always"),
        ("registry:5000/busybox:1", "IfNotPresent"),
        ("busybox@sha256:abc", "IfNotPresent"),
    ],
)
def test_an_image_that_floats_is_pulled_each_time(image: str, policy: str) -> None:
    """A tag that says nothing may be another image tomorrow."""
    found = created(PODS, named(spec={"containers": [{"name": "c", "image": image}]}))
    assert found["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_pod_is_fixed_but_for_its_images() -> None:
    """What runs cannot be changed by saying so."""
    old = created(PODS, named(spec=CONTAINERS))
    other_image = {**old, "spec": {**old["spec"], "activeDeadlineSeconds": 5}}
    assert complaints(PODS, other_image, old) == []
    (told,) = complaints(PODS, {**old, "spec": {**old["spec"], "nodeName": "x"}}, old)
    assert told.startswith("spec: Forbidden: pod updates may not change fields other than ")


def test_a_service_is_given_an_address_and_keeps_it() -> None:
    """Clients hold on to it."""
    spec = {"ports": [{"port": 80}]}
    old = created(SERVICES, named(spec=spec))
    address = old["spec"]["clusterIP"]
    assert address.startswith("10.0.0.")
    assert old["spec"]["clusterIPs"] == [address]
    chosen = created(SERVICES, named(spec={**spec, "clusterIP": "10.0.0.77"}))
    assert written(SERVICES, named(spec=spec), chosen)["spec"]["clusterIPs"] == ["10.0.0.77"]
    moved = {**old, "spec": {**old["spec"], "clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"]}}
    assert complaints(SERVICES, moved, old) == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.9"]: may not change once set'
    ]


def test_a_node_may_come_with_its_status() -> None:
    """That is how kubelets register."""
    found = created(NODES, named(status={"capacity": {"cpu": "1"}}))
    assert found["status"]["allocatable"] == {"cpu": "1"}
    assert found["spec"]["taints"] == [
        {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    ]


@pytest.mark.parametrize(
    ("kind", "name", "fine"),
    [
        (NAMESPACES, "a.b", False),
        (NAMESPACES, "a" * 64, False),
        (NAMESPACES, "a" * 63, True),
        (CONFIG_MAPS, "a.b", True),
        (CONFIG_MAPS, "A_b", False),
        (CONFIG_MAPS, "a" * 254, False),
        (ROLES, "system:A_b", True),
        (ROLES, "a/b", False),
        (SERVICES, "1ab", True),
        (SERVICES, "a.b", False),
    ],
)
def test_names_are_as_strict_as_the_kind(kind: Kind, name: str, fine: bool) -> None:
    """Some become host names, some only parts of paths."""
    assert (list(kind.traits.check_name(name)) == []) is fine


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: str(kind.resource.qualified))
def test_an_empty_body_breaks_rules_not_the_server(kind: Kind) -> None:
    """Whatever comes in, what goes out is a refusal at worst."""
    new = created(kind, {"metadata": {"name": "n"}})
    complaints(kind, new)
    complaints(kind, new, new)
    again = written(kind, new, new)
    assert again == written(kind, again, again)


BUDGETS = kind_of("policy/v1", "poddisruptionbudgets")
NETWORK_POLICIES = kind_of("networking.k8s.io/v1", "networkpolicies")
INGRESSES = kind_of("networking.k8s.io/v1", "ingresses")
PRIORITIES = kind_of("scheduling.k8s.io/v1", "priorityclasses")
BOTH_SET = (
    'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,'
    '"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set'
)


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        (BUDGETS, {"spec": {"minAvailable": 1, "maxUnavailable": 1}}, [BOTH_SET]),
        (
            BUDGETS,
            {"spec": {"minAvailable": "101%"}},
            ['spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (BUDGETS, {"spec": {"minAvailable": "100%"}}, []),
        (
            NETWORK_POLICIES,
            {"spec": {"ingress": [{"from": [{}]}]}},
            ["spec.ingress[0].from[0]: Required value: must specify a peer"],
        ),
        (
            NETWORK_POLICIES,
            {"spec": {"egress": [{"ports": [{"endPort": 5}]}]}},
            [
                (
                    "spec.egress[0].ports[0].endPort: Invalid value: 5: may not be specified when "
                    "`port` is not specified"
                )
            ],
        ),
        (
            INGRESSES,
            {},
            ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
        ),
    ],
)
def test_kinds_nobody_acts_on_have_rules(kind: Kind, fields: KubeObject, told: list[str]) -> None:
    """Manifests that a real cluster refuses are refused here, too."""
    assert complaints(kind, created(kind, named(**fields))) == told


def test_a_priority_stays() -> None:
    """Pods have copied it."""
    old, new = (created(PRIORITIES, named(value=value)) for value in (1, 2))
    assert complaints(PRIORITIES, new, old) == [
        "value: Forbidden: may not be changed in an update."
    ]
