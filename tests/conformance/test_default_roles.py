"""The roles and bindings that every cluster has from its first moment."""

import pytest

from conformance.api import Api
from conformance.callers import Callers
from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES


async def test_masters_may_do_everything(callers: Callers, name: str) -> None:
    """Whatever the roles say; that is how a plane is brought up."""
    master = await callers.user(name, groups=("system:masters",))
    assert (await master.get("/apis/apps/v1/deployments")).status == 200
    assert (await master.get("/nothing")).status == 404


@pytest.mark.parametrize(
    ("role_name", "verbs"),
    [
        pytest.param("view", {"get", "list", "watch"}, id="view"),
        pytest.param(
            "edit",
            {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"},
            id="edit",
        ),
    ],
)
async def test_default_roles_are_there(api: Api, role_name: str, verbs: set[str]) -> None:
    """People bind them without looking."""
    found = (await api.get(CLUSTER_ROLES.path(name=role_name))).ok()
    granted = {
        verb
        for item in found["rules"]
        if "" in item.get("apiGroups", ()) and "configmaps" in item["resources"]
        for verb in item["verbs"]
    }
    assert granted == verbs
    assert found["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    assert not any("secrets" in item["resources"] for item in found["rules"]) or role_name != "view"


async def test_cluster_admin_is_bound_to_masters(api: Api) -> None:
    """The role that may do everything, and its binding, are as on any cluster."""
    found = (await api.get(CLUSTER_ROLES.path(name="cluster-admin"))).ok()
    assert found["rules"] == [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]
    bound = (await api.get(CLUSTER_ROLE_BINDINGS.path(name="cluster-admin"))).ok()
    assert bound["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "cluster-admin",
    }
    assert bound["subjects"] == [
        {
            "kind": "Group",
            "apiGroup": "rbac.authorization.k8s.io",
            "name": "system:masters",
        }
    ]
