"""What the hub lets each identity do, held against the contract word by word."""

from typing import Any

from towline_api.addons import AddonConfig, ConfigKind
from towline_api.metadata import ObjectKey
from towline_api.resources import KubeObject
from towline_hub.addons.addon_rbac import addon_rbac, config_reader_role
from towline_hub.clusters import rbac

OWNER = {
    "apiVersion": "addon.open-cluster-management.io/v1alpha1",
    "kind": "ManagedClusterAddOn",
    "name": "helloworld",
    "uid": "1234",
}
KIND = ConfigKind("addon.open-cluster-management.io", "addondeploymentconfigs")
CONFIG = AddonConfig(KIND, ObjectKey("fleet-wide", "shared"))


def _rules(obj: KubeObject) -> dict[tuple[str, str, tuple[str, ...]], list[str]]:
    return {
        (entry["apiGroups"][0], resource, tuple(entry.get("resourceNames", ()))): entry["verbs"]
        for entry in obj["rules"]
        for resource in entry["resources"]
    }


def test_an_accepted_cluster_gets_these_rights_cluster_wide_and_no_other() -> None:
    """One verb more here is one more thing a stolen cluster certificate can do."""
    role = rbac.accepted_cluster_role("c1")
    assert role["metadata"] == {
        "name": "open-cluster-management:managedcluster:c1",
        "labels": {"open-cluster-management.io/cluster-name": "c1"},
    }
    cluster_group = "cluster.open-cluster-management.io"
    assert _rules(role) == {
        ("certificates.k8s.io", "certificatesigningrequests", ()): [
            "create",
            "get",
            "list",
            "watch",
        ],
        ("register.open-cluster-management.io", "managedclusters/clientcertificates", ()): [
            "renew"
        ],
        (cluster_group, "managedclusters", ("c1",)): ["get", "list", "update", "watch"],
        (cluster_group, "managedclusters/status", ("c1",)): ["patch", "update"],
    }


def test_a_denied_cluster_can_only_look_at_itself() -> None:
    """It keeps enough to see that it was denied, and loses renewal."""
    assert _rules(rbac.denied_cluster_role("c1")) == {
        ("cluster.open-cluster-management.io", "managedclusters", ("c1",)): [
            "get",
            "list",
            "watch",
        ],
    }


def test_cluster_bindings_name_exactly_the_two_groups_of_that_cluster() -> None:
    """The group of all clusters in a per-cluster binding would let every agent in."""
    expected = [
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": "system:open-cluster-management:c1",
        },
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": "open-cluster-management:c1",
        },
    ]
    for binding in (
        rbac.own_cluster_role_binding("c1"),
        rbac.registration_role_binding("c1"),
        rbac.work_role_binding("c1"),
    ):
        assert binding["subjects"] == expected


def test_role_bindings_refer_to_the_shared_cluster_roles() -> None:
    """A fleet has two roles for its namespaces, not two per cluster."""
    registration, work = rbac.registration_role_binding("c1"), rbac.work_role_binding("c1")
    name = "open-cluster-management:managedcluster"
    assert registration["metadata"]["name"] == f"{name}:c1:registration"
    assert registration["roleRef"]["name"] == f"{name}:registration"
    assert work["metadata"]["name"] == f"{name}:c1:work"
    assert work["roleRef"]["name"] == f"{name}:work"
    assert work["metadata"]["finalizers"] == [
        "cluster.open-cluster-management.io/manifest-work-cleanup"
    ]
    assert {registration["roleRef"]["kind"], work["roleRef"]["kind"]} == {"ClusterRole"}


def test_the_shared_roles_hold_what_agents_need_in_their_namespace() -> None:
    """Agents may neither create leases nor read Secrets or ConfigMaps."""
    registration, work = rbac.shared_cluster_roles()
    addon_group = "addon.open-cluster-management.io"
    assert _rules(registration) == {
        ("coordination.k8s.io", "leases", ()): ["get", "list", "watch", "update"],
        (addon_group, "managedclusteraddons", ()): ["get", "list", "watch"],
        (addon_group, "managedclusteraddons/status", ()): ["patch", "update"],
        ("events.k8s.io", "events", ()): ["create"],
    }
    assert _rules(work) == {
        ("", "events", ()): ["create", "patch", "update"],
        ("events.k8s.io", "events", ()): ["create", "patch", "update"],
        ("work.open-cluster-management.io", "manifestworks", ()): [
            "get",
            "list",
            "watch",
            "update",
            "patch",
        ],
        ("work.open-cluster-management.io", "manifestworks/status", ()): ["patch", "update"],
    }
    assert registration["metadata"]["labels"] == {"open-cluster-management.io/cluster-name": ""}


