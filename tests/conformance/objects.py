"""Objects that tests write, and questions they ask, as plain JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from towline_api.resources import KubeObject, Resource

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)
REVIEWS = "/apis/authorization.k8s.io/v1"
SELF_SUBJECT_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
RBAC_GROUP = "rbac.authorization.k8s.io"


def config_map(name: str, data: Mapping[str, str] | None = None, **metadata: Any) -> KubeObject:
    """Return a ConfigMap."""
    made: KubeObject = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
    }
    if data is not None:
        made["data"] = dict(data)
    return made


def deployment(name: str, *, image: str = "app:1", replicas: int | None = None) -> KubeObject:
    """Return a Deployment with one container."""
    spec: KubeObject = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": image}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def role(kind: str, name: str, *rules: KubeObject) -> KubeObject:
    """Return a Role or ClusterRole."""
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "rules": list(rules),
    }


def rule(group: str, resource: str, *verbs: str, resource_names: Sequence[str] = ()) -> KubeObject:
    """Return one RBAC rule about one resource."""
    made: KubeObject = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    if resource_names:
        made["resourceNames"] = list(resource_names)
    return made


def binding(
    kind: str, name: str, *, role_kind: str, role_name: str, subjects: Sequence[KubeObject]
) -> KubeObject:
    """Return a RoleBinding or ClusterRoleBinding."""
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": role_kind, "name": role_name},
        "subjects": list(subjects),
    }


def user_subject(name: str) -> KubeObject:
    """Return the subject of a binding for a user."""
    return {"apiGroup": RBAC_GROUP, "kind": "User", "name": name}


def group_subject(name: str) -> KubeObject:
    """Return the subject of a binding for a group."""
    return {"apiGroup": RBAC_GROUP, "kind": "Group", "name": name}


def account_subject(name: str, *, namespace: str) -> KubeObject:
    """Return the subject of a binding for a service account."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def details(resource: Resource, name: str | None = None, **more: Any) -> KubeObject:
    """Return the details of a refusal about an object."""
    found = {"name": name, "group": resource.group, "kind": resource.plural, **more}
    return {key: value for key, value in found.items() if value}
