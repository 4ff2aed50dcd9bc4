"""What bound bootstrap tokens may do, to the letter."""

from datetime import UTC, datetime
from typing import Any

import pytest

from towline_certs.errors import IdentityError
from towline_hub.joining.bootstrap_guard import bootstrap_guards
from towline_hub.joining.bound_bootstrap import (
    bound_cluster_of,
    bound_rbac,
    bound_rules,
    rights_expire,
)

EXPIRES = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def _rights(cluster: str) -> set[tuple[str, str, str, str]]:
    return {
        (group, resource, name, verb)
        for rule in bound_rules(cluster)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ["*"])
        for verb in rule["verbs"]
    }


def test_a_bound_token_may_do_what_joining_takes_and_nothing_more() -> None:
    """Looking is limited to its own cluster; what RBAC cannot limit, a policy does."""
    certificates, clusters = "certificates.k8s.io", "cluster.open-cluster-management.io"
    assert _rights("c1") == {
        *(
            (certificates, "certificatesigningrequests", "*", verb)
            for verb in ("create", "get", "list", "watch")
        ),
        (clusters, "managedclusters", "*", "create"),
        *((clusters, "managedclusters", "c1", verb) for verb in ("get", "list", "watch")),
        (clusters, "managedclustersets/join", "default", "create"),
    }


def test_the_binding_is_for_the_one_group_of_the_cluster() -> None:
    """Exactly the group that the tokens carry."""
    (_, role), (_, binding) = bound_rbac("c1", expires=EXPIRES)
    assert binding["subjects"] == [
        {
            "kind": "Group",
            "name": "system:bootstrappers:managedcluster:c1",
            "apiGroup": "rbac.authorization.k8s.io",
        }
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    for obj in (role, binding):
        assert obj["metadata"]["name"] == "open-cluster-management:bootstrap:managedcluster:c1"
        assert bound_cluster_of(obj) == "c1"
        assert rights_expire(obj) == EXPIRES


@pytest.mark.parametrize("cluster", ["", "C1", "a:b", "kube.system", "a" * 64])
def test_no_rights_are_made_for_what_is_no_name(cluster: str) -> None:
    """A colon would make another cluster's group of it."""
    with pytest.raises(IdentityError):
        bound_rbac(cluster, expires=EXPIRES)


@pytest.mark.parametrize(
    ("metadata", "cluster"),
    [
        pytest.param({"name": "x", "labels": {}}, None, id="no-label"),
        pytest.param(
            {
                "name": "cluster-admin",
                "labels": {"towline.open-cluster-management.io/bootstrap-cluster": "c1"},
            },
            None,
            id="label-on-something-else",
        ),
        pytest.param(
            {
                "name": "open-cluster-management:bootstrap:managedcluster:c2",
                "labels": {"towline.open-cluster-management.io/bootstrap-cluster": "c1"},
            },
            None,
            id="label-of-another",
        ),
    ],
)
def test_what_is_not_ours_is_not_taken_for_it(metadata: dict[str, Any], cluster: None) -> None:
    """What is taken for ours is deleted when it expires."""
    assert bound_cluster_of({"metadata": metadata}) is cluster


@pytest.mark.parametrize("annotations", [None, {}, {"x": "y"}])
def test_rights_that_say_no_end_have_none(annotations: dict[str, str] | None) -> None:
    """They are left alone rather than guessed about."""
    assert rights_expire({"metadata": {"annotations": annotations}}) is None


def test_the_guards_forbid_when_they_cannot_be_evaluated() -> None:
    """A guard that fails open is none; its binding has to deny."""
    guards = bootstrap_guards()
    assert len(guards) == 2
    for policy, binding in guards:
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert binding["spec"] == {
            "policyName": policy["metadata"]["name"],
            "validationActions": ["Deny"],
        }