def test_a_bootstrap_token_can_ask_and_look_but_not_change() -> None:
    """Bootstrap tokens are handed around; what they can do must bear being known to many."""
    role, binding = rbac.bootstrap_rbac()
    assert _rules(role) == {
        ("", "configmaps", ()): ["get"],
        ("certificates.k8s.io", "certificatesigningrequests", ()): [
            "create",
            "get",
            "list",
            "watch",
        ],
        ("cluster.open-cluster-management.io", "managedclusters", ()): [
            "get",
            "create",
            "list",
            "watch",
        ],
        ("cluster.open-cluster-management.io", "managedclustersets/join", ()): ["create"],
    }
    assert [subject["name"] for subject in binding["subjects"]] == [
        "system:bootstrappers:managedcluster"
    ]


def test_an_addon_agent_is_bound_by_its_own_cluster_and_name_only() -> None:
    """The group shared by an add-on's agents everywhere would open every cluster's namespace."""
    objects = addon_rbac("c1", "helloworld", configs=[CONFIG], owner=OWNER)
    bindings = [obj for obj in objects if obj["kind"] == "RoleBinding"]
    assert len(bindings) == 2
    for binding in bindings:
        assert [subject["name"] for subject in binding["subjects"]] == [
            "system:open-cluster-management:cluster:c1:addon:helloworld"
        ]


def test_an_addon_agent_reads_its_namespace_and_exactly_its_configuration() -> None:
    """Configuration elsewhere is granted object by object."""
    in_cluster = AddonConfig(KIND, ObjectKey("mine", "c1"))
    config_map = AddonConfig(ConfigKind("", "configmaps"), ObjectKey("settings", "c1"))
    objects = addon_rbac("c1", "helloworld", configs=[CONFIG, in_cluster, config_map], owner=OWNER)
    own, own_binding, other, other_binding = objects
    read = ("get", "list", "watch")
    assert own["metadata"]["name"] == "open-cluster-management:helloworld:agent"
    assert own["metadata"]["namespace"] == "c1"
    assert _rules(own) == {
        ("", "configmaps", ()): [*read],
        ("addon.open-cluster-management.io", "managedclusteraddons", ("helloworld",)): [*read],
        ("addon.open-cluster-management.io", "addondeploymentconfigs", ("mine",)): [*read],
    }
    reporting = addon_rbac("c1", "helloworld", configs=[], owner=OWNER, reports=True)
    status = ("addon.open-cluster-management.io", "managedclusteraddons/status", ("helloworld",))
    assert set(_rules(reporting[0])) - set(_rules(own)) == {status}
    assert _rules(reporting[0])[status] == ["patch"]
    assert own["metadata"]["ownerReferences"] == [OWNER]
    assert own_binding["metadata"]["ownerReferences"] == [OWNER]
    assert other["metadata"]["name"] == config_reader_role("c1", "helloworld")
    assert other["metadata"]["namespace"] == "shared"
    assert _rules(other) == {
        ("addon.open-cluster-management.io", "addondeploymentconfigs", ("fleet-wide",)): [*read]
    }
    # An owner in another namespace would make the garbage collector remove the grant at once.
    assert "ownerReferences" not in other["metadata"]
    assert "ownerReferences" not in other_binding["metadata"]


def test_all_configuration_of_one_foreign_namespace_is_one_role() -> None:
    """Two Roles of one name in one namespace would overwrite each other for ever."""
    second = AddonConfig(ConfigKind("", "configmaps"), ObjectKey("extra", "shared"))
    objects = addon_rbac("c1", "helloworld", configs=[CONFIG, second, CONFIG], owner=OWNER)
    keys = [(o["kind"], o["metadata"]["namespace"], o["metadata"]["name"]) for o in objects]
    assert len(keys) == len(set(keys)) == 4
    assert _rules(objects[2]) == {
        ("", "configmaps", ("extra",)): ["get", "list", "watch"],
        ("addon.open-cluster-management.io", "addondeploymentconfigs", ("fleet-wide",)): [
            "get",
            "list",
            "watch",
        ],
    }


def test_no_rule_that_agents_get_holds_a_wildcard() -> None:
    """A star grants what is added to Kubernetes tomorrow."""
    objects: list[dict[str, Any]] = [
        *rbac.bootstrap_rbac(),
        *rbac.shared_cluster_roles(),
        rbac.accepted_cluster_role("c1"),
        rbac.denied_cluster_role("c1"),
        *addon_rbac("c1", "helloworld", configs=[CONFIG], owner=OWNER),
    ]
    for obj in objects:
        for entry in obj.get("rules", []):
            assert not any("*" in value for values in entry.values() for value in values)
