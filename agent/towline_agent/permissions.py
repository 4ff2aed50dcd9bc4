"""What the agent may do on its managed cluster: what it needs by name, and no wildcard anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from towline_agent.addons.permissions import addon_cluster_rules, addon_rules
from towline_agent.credentials.secret_store import next_secret, pending_secret
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
    NAMESPACES,
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


@dataclass(frozen=True, slots=True)
class HostedPermissions:
    """What to apply for an agent in hosted mode, each list on its cluster."""

    hosting: list[KubeObject]
    managed: list[KubeObject]


def agent_permissions(
    subject: KubeObject,
    *,
    namespace: str = AGENT_NAMESPACE,
    secret: str = HUB_KUBECONFIG_SECRET,
    addon_namespaces: Sequence[str] = (ADDON_NAMESPACE,),
    may_make_namespaces: bool = True,
    may_mark_namespaces: bool = False,
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
        may_mark_namespaces: Whether it may make and label the namespaces that cluster sets of the
            hub want, which takes the right to change any namespace.
    """
    cluster_rules = cluster_observing_rules()
    if may_make_namespaces:
        cluster_rules += addon_cluster_rules()
    if may_mark_namespaces:
        cluster_rules += managed_namespace_rules()
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


def hosted_agent_permissions(
    *,
    hosting_subject: KubeObject,
    managed_subject: KubeObject,
    namespace: str,
    secret: str = HUB_KUBECONFIG_SECRET,
    addon_namespaces: Sequence[str] = (ADDON_NAMESPACE,),
    hosting_addon_namespaces: Sequence[str] = (ADDON_NAMESPACE,),
    may_make_namespaces: bool = True,
    may_mark_namespaces: bool = False,
) -> HostedPermissions:
    """Return the Roles an agent in hosted mode runs under on both of its clusters.

    On the hosting cluster it has no right outside of namespaces, unless it may make some.

    Args:
        hosting_subject: Who runs the agent there.
        managed_subject: Whom the kubeconfig of the managed cluster names there.
        namespace: Namespace of the agent on the hosting cluster; each managed cluster's agent there
            has one of its own. It is part of the names of what is not in a namespace.
        secret: The Secret the credential rests in.
        addon_namespaces: Where add-ons may be installed on the managed cluster.
        hosting_addon_namespaces: Where add-ons that are hosted may be, on the hosting cluster.
        may_make_namespaces: Whether the agent may make namespaces for add-ons, on both.
        may_mark_namespaces: Whether it may make and label the namespaces that cluster sets of the
            hub want, on the managed cluster.
    """
    hosting = [
        _role(ROLES, AGENT_ROLE, credential_rules(secret), namespace=namespace),
        _binding(ROLE_BINDINGS, AGENT_ROLE, hosting_subject, namespace=namespace),
    ]
    observing = cluster_observing_rules()
    if may_make_namespaces:
        observing += addon_cluster_rules()
        everywhere = f"{AGENT_ROLE}:{namespace}"
        hosting += [
            _role(CLUSTER_ROLES, everywhere, addon_cluster_rules()),
            _binding(CLUSTER_ROLE_BINDINGS, everywhere, hosting_subject),
        ]
    if may_mark_namespaces:
        observing += managed_namespace_rules()
    managed = [
        _role(CLUSTER_ROLES, AGENT_ROLE, observing),
        _binding(CLUSTER_ROLE_BINDINGS, AGENT_ROLE, managed_subject),
    ]
    for place in hosting_addon_namespaces:
        # Several agents may use one namespace there.
        name = f"{AGENT_ADDON_ROLE}:{namespace}"
        hosting += [
            _role(ROLES, name, addon_rules(), namespace=place),
            _binding(ROLE_BINDINGS, name, hosting_subject, namespace=place),
        ]
    for place in addon_namespaces:
        managed += [
            _role(ROLES, AGENT_ADDON_ROLE, addon_rules(), namespace=place),
            _binding(ROLE_BINDINGS, AGENT_ADDON_ROLE, managed_subject, namespace=place),
        ]
    return HostedPermissions(hosting, managed)


def cluster_observing_rules() -> list[dict[str, Any]]:
    """Return the rules for reporting the cluster's status: to look, and only at this."""
    return [
        _rule(NODES, "list watch"),
        _rule(CLUSTER_CLAIMS, "list watch"),
        {"nonResourceURLs": _HEALTH_PATHS, "verbs": ["get"]},
    ]


def managed_namespace_rules() -> list[dict[str, Any]]:
    """Return the rules for the namespaces that cluster sets of the hub want on the cluster."""
    return [_rule(NAMESPACES, "list watch create patch")]


def credential_rules(secret: str) -> list[dict[str, Any]]:
    """Return the rules for keeping the cluster's credential in its Secrets, and in no other."""
    credentials = [secret, next_secret(secret)]
    kept = [*credentials, *(pending_secret(name) for name in credentials)]
    return [
        # What is created has no name to judge by yet, so this one cannot be limited to names.
        _rule(SECRETS, "create"),
        _rule(SECRETS, "get update delete", only=kept),
        _rule(SECRETS, "list watch", only=credentials),
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
