"""What can be granted to an add-on's agent, and what is refused because it would grant more."""

import pytest

from towline_api.errors import ConfigError
from towline_hub import permission
from towline_hub.permission import find_foreign_addons


@pytest.mark.parametrize(
    ("granted", "rule"),
    [
        pytest.param(
            permission.role("configmaps", verbs=["get", "list", "watch"]),
            {
                "apiGroups": [""],
                "resources": ["configmaps"],
                "verbs": ["get", "list", "watch"],
            },
            id="the-clusters-namespace",
        ),
        pytest.param(
            permission.role(
                ["leases"], group="coordination.k8s.io", verbs=["update"], names=["a", "b"]
            ),
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "verbs": ["update"],
                "resourceNames": ["a", "b"],
            },
            id="named",
        ),
        pytest.param(
            permission.role("configmaps", verbs=["get"], namespace="fleet"),
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            id="shared",
        ),
        pytest.param(
            permission.role("secrets", verbs=["get", "update"], names=["own"]),
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "verbs": ["get", "update"],
                "resourceNames": ["own"],
            },
            id="a-named-secret",
        ),
        pytest.param(
            permission.role("roles", group="rbac.authorization.k8s.io", verbs=["get"]),
            {
                "apiGroups": ["rbac.authorization.k8s.io"],
                "resources": ["roles"],
                "verbs": ["get"],
            },
            id="reading-roles",
        ),
        pytest.param(
            permission.role("pods", verbs=["list"]),
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
            id="reading-pods",
        ),
    ],
)
def test_a_permission_is_one_rule(granted: permission.Permission, rule: dict[str, object]) -> None:
    """Exactly what was asked for goes into the Role."""
    assert granted.rule == rule


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        pytest.param({"resources": "*"}, "wildcard", id="every-resource"),
        pytest.param({"verbs": ["*"]}, "wildcard", id="every-verb"),
        pytest.param({"group": "*"}, "wildcard", id="every-group"),
        pytest.param({"names": ["*"]}, "wildcard", id="every-name"),
        pytest.param({"resources": "*/status"}, "wildcard", id="every-status"),
        pytest.param({"verbs": ["impersonate"]}, "cannot be granted", id="impersonating"),
        pytest.param({"verbs": ["bind"]}, "cannot be granted", id="binding"),
        pytest.param({"verbs": ["escalate"]}, "cannot be granted", id="escalating"),
        pytest.param({"verbs": ["approve"]}, "cannot be granted", id="approving"),
        pytest.param({"verbs": ["sign"]}, "cannot be granted", id="signing"),
        pytest.param({"verbs": ["Get"]}, "cannot be granted", id="verb-in-capitals"),
        pytest.param({"verbs": []}, "names no verb", id="no-verb"),
        pytest.param({"resources": []}, "names no resource", id="no-resource"),
        pytest.param({"verbs": ["get", "get"]}, "twice", id="verb-twice"),
        pytest.param({"resources": "ConfigMap"}, "not a resource", id="kind-for-plural"),
        pytest.param({"group": "apps/v1"}, "not an API group", id="version-for-group"),
        pytest.param({"resources": "secrets"}, "have to be named", id="all-secrets"),
        pytest.param(
            {"resources": ["configmaps", "secrets"]}, "have to be named", id="secrets-beside"
        ),
        pytest.param(
            {"resources": "secrets", "verbs": ["create"], "names": ["x"]},
            "cannot limit create",
            id="making-secrets",
        ),
        pytest.param(
            {"verbs": ["deletecollection"], "names": ["x"]}, "cannot limit", id="named-collection"
        ),
        pytest.param(
            {"resources": "serviceaccounts/token", "verbs": ["create"]},
            "makes tokens",
            id="making-tokens",
        ),
        pytest.param(
            {"resources": "serviceaccounts", "verbs": ["patch"]},
            "service accounts",
            id="changing-accounts",
        ),
        pytest.param({"resources": "pods", "verbs": ["create"]}, "runs pods", id="making-pods"),
        pytest.param(
            {"resources": "deployments", "group": "apps", "verbs": ["patch"]},
            "runs pods",
            id="changing-deployments",
        ),
        pytest.param(
            {"resources": "cronjobs", "group": "batch", "verbs": ["update"]},
            "runs pods",
            id="changing-cron-jobs",
        ),
        pytest.param(
            {"resources": "deployments/scale", "group": "apps", "verbs": ["patch"]},
            "runs pods",
            id="scaling",
        ),
        pytest.param({"resources": "pods/exec"}, "what runs there", id="exec-by-get"),
        pytest.param({"resources": "pods/proxy"}, "what runs there", id="proxy"),
        pytest.param({"resources": "namespaces", "verbs": ["delete"]}, "hub's", id="namespaces"),
        pytest.param(
            {
                "resources": "rolebindings",
                "group": "rbac.authorization.k8s.io",
                "verbs": ["create"],
            },
            "hands out rights",
            id="binding-roles",
        ),
        pytest.param(
            {
                "resources": "certificatesigningrequests/approval",
                "group": "certificates.k8s.io",
                "verbs": ["update"],
            },
            "certificates",
            id="approving-requests",
        ),
        pytest.param(
            {
                "resources": "managedclusters/accept",
                "group": "register.open-cluster-management.io",
                "verbs": ["update"],
            },
            "certificates",
            id="accepting-clusters",
        ),
        pytest.param({"namespace": "kube-system"}, "the hub itself", id="kube-system"),
        pytest.param(
            {"namespace": "open-cluster-management-hub"}, "the hub itself", id="the-hubs-own"
        ),
        pytest.param({"namespace": "Fleet"}, "name of a namespace", id="no-namespace"),
        pytest.param({"namespace": ""}, "name of a namespace", id="empty-namespace"),
        pytest.param({"names": [""]}, "name of an object", id="empty-name"),
        pytest.param({"names": ["a/b"]}, "name of an object", id="path-for-a-name"),
    ],
)
def test_what_would_grant_more_is_refused(wanted: dict[str, object], reason: str) -> None:
    """The developer reads it when the permission is made, not the operator when it is abused."""
    arguments: dict[str, object] = {"resources": "configmaps", "verbs": ["get"], **wanted}
    with pytest.raises(ConfigError, match=reason) as refused:
        permission.role(**arguments)  # type: ignore[arg-type]
    assert str(refused.value).startswith("permission ")


