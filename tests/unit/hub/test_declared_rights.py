"""What a hub holds because of declarations: what it hands out, where it hands it out, no more."""

import json
from itertools import product
from typing import Any

from towline_api.addon_codec_v1beta1 import V1Beta1Codec
from towline_api.addons import AddonConfig, ConfigKind, KubeClientDriver, SupportedConfig
from towline_api.metadata import ObjectKey
from towline_api.rbac_subjects import user_subject
from towline_api.resources import CLUSTER_MANAGEMENT_ADDONS, KubeObject
from towline_certs.identities import addon_group
from towline_hub import permission
from towline_hub.addons.addon_rbac import addon_rbac, addon_subject, is_addon_grant
from towline_hub.addons.config_references import DEPLOYMENT_CONFIG
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.definition_hashes import with_hashes
from towline_hub.addons.definitions import definition_of, is_as_declared
from towline_hub.addons.token_driver import token_infrastructure
from towline_hub.permissions import addons_only_permissions, hub_permissions

ME = user_subject("me")
DECLARED = AddonDeclaration(
    "hello",
    permissions=(
        permission.role("leases", group="coordination.k8s.io", verbs=["get"]),
        permission.role("secrets", verbs=["get"], names=["own"]),
        permission.role("configmaps", verbs=["update"], namespace="fleet"),
    ),
    token_driver=True,
)


def rights(objects: list[KubeObject]) -> set[tuple[str | None, str, str, str, str | None]]:
    """Return what Roles and ClusterRoles grant: namespace, group, resource, verb, name."""
    return {
        (obj["metadata"].get("namespace"), *right)
        for obj in objects
        for entry in obj.get("rules", [])
        for right in product(
            entry["apiGroups"],
            entry["resources"],
            entry["verbs"],
            entry.get("resourceNames", [None]),
        )
    }


def handed_out(declaration: AddonDeclaration) -> list[KubeObject]:
    """Return everything the hub grants because of a declaration, on a cluster c1."""
    config = AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("x", "elsewhere"))
    return [
        *addon_rbac(
            "c1",
            declaration.name,
            configs=[config],
            owner={},
            permissions=declaration.permissions,
            reports=True,
            driver=KubeClientDriver.TOKEN,
        ),
        *token_infrastructure("c1", declaration.name, owner={}),
    ]


def _holds(held: set[Any], namespace: str | None, *right: str | None) -> bool:
    group, resource, verb, name = right
    return any(
        (where, group, resource, verb, named) in held
        for where in (None, namespace)
        for named in (None, name)
    )


def test_the_hub_holds_what_its_declarations_hand_out() -> None:
    """Kubernetes refuses a role that holds more than its writer does."""
    held = rights(hub_permissions(ME, declarations=[DECLARED]))
    for right in rights(handed_out(DECLARED)):
        assert _holds(held, *right), right


def test_a_program_for_addons_holds_what_it_hands_out() -> None:
    """Tokens are the whole hub's to hand out."""
    held = rights(addons_only_permissions(ME, declarations=[DECLARED]))
    granted = addon_rbac("c1", "hello", configs=[], owner={}, permissions=(), reports=True)
    for right in rights(granted):
        assert _holds(held, *right), right
    assert not any("serviceaccounts" in right[2] for right in held)


def test_nothing_declared_adds_nothing() -> None:
    """A hub without declarations has the role that every hub has."""
    assert hub_permissions(ME, declarations=[]) == hub_permissions(ME)


def test_what_is_shared_in_one_namespace_is_held_there_alone() -> None:
    """Cluster-wide, the hub could change every ConfigMap there is."""
    held = rights(hub_permissions(ME, declarations=[DECLARED]))
    assert ("fleet", "", "configmaps", "update", None) in held
    assert (None, "", "configmaps", "update", None) not in held


def test_tokens_are_handed_out_for_declared_accounts_only() -> None:
    """Whoever may make any token is every service account of the hub cluster."""
    made = rights(hub_permissions(ME, declarations=[DECLARED]))
    tokens = {right for right in made if right[2] == "serviceaccounts/token"}
    assert tokens == {
        (None, "", "serviceaccounts/token", "create", "hello-agent"),
        # No verb of the Kubernetes API.
        (None, "", "serviceaccounts/token", "subscribe", None),
    }
    changes = {right for right in made if right[2] == "serviceaccounts" and right[4] is None}
    assert {right[3] for right in changes} == {"get", "list", "watch", "create"}
    without = AddonDeclaration("hello")
    assert not any(
        right[2] == "serviceaccounts/token"
        for right in rights(hub_permissions(ME, declarations=[without]))
    )


def test_a_program_for_addons_reaches_nothing_of_others() -> None:
    """Whatever it is made to do, other add-ons and clusters stay out of its reach."""
    made = addons_only_permissions(ME, addons=["x"], declarations=[DECLARED], namespace="mine")
    text = json.dumps(made)
    for word in ('"*"', "escalate", '"bind"', "impersonate", '"namespaces"', "clusterroles"):
        assert word not in text
    for _, group, resource, verb, name in rights(made):
        is_write = verb not in ("get", "list", "watch", "create")
        if group == "addon.open-cluster-management.io" and is_write:
            assert name in ("x", "hello"), resource
        if resource == "leases" and is_write:
            assert name == "towline-addons.hello.x"
    names = [obj["metadata"]["name"] for obj in made]
    assert "open-cluster-management:towline-addons:hello:x" in names
    other = addons_only_permissions(ME, addons=["y"])
    assert not set(names) & {obj["metadata"]["name"] for obj in other}


