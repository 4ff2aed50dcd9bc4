"""What the agent may do on its managed cluster: what it needs by name, and no wildcard anywhere."""

from collections.abc import Sequence
from typing import Any

from towline_agent.addon_permissions import addon_cluster_rules, addon_rules
from towline_agent.secret_store import pending_secret
from towline_api.names import (
    ADDON_NAMESPACE,
    AGENT_NAMESPACE,
    HUB_KUBECONFIG_SECRET,
    MANAGED_BY_LABEL,
)
from towline_api.resources import (
    CLUSTER_CLAIMS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    NODES,
    RBAC_GROUP,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    KubeObject,
    Resource,
)

AGENT_ROLE = "open-cluster-management:towline-agent"
AGENT_ADDON_ROLE = "open-cluster-management:towline-agent:addons"
_HEALTH_PATHS = ["/livez", "/healthz", "/version"]


def agent_permissions(
    subject: KubeObject,
    *,
    namespace: str = AGENT_NAMESPACE,
    secret: str = HUB_KUBECONFIG_SECRET,
    addon_namespaces: Sequence[str] = (ADDON_NAMESPACE,),
    may_make_namespaces: bool = True,
) -> list[KubeObject]:
    """Return the Roles an agent runs under on its managed cluster, and their bindings.

    An administrator applies them, after making the namespaces, before the agent starts.

    Args:
        subject: Who runs the agent: `user_subject(...)` or `service_account_subject(...)`.
        namespace: Namespace of the agent, where its credential rests.
        secret: The Secret the credential rests in.
        addon_namespaces: Where add-ons may be installed.
        may_make_namespaces: Whether the agent may make namespaces for add-ons. Creating cannot be
            limited to names.
    """
    cluster_rules = cluster_observing_rules()
    if may_make_namespaces:
        cluster_rules += addon_cluster_rules()
    objects = [
        _role(CLUSTER_ROLES, AGENT_ROLE, cluster_rules),
        _binding(CLUSTER_ROLE_BINDINGS, AGENT_ROLE, subject),
        _role(ROLES, AGENT_ROLE, credential_rules(secret), namespace=namespace),
        _binding(ROLE_BINDINGS, AGENT_ROLE, subject, namespace=namespace),
    ]
    for place in addon_namespaces:
        objects += [
            _role(ROLES, AGENT_ADDON_ROLE, addon_rules(), namespace=place),
            _binding(ROLE_BINDINGS, AGENT_ADDON_ROLE, subject, namespace=place),
        ]
    return objects


def cluster_observing_rules() -> list[dict[str, Any]]:
    """Return the rules for reporting the cluster's status: to look, and only at this."""
    return [
        _rule(NODES, "list watch"),
        _rule(CLUSTER_CLAIMS, "list watch"),
        {"nonResourceURLs": _HEALTH_PATHS, "verbs": ["get"]},
    ]


def credential_rules(secret: str) -> list[dict[str, Any]]:
    """Return the rules for keeping the cluster's credential in its Secret, and in no other."""
    return [
        # What is created has no name to judge by yet, so this one cannot be limited to names.
        _rule(SECRETS, "create"),
        _rule(SECRETS, "get update delete", only=[secret, pending_secret(secret)]),
        _rule(SECRETS, "list watch", only=[secret]),
    ]


def _rule(resource: Resource, verbs: str, *, only: Sequence[str] = ()) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "apiGroups": [resource.group],
        "resources": [resource.plural],
        "verbs": verbs.split(),
    }
    return rule | ({"resourceNames": list(only)} if only else {})


def _role(
    kind: Resource, name: str, rules: list[dict[str, Any]], *, namespace: str | None = None
) -> KubeObject:
    return {**_head(kind, name, namespace), "rules": rules}


def _binding(
    kind: Resource, name: str, subject: KubeObject, *, namespace: str | None = None
) -> KubeObject:
    role = ROLES if namespace is not None else CLUSTER_ROLES
    return {
        **_head(kind, name, namespace),
        "subjects": [subject],
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": role.kind, "name": name},
    }


def _head(kind: Resource, name: str, namespace: str | None) -> KubeObject:
    metadata: dict[str, Any] = {"name": name, "labels": {MANAGED_BY_LABEL: "towline"}}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