def test_a_permission_names_itself_in_messages() -> None:
    """One line tells what is granted, on what, and where."""
    granted = permission.role(
        ["leases"], group="coordination.k8s.io", verbs=["get"], names=["a"], namespace="fleet"
    )
    assert str(granted) == "get leases.coordination.k8s.io named 'a' in namespace fleet"
    assert "the cluster's namespace" in str(permission.role("configmaps", verbs=["get"]))


@pytest.mark.parametrize(
    ("verbs", "names", "is_refused"),
    [
        pytest.param(["get", "list"], [], False, id="reading-all"),
        pytest.param(["patch"], ["mine"], False, id="changing-its-own"),
        pytest.param(["patch"], [], True, id="changing-all"),
        pytest.param(["patch"], ["mine", "other"], True, id="changing-anothers"),
        pytest.param(["delete"], ["other"], True, id="deleting-anothers"),
    ],
)
def test_an_addon_changes_no_other(verbs: list[str], names: list[str], is_refused: bool) -> None:
    """Whoever writes a ManagedClusterAddOn's status chooses its agent's identities."""
    for resource in ("managedclusteraddons", "managedclusteraddons/status"):
        granted = permission.role(
            resource, group="addon.open-cluster-management.io", verbs=verbs, names=names
        )
        assert (find_foreign_addons(granted, addon="mine") is not None) is is_refused
