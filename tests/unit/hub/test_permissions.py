"""The hub's own rights: enough to hand out what it hands out, and nothing wide."""

from collections.abc import Iterable
from itertools import product

import pytest

from towline_api.addons import AddonConfig
from towline_api.metadata import ObjectKey
from towline_api.rbac_subjects import service_account_subject, user_subject
from towline_api.resources import RBAC_GROUP, KubeObject
from towline_hub.addons.addon_rbac import addon_rbac
from towline_hub.addons.config_references import READABLE_KINDS
from towline_hub.clusters import rbac
from towline_hub.permissions import (
    crd_installer_rules,
    hub_permissions,
    hub_rules,
)

Right = tuple[str, str, str, str | None]


def _rights(rules: Iterable[rbac.Rule]) -> set[Right]:
    return {
        right
        for entry in rules
        for right in product(
            entry["apiGroups"],
            entry["resources"],
            entry["verbs"],
            entry.get("resourceNames", [None]),
        )
    }


def _handed_out() -> list[KubeObject]:
    configs = [AddonConfig(kind, ObjectKey("x", "elsewhere")) for kind in READABLE_KINDS]
    return [
        *rbac.bootstrap_rbac(),
        *rbac.shared_cluster_roles(),
        rbac.accepted_cluster_role("c1"),
        rbac.denied_cluster_role("c1"),
        *addon_rbac("c1", "helloworld", configs=configs, owner={}),
    ]


def test_the_hub_holds_whatever_it_hands_out() -> None:
    """Kubernetes refuses a role that holds more than its writer does."""
    held = _rights(hub_rules())
    for obj in _handed_out():
        for group, resource, verb, name in _rights(obj.get("rules", [])):
            assert (group, resource, verb, None) in held or (group, resource, verb, name) in held, (
                f"{obj['metadata']['name']}: {verb} {resource}.{group}"
            )


def test_no_rule_of_the_hub_holds_a_wildcard() -> None:
    """A star in a hub's role is the whole hub cluster."""
    for entry in [*hub_rules(), *crd_installer_rules()]:
        assert not any("*" in value for values in entry.values() for value in values)


@pytest.mark.parametrize(
    ("resource", "verb"),
    [
        ("secrets", "get"),
        ("secrets", "list"),
        ("pods", "create"),
        ("deployments", "create"),
        ("clusterroles", "escalate"),
        ("roles", "escalate"),
        ("users", "impersonate"),
        ("serviceaccounts/token", "create"),
        ("certificatesigningrequests/status", "update"),
        ("signers", "sign"),
    ],
)
def test_the_hub_cannot(resource: str, verb: str) -> None:
    """Each of these turns a hub that was broken into into a lost hub cluster."""
    assert not any(
        (held_resource, held_verb) == (resource, verb)
        for _, held_resource, held_verb, _ in _rights(hub_rules())
    )


def test_it_binds_unchecked_the_two_roles_that_it_writes_for_all_clusters_and_no_other() -> None:
    """Binding any role would be the way to the rights of an administrator."""
    bound = {right for right in _rights(hub_rules()) if "bind" in right}
    assert bound == {
        (RBAC_GROUP, "clusterroles", "bind", role["metadata"]["name"])
        for role in rbac.shared_cluster_roles()
    }


def test_it_approves_for_one_signer_only() -> None:
    """Approving for a kubelet's signer would make nodes."""
    assert {right for right in _rights(hub_rules()) if right[1] == "signers"} == {
        ("certificates.k8s.io", "signers", "approve", "kubernetes.io/kube-apiserver-client")
    }


def test_installing_crds_is_a_right_of_its_own() -> None:
    """A hub that finds its CRDs in place may only say where two of them are converted."""
    subject = service_account_subject("towline-hub", namespace="hub")
    without = hub_permissions(subject)
    assert [obj["kind"] for obj in without] == ["ClusterRole", "ClusterRoleBinding"]
    converted = ("clustermanagementaddons", "managedclusteraddons")
    assert {
        right[2:]
        for right in _rights(without[0]["rules"])
        if right[1] == "customresourcedefinitions"
    } == {
        (verb, f"{plural}.addon.open-cluster-management.io")
        for verb in ("get", "patch")
        for plural in converted
    }
    assert len(hub_permissions(subject, installs_crds=True)) == 4


def test_bindings_name_whoever_runs_the_hub() -> None:
    """Bound to a group, every member would be the hub."""
    binding = hub_permissions(user_subject("towline-hub"))[1]
    assert binding["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "towline-hub"}
    ]
    assert binding["roleRef"]["name"] == "open-cluster-management:towline-hub"
