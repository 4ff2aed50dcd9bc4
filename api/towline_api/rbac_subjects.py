"""Whom a RoleBinding or ClusterRoleBinding is for: its `subjects`."""

from towline_api.resources import RBAC_GROUP, KubeObject


def user_subject(user: str) -> KubeObject:
    """Return a binding's subject for one user."""
    return {"apiGroup": RBAC_GROUP, "kind": "User", "name": user}


def group_subject(group: str) -> KubeObject:
    """Return a binding's subject for everybody in a group."""
    return {"apiGroup": RBAC_GROUP, "kind": "Group", "name": group}


def service_account_subject(name: str, *, namespace: str) -> KubeObject:
    """Return a binding's subject for one service account."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