def test_no_two_grants_share_an_object() -> None:
    """Of two clusters or two add-ons that write one object, the last one would win."""
    seen: set[tuple[str, str, str]] = set()
    for cluster, addon in product(("c", "c-a", "a"), ("a", "a.b", "b-agent", "c-a")):
        shared = permission.role("configmaps", verbs=["get"], namespace="fleet")
        for obj in addon_rbac(cluster, addon, configs=[], owner={}, permissions=[shared]):
            metadata = obj["metadata"]
            place = (obj["kind"], metadata["namespace"], metadata["name"])
            assert place not in seen
            seen.add(place)
            key = ObjectKey(metadata["name"], metadata["namespace"])
            assert is_addon_grant(key, cluster=cluster, addon=addon)
            assert not is_addon_grant(key, cluster="other", addon=addon)
            assert not is_addon_grant(key, cluster=cluster, addon="other")


def test_the_subject_means_one_addon_on_one_cluster() -> None:
    """By certificate the group that names both, by token the account's user; nothing fleet-wide."""
    assert addon_subject("c1", "hello")["name"] == (
        "system:open-cluster-management:cluster:c1:addon:hello"
    )
    by_token = addon_subject("c1", "hello", driver=KubeClientDriver.TOKEN)
    assert (by_token["kind"], by_token["name"]) == (
        "User",
        "system:serviceaccount:c1:hello-agent",
    )
    for driver in (None, *KubeClientDriver):
        bindings = addon_rbac("c1", "hello", configs=[], owner={}, driver=driver)
        assert addon_group("hello") not in json.dumps(bindings)


def test_owner_references_stand_where_kubernetes_allows_them() -> None:
    """An owner in another namespace is none, and the object would be collected at once."""
    shared = permission.role("configmaps", verbs=["get"], namespace="fleet")
    owner = {"kind": "ManagedClusterAddOn", "uid": "u"}
    for obj in addon_rbac("c1", "hello", configs=[], owner=owner, permissions=[shared]):
        owned = "ownerReferences" in obj["metadata"]
        assert owned == (obj["metadata"]["namespace"] == "c1")


def test_a_definition_has_what_is_declared_beside_what_others_added() -> None:
    """No write while that is so."""
    declared = AddonDeclaration(
        "hello",
        display_name="Hello",
        supported_configs=(
            SupportedConfig(ConfigKind("", "configmaps"), ObjectKey("words", "fleet")),
        ),
    )
    desired = definition_of(declared, resource=CLUSTER_MANAGEMENT_ADDONS, served_by="me")
    assert desired["spec"] == {
        "addOnMeta": {"displayName": "Hello"},
        "supportedConfigs": [
            {
                "group": "",
                "resource": "configmaps",
                "defaultConfig": {"name": "words", "namespace": "fleet"},
            }
        ],
    }
    more = {"group": "x.io", "resource": "others"}
    live: KubeObject = {
        **desired,
        "metadata": {**desired["metadata"], "uid": "u", "labels": {"team": "a"}},
        "spec": {
            **desired["spec"],
            "supportedConfigs": [more, *desired["spec"]["supportedConfigs"]],
            "installStrategy": {"type": "Manual"},
        },
    }
    assert is_as_declared(desired, live)
    for change in (
        {"spec": {**live["spec"], "supportedConfigs": [more]}},
        {"spec": {**live["spec"], "addOnMeta": {"displayName": "Other"}}},
        {"metadata": {"name": "hello"}},
    ):
        assert not is_as_declared(desired, {**live, **change})


def test_hashes_go_into_every_list_of_a_definitions_status() -> None:
    """OCM's add-on manager waits for them, in both spellings and for each placement."""

    def reference(spec_hash: str | None = None) -> dict[str, Any]:
        desired = {"name": "x", "namespace": "ns"}
        return {
            "group": DEPLOYMENT_CONFIG.group,
            "resource": DEPLOYMENT_CONFIG.resource,
            "desiredConfig": desired | ({"specHash": spec_hash} if spec_hash else {}),
        }

    def status(spec_hash: str | None = None) -> dict[str, Any]:
        return {
            "defaultconfigReferences": [reference(spec_hash)],
            "defaultConfigReferences": [reference(spec_hash)],
            "installProgressions": [
                {"name": "p", "configReferences": [reference(spec_hash), {"resource": "y"}]}
            ],
            "kept": True,
        }

    before = status()
    config = AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("x", "ns"))
    assert with_hashes(before, {config: "h"}) == status("h")
    assert before == status()
    assert with_hashes(before, {}) == before


def test_a_hub_that_serves_only_the_newer_version_gets_its_words() -> None:
    """There, a kind without a default carries a name that means none."""
    declared = AddonDeclaration(
        "hello",
        supported_configs=(
            SupportedConfig(ConfigKind("", "configmaps"), ObjectKey("words", "fleet")),
            SupportedConfig(DEPLOYMENT_CONFIG),
        ),
    )
    resource = V1Beta1Codec().cluster_management_addons
    desired = definition_of(declared, resource=resource)
    assert desired["apiVersion"] == "addon.open-cluster-management.io/v1beta1"
    assert desired["spec"]["defaultConfigs"] == [
        {"group": "", "resource": "configmaps", "name": "words", "namespace": "fleet"},
        {
            "group": DEPLOYMENT_CONFIG.group,
            "resource": DEPLOYMENT_CONFIG.resource,
            "name": "__reserved_no_default__",
        },
    ]
    decoded = V1Beta1Codec().decode_cluster_management_addon(desired)
    assert decoded.supported_configs == declared.supported_configs
    assert is_as_declared(desired, desired)
