"""RBAC for managed clusters: what each identity may do on the hub, as Kubernetes objects.

Pure: names in, objects out. The names, labels, rules and subjects are those of OCM, so that an
agent of either project works, and a hub of either can take over from the other. Rules never hold a
wildcard, and per-cluster bindings name exact groups.
"""

from collections.abc import Sequence
from typing import Any

from towline_api import names
from towline_api.rbac_subjects import group_subject, user_subject
from towline_api.resources import (
    ADDON_GROUP,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_GROUP,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    RBAC_GROUP,
    REGISTER_GROUP,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)
from towline_certs.identities import alternate_cluster_group, cluster_group

WORK_GROUP = "work.open-cluster-management.io"

Rule = dict[str, Any]
"""One entry of a role's `rules`."""


def rule(
    group: str, resources: Sequence[str], verbs: Sequence[str], *, only: Sequence[str] = ()
) -> Rule:
    """Return one RBAC rule.

    Args:
        group: API group; empty for the core group.
        resources: Plurals, with `/subresource` where one is meant.
        verbs: What may be done.
        only: Names of the objects this is limited to; empty for all.
    """
    entry: Rule = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    if only:
        entry["resourceNames"] = list(only)
    return entry


def cluster_subjects(cluster: str, *, only_agents: Sequence[str] | None = None) -> list[KubeObject]:
    """Return whom a cluster's rights are bound to.

    Args:
        cluster: The cluster.
        only_agents: User names of the agents that are let in by certificate; None for all in the
            cluster's group, as OCM has it.

    Returns:
        The cluster's group or those users, and the group of OCM's other kinds of registration,
        which no certificate of ours names.
    """
    by_certificate = (
        [group_subject(cluster_group(cluster))]
        if only_agents is None
        else [user_subject(user) for user in only_agents]
    )
    return [*by_certificate, group_subject(alternate_cluster_group(cluster))]


def cluster_role(name: str, rules: Sequence[Rule], *, labels: dict[str, str]) -> KubeObject:
    """Return a ClusterRole."""
    return {
        "apiVersion": CLUSTER_ROLES.api_version,
        "kind": CLUSTER_ROLES.kind,
        "metadata": {"name": name, "labels": labels},
        "rules": list(rules),
    }


def cluster_role_binding(
    name: str, *, role: str, subjects: Sequence[KubeObject], labels: dict[str, str]
) -> KubeObject:
    """Return a ClusterRoleBinding to a ClusterRole."""
    return {
        "apiVersion": CLUSTER_ROLE_BINDINGS.api_version,
        "kind": CLUSTER_ROLE_BINDINGS.kind,
        "metadata": {"name": name, "labels": labels},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": CLUSTER_ROLES.kind, "name": role},
        "subjects": list(subjects),
    }


def role(name: str, rules: Sequence[Rule], *, namespace: str, labels: dict[str, str]) -> KubeObject:
    """Return a Role."""
    return {
        "apiVersion": ROLES.api_version,
        "kind": ROLES.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "rules": list(rules),
    }


def role_binding(
    name: str,
    *,
    namespace: str,
    role_kind: str,
    role_name: str,
    subjects: Sequence[KubeObject],
    labels: dict[str, str],
) -> KubeObject:
    """Return a RoleBinding to a Role of its namespace or to a ClusterRole."""
    return {
        "apiVersion": ROLE_BINDINGS.api_version,
        "kind": ROLE_BINDINGS.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": role_kind, "name": role_name},
        "subjects": list(subjects),
    }


def bootstrap_rbac() -> list[KubeObject]:
    """Return what lets a bootstrap token ask for a cluster's first certificate, and no more."""
    labels = {names.MANAGED_BY_LABEL: "towline"}
    rules = [
        rule("", ["configmaps"], ["get"]),
        rule(
            CERTIFICATE_SIGNING_REQUESTS.group,
            [CERTIFICATE_SIGNING_REQUESTS.plural],
            ["create", "get", "list", "watch"],
        ),
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], ["get", "create", "list", "watch"]),
        # OCM's webhook puts a new cluster into the default set and asks for this on its behalf.
        rule(CLUSTER_GROUP, ["managedclustersets/join"], ["create"]),
    ]
    return [
        cluster_role(names.BOOTSTRAP_CLUSTER_ROLE, rules, labels=labels),
        cluster_role_binding(
            names.BOOTSTRAP_CLUSTER_ROLE_BINDING,
            role=names.BOOTSTRAP_CLUSTER_ROLE,
            subjects=[group_subject(names.BOOTSTRAP_GROUP)],
            labels=labels,
        ),
    ]


