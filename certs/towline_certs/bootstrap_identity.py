"""Bootstrap identities that are bound to one cluster's name.

An operator who makes a bootstrap token for one cluster puts it into a group that says so. Like any
identity the group is parsed whole: what is not exactly such a group binds to nothing.
"""

from collections.abc import Iterable

from towline_certs.errors import IdentityError
from towline_certs.identities import check_cluster_name

_GROUP = ("system", "bootstrappers", "managedcluster")


def bound_group(cluster: str) -> str:
    """Return the group of bootstrap identities that may take this cluster's name and no other.

    It starts as Kubernetes wants the extra groups of a bootstrap token to start.

    Raises:
        IdentityError: No cluster may have this name.
    """
    check_cluster_name(cluster)
    return ":".join((*_GROUP, cluster))


def bound_cluster(groups: Iterable[str]) -> str | None:
    """Return the one cluster that a requester's groups bind it to.

    None when no group is such a group, and when two of them name different clusters: whom that is
    meant for, nobody can say.
    """
    clusters = {cluster for cluster in map(_cluster_of, groups) if cluster is not None}
    return clusters.pop() if len(clusters) == 1 else None


def is_bound(groups: Iterable[str]) -> bool:
    """Return whether any group means to bind its members to a cluster, even if it fails to.

    Such a requester was never meant for a whole fleet, whatever other groups it is in.
    """
    return any(
        group.split(":")[: len(_GROUP)] == [*_GROUP] and group.count(":") >= len(_GROUP)
        for group in groups
    )


def _cluster_of(group: str) -> str | None:
    match group.split(":"):
        case [*start, cluster] if tuple(start) == _GROUP:
            try:
                check_cluster_name(cluster)
            except IdentityError:
                return None
            return cluster
    return None
