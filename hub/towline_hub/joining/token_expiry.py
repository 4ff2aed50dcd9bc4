"""Taking away what bound bootstrap tokens could do, once they have ended or their cluster leaves.

Kubernetes may delete an expired token's Secret, but knows nothing of the RBAC beside it. Whoever
made that wrote down when the last token ends, so the hub needs no right to read Secrets for this.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from towline_api import names
from towline_api.metadata import is_being_deleted, name_of, resource_version_of, uid_of
from towline_api.resources import KubeObject, Resource
from towline_hub.joining.bound_bootstrap import bound_cluster_of, rights_expire
from towline_hub.own_writes import FreshView
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.errors import Conflict

log = logging.getLogger(__name__)


class TokenExpiry:
    """Reconciles the rights of one cluster's bound tokens at a time, by the cluster's name.

    Args:
        client: Whom to ask.
        grants: Views of ClusterRoles and of ClusterRoleBindings.
        clusters: View of ManagedClusters.
        clock: Where time comes from.
    """

    def __init__(
        self, client: Client, *, grants: Iterable[FreshView], clusters: FreshView, clock: Clock
    ) -> None:
        self._client = client
        self._grants = tuple(grants)
        self._clusters = clusters
        self._clock = clock
        # Until a watch tells that they are gone, by kind and name: uids of what we deleted.
        self._deleted: dict[tuple[str, str], str] = {}

    async def reconcile(self, cluster: str) -> Result:
        """Remove what has expired; say when to look again at what has not."""
        name = names.bound_bootstrap_role(cluster)
        owner = self._clusters.find(cluster)
        leaves = owner is not None and is_being_deleted(owner)
        waits = []
        for view in self._grants:
            live = view.find(name)
            if live is None:
                self._deleted.pop((view.resource.kind, name), None)
                continue
            if bound_cluster_of(live) != cluster or is_being_deleted(live):
                continue
            if self._deleted.get((view.resource.kind, name)) == uid_of(live):
                continue
            left = timedelta() if leaves else self._time_left(live)
            if left is None:
                continue
            if left > timedelta():
                waits.append(left)
            else:
                await self._remove(live, view=view, cluster=cluster, leaves=leaves)
        return Result(look_again_in=min(waits)) if waits else DONE

    def _time_left(self, live: KubeObject) -> timedelta | None:
        expires = rights_expire(live)
        if expires is None:
            log.warning(
                "rights of bound bootstrap tokens do not say when they end; leaving them",
                extra={"object": name_of(live)},
            )
            return None
        return expires - self._clock.now()

    async def _remove(
        self, live: KubeObject, *, view: FreshView, cluster: str, leaves: bool
    ) -> None:
        resource: Resource = view.resource
        try:
            await self._client.delete(
                resource,
                name_of(live),
                uid=uid_of(live),
                # Somebody may be making another token for the cluster just now.
                resource_version=resource_version_of(live),
                missing_ok=True,
            )
        except Conflict:
            return
        view.forget(name_of(live))
        self._deleted[resource.kind, name_of(live)] = uid_of(live)
        log.info(
            "rights of bound bootstrap tokens removed",
            extra={
                "cluster": cluster,
                "object": resource.describe(name_of(live)),
                "reason": "the cluster is being deleted" if leaves else "its tokens have ended",
            },
        )


def bound_rights(obj: KubeObject) -> Iterable[str]:
    """Return the cluster to look at when a ClusterRole or a binding changed."""
    cluster = bound_cluster_of(obj)
    return () if cluster is None else (cluster,)


def leaving_cluster(obj: KubeObject) -> Iterable[str]:
    """Return the cluster to look at when a ManagedCluster changed: one that is being deleted."""
    return (name_of(obj),) if is_being_deleted(obj) else ()