def shared_cluster_roles() -> list[KubeObject]:
    """Return the ClusterRoles that the RoleBindings of all cluster namespaces refer to."""
    # The empty value tells them from a cluster's own objects and keeps them in the same watch.
    labels = {names.CLUSTER_NAME_LABEL: ""}
    registration = [
        rule(LEASES.group, [LEASES.plural], ["get", "list", "watch", "update"]),
        rule(ADDON_GROUP, [MANAGED_CLUSTER_ADDONS.plural], ["get", "list", "watch"]),
        rule(ADDON_GROUP, [f"{MANAGED_CLUSTER_ADDONS.plural}/status"], ["patch", "update"]),
        rule(EVENTS.group, [EVENTS.plural], ["create"]),
    ]
    work = [
        rule("", ["events"], ["create", "patch", "update"]),
        rule(EVENTS.group, [EVENTS.plural], ["create", "patch", "update"]),
        rule(WORK_GROUP, ["manifestworks"], ["get", "list", "watch", "update", "patch"]),
        rule(WORK_GROUP, ["manifestworks/status"], ["patch", "update"]),
    ]
    return [
        cluster_role(names.REGISTRATION_CLUSTER_ROLE, registration, labels=labels),
        cluster_role(names.WORK_CLUSTER_ROLE, work, labels=labels),
    ]


def cluster_namespace(cluster: str) -> KubeObject:
    """Return the namespace that holds everything about one cluster."""
    return {
        "apiVersion": NAMESPACES.api_version,
        "kind": NAMESPACES.kind,
        "metadata": {"name": cluster, "labels": {names.CLUSTER_NAME_LABEL: cluster}},
    }


def accepted_cluster_role(cluster: str) -> KubeObject:
    """Return what an accepted cluster's agent may do cluster-wide: its own objects, and renew."""
    rules = [
        rule(
            CERTIFICATE_SIGNING_REQUESTS.group,
            [CERTIFICATE_SIGNING_REQUESTS.plural],
            ["create", "get", "list", "watch"],
        ),
        rule(REGISTER_GROUP, ["managedclusters/clientcertificates"], ["renew"]),
        rule(
            CLUSTER_GROUP,
            [MANAGED_CLUSTERS.plural],
            ["get", "list", "update", "watch"],
            only=[cluster],
        ),
        rule(
            CLUSTER_GROUP,
            [f"{MANAGED_CLUSTERS.plural}/status"],
            ["patch", "update"],
            only=[cluster],
        ),
    ]
    return cluster_role(names.cluster_role(cluster), rules, labels=_cluster_labels(cluster))


def denied_cluster_role(cluster: str) -> KubeObject:
    """Return what remains when a cluster was accepted once and is denied or leaves: to see why."""
    rules = [
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], ["get", "list", "watch"], only=[cluster])
    ]
    return cluster_role(names.cluster_role(cluster), rules, labels=_cluster_labels(cluster))


def own_cluster_role_binding(
    cluster: str, *, only_agents: Sequence[str] | None = None
) -> KubeObject:
    """Return the binding of a cluster's agent to its own ClusterRole."""
    return cluster_role_binding(
        names.cluster_role(cluster),
        role=names.cluster_role(cluster),
        subjects=cluster_subjects(cluster, only_agents=only_agents),
        labels=_cluster_labels(cluster),
    )


def registration_role_binding(
    cluster: str, *, only_agents: Sequence[str] | None = None
) -> KubeObject:
    """Return the binding that lets an agent keep its lease and report about its add-ons."""
    return role_binding(
        names.registration_role_binding(cluster),
        namespace=cluster,
        role_kind=CLUSTER_ROLES.kind,
        role_name=names.REGISTRATION_CLUSTER_ROLE,
        subjects=cluster_subjects(cluster, only_agents=only_agents),
        labels=_cluster_labels(cluster),
    )


def work_role_binding(cluster: str, *, only_agents: Sequence[str] | None = None) -> KubeObject:
    """Return the binding that lets an agent carry out the ManifestWorks of its cluster.

    Its finalizer keeps it until no ManifestWork is left: an agent that lost it could not clean up.
    """
    binding = role_binding(
        names.work_role_binding(cluster),
        namespace=cluster,
        role_kind=CLUSTER_ROLES.kind,
        role_name=names.WORK_CLUSTER_ROLE,
        subjects=cluster_subjects(cluster, only_agents=only_agents),
        labels=_cluster_labels(cluster),
    )
    binding["metadata"]["finalizers"] = [names.MANIFEST_WORK_CLEANUP_FINALIZER]
    return binding


def _cluster_labels(cluster: str) -> dict[str, str]:
    return {names.CLUSTER_NAME_LABEL: cluster}
