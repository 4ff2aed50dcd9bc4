"""Where a managed cluster stands with this hub: new, accepted, denied, leaving or gone.

Pure. Everything the hub does for a cluster follows from this one answer, which is read off the
ManagedCluster alone, so that it is the same after a restart.
"""

from enum import StrEnum

from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED, REASON_HUB_DENIED
from towline_api.conditions import find_condition, is_true
from towline_api.metadata import annotations_of, finalizers_of, is_being_deleted, name_of
from towline_api.resources import KubeObject
from towline_certs.errors import IdentityError
from towline_certs.identities import check_cluster_name

_RESERVED_NAMESPACES = ("default", names.HUB_NAMESPACE, names.AGENT_NAMESPACE)
_RESERVED_PREFIXES = ("kube-", "open-cluster-management")


CLUSTER_FINALIZERS = (names.API_RESOURCE_CLEANUP_FINALIZER, names.RESOURCE_CLEANUP_FINALIZER)
"""What this hub releases: ours, by which it knows a cluster that was accepted, and the one by which
OCM holds every cluster. Whoever replaces OCM's hub has to do what that one waits for."""


class Standing(StrEnum):
    """What the hub owes a cluster."""

    NEW = "New"
    """Never accepted: nobody decided, so the hub does nothing at all."""
    ACCEPTED = "Accepted"
    DENIED = "Denied"
    """Accepted once, and not any more: what it was given is taken back."""
    LEAVING = "Leaving"
    """Being deleted, and held by a finalizer of ours until what it was given is taken back."""
    GONE = "Gone"
    """Being deleted, and nothing of ours holds it."""


def standing_of(cluster: KubeObject) -> Standing:
    """Return where a ManagedCluster stands.

    Raises:
        WireError: Its conditions are not readable.
    """
    finalizers = finalizers_of(cluster)
    if is_being_deleted(cluster):
        held = any(item in finalizers for item in CLUSTER_FINALIZERS)
        return Standing.LEAVING if held else Standing.GONE
    if accepts_client(cluster):
        return Standing.ACCEPTED
    condition = find_condition(cluster, HUB_ACCEPTED)
    was_accepted = names.API_RESOURCE_CLEANUP_FINALIZER in finalizers or (
        condition is not None
        and (is_true(cluster, HUB_ACCEPTED) or condition.reason == REASON_HUB_DENIED)
    )
    return Standing.DENIED if was_accepted else Standing.NEW


def accepts_client(cluster: KubeObject) -> bool:
    """Return whether the hub's owner accepts the cluster."""
    return (cluster.get("spec") or {}).get("hubAcceptsClient") is True


def was_accepted_automatically(cluster: KubeObject) -> bool:
    """Return whether a hub accepted the cluster by itself once; it never does so twice."""
    return names.AUTOMATICALLY_ACCEPTED_ANNOTATION in annotations_of(cluster)


def is_denied(cluster: KubeObject) -> bool:
    """Return whether a person took the acceptance of the cluster back, or refused it."""
    return not accepts_client(cluster) and (
        was_accepted_automatically(cluster)
        or names.DENIAL_REASON_ANNOTATION in annotations_of(cluster)
        or standing_of(cluster) is Standing.DENIED
    )


def name_problem(cluster: KubeObject) -> str | None:
    """Return why a ManagedCluster cannot be accepted under its name, or None if it can.

    The cluster's name becomes a namespace in which its agents hold rights, so it must be a
    namespace name, and not one of a namespace that holds something else of value.
    """
    name = name_of(cluster)
    try:
        check_cluster_name(name)
    except IdentityError as error:
        return f"{error}; delete this ManagedCluster and register under another name"
    if name in _RESERVED_NAMESPACES or name.startswith(_RESERVED_PREFIXES):
        return (
            f"a cluster cannot be named {name!r}: its agents would hold rights in the hub's own "
            f"namespace {name}; delete this ManagedCluster and register under another name"
        )
    return None
