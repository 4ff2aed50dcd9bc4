"""What a bootstrap token bound to one cluster's name may do: RBAC that ends with the token.

A bound token's group names its cluster, and groups are bound one by one: each cluster with such
tokens has a ClusterRole and a binding, which all its tokens share. Whoever makes a token makes
them; they say when the last token ends, so that they can be taken away without reading a Secret.
"""

from datetime import datetime

from towline_api import names
from towline_api.metadata import annotations_of, labels_of
from towline_api.rbac_subjects import group_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_GROUP,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_api.timestamps import InvalidTimeError, format_time, parse_time
from towline_certs.bootstrap_identity import bound_group
from towline_hub.clusters.rbac import Rule, cluster_role, cluster_role_binding, rule

DEFAULT_CLUSTER_SET = "default"
"""Where OCM's webhook puts a new cluster."""


def bound_rules(cluster: str) -> list[Rule]:
    """Return what joining as one cluster takes.

    Creating cannot be limited to a name by RBAC; a ValidatingAdmissionPolicy does that
    (`towline_hub.joining.bootstrap_guard`).
    """
    return [
        rule(
            CERTIFICATE_SIGNING_REQUESTS.group,
            [CERTIFICATE_SIGNING_REQUESTS.plural],
            ["create", "get", "list", "watch"],
        ),
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], ["create"]),
        rule(CLUSTER_GROUP, [MANAGED_CLUSTERS.plural], ["get", "list", "watch"], only=[cluster]),
        rule(CLUSTER_GROUP, ["managedclustersets/join"], ["create"], only=[DEFAULT_CLUSTER_SET]),
    ]


def bound_rbac(cluster: str, *, expires: datetime) -> list[tuple[Resource, KubeObject]]:
    """Return the ClusterRole and the binding of a cluster's bound tokens.

    Args:
        cluster: The cluster.
        expires: When the last of its tokens ends.

    Raises:
        IdentityError: No cluster may have this name.
    """
    subject = group_subject(bound_group(cluster))
    name = names.bound_bootstrap_role(cluster)
    labels = {
        names.CLUSTER_NAME_LABEL: cluster,
        names.BOOTSTRAP_CLUSTER_LABEL: cluster,
        names.MANAGED_BY_LABEL: "towline",
    }
    role = cluster_role(name, bound_rules(cluster), labels=labels)
    binding = cluster_role_binding(name, role=name, subjects=[subject], labels=labels)
    for obj in (role, binding):
        obj["metadata"]["annotations"] = {names.TOKENS_EXPIRE_ANNOTATION: format_time(expires)}
    return [(CLUSTER_ROLES, role), (CLUSTER_ROLE_BINDINGS, binding)]


def bound_cluster_of(obj: KubeObject) -> str | None:
    """Return whose bound tokens a ClusterRole or binding is for; None if it is none of ours."""
    cluster = labels_of(obj).get(names.BOOTSTRAP_CLUSTER_LABEL)
    if not cluster or obj["metadata"]["name"] != names.bound_bootstrap_role(cluster):
        return None
    return cluster


def rights_expire(obj: KubeObject) -> datetime | None:
    """Return when the last token ends that a ClusterRole or binding is for; None if unreadable."""
    try:
        return parse_time(annotations_of(obj).get(names.TOKENS_EXPIRE_ANNOTATION, ""))
    except InvalidTimeError:
        return None
