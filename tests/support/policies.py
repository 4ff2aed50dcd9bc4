"""Roles, bindings and calls for tests of access control, in few words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
    Resource,
)
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.store import Store

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALICE = User("alice", ("devs", "system:authenticated"))
ADMIN = User("admin", ("system:masters", "system:authenticated"))

_RBAC = {each.kind: each for each in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)}


def rule(
    verbs: str, resources: str, *, groups: Sequence[str] = ("",), names: Sequence[str] = ()
) -> KubeObject:
    """Return a rule on resources; verbs and resources are separated by spaces."""
    return {
        "verbs": verbs.split(),
        "apiGroups": list(groups),
        "resources": resources.split(),
        **({"resourceNames": list(names)} if names else {}),
    }


def url_rule(verbs: str, urls: str) -> KubeObject:
    """Return a rule on paths."""
    return {"verbs": verbs.split(), "nonResourceURLs": urls.split()}


def role(name: str, *rules: KubeObject, namespace: str | None = None) -> KubeObject:
    """Return a Role of a namespace, or a ClusterRole."""
    return {**_object(CLUSTER_ROLES, ROLES, name, namespace), "rules": list(rules)}


def binding(
    name: str,
    granted: str,
    *subjects: KubeObject,
    namespace: str | None = None,
    role_kind: str = "ClusterRole",
) -> KubeObject:
    """Return a RoleBinding in a namespace, or a ClusterRoleBinding."""
    return {
        **_object(CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, name, namespace),
        "roleRef": {"apiGroup": ROLES.group, "kind": role_kind, "name": granted},
        "subjects": list(subjects),
    }


def user(name: str) -> KubeObject:
    """Return a user as the subject of a binding."""
    return {"kind": "User", "apiGroup": ROLES.group, "name": name}


def group(name: str) -> KubeObject:
    """Return a group as the subject of a binding."""
    return {"kind": "Group", "apiGroup": ROLES.group, "name": name}


def account(name: str, namespace: str | None = None) -> KubeObject:
    """Return a service account as the subject of a binding."""
    found = {"kind": "ServiceAccount", "name": name}
    return found if namespace is None else {**found, "namespace": namespace}


def resource_of(obj: KubeObject) -> Resource:
    """Return where a role or binding is served."""
    return _RBAC[obj["kind"]]


def put(store: Store, *objects: KubeObject) -> Store:
    """Store roles and bindings; return the store."""
    for obj in objects:
        store.create(StorageKey(ROLES.group, resource_of(obj).plural), obj)
    return store


def _object(everywhere: Resource, inside: Resource, name: str, namespace: str | None) -> KubeObject:
    resource = everywhere if namespace is None else inside
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
