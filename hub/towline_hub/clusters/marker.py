"""The marker: keeps the taints and feature labels of clusters as their conditions demand.

Whatever has to change on one cluster goes out in one patch, bound to the version it was computed
from: an operator who edits taints meanwhile is not overwritten.
"""

import logging
from typing import Any

from towline_api import names
from towline_api.metadata import finalizers_of, resource_version_of, uid_of
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.clusters.selection_marks import planned_marks
from towline_hub.clusters.standing import Standing, standing_of
from towline_hub.clusters.taint_writes import patch_tainted
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result

log = logging.getLogger(__name__)

_MARKED = (Standing.ACCEPTED, Standing.DENIED)
"""A cluster that nobody ever accepted is left as it is, and one that leaves is not chosen again."""


class ClusterMarker:
    """Reconciles the marks of one ManagedCluster at a time, by name.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        clock: Where time comes from.
    """

    def __init__(self, client: Client, *, caches: HubCaches, views: HubViews, clock: Clock) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._clock = clock

    async def reconcile(self, name: str) -> Result:
        """Bring one cluster's taints and feature labels in line with what is known of it."""
        cluster = self._views.clusters.find(name)
        if cluster is None or standing_of(cluster) not in _MARKED:
            return DONE
        if names.API_RESOURCE_CLEANUP_FINALIZER not in finalizers_of(cluster):
            return DONE  # acceptance is about to put it there, and the first taint with it
        marks = planned_marks(
            cluster, addons=self._caches.addons.by_index(BY_CLUSTER, name), now=self._clock.now()
        )
        if not marks.are_right:
            patch: dict[str, Any] = {
                "metadata": {
                    "uid": uid_of(cluster),
                    "resourceVersion": resource_version_of(cluster),
                }
            }
            if marks.labels:
                patch["metadata"]["labels"] = dict(marks.labels)
            if marks.taints is not None:
                patch["spec"] = {"taints": marks.taints}
            marked = await patch_tainted(self._client, cluster, patch)
            self._views.clusters.remember(marked)
            log.info(
                "cluster marks changed",
                extra={
                    "cluster": name,
                    "reason": ", ".join(
                        [
                            *(item["key"] for item in marks.taints or ()),
                            *(f"{key}={value}" for key, value in sorted(marks.labels.items())),
                        ]
                    )
                    or "no taint",
                },
            )
        return Result(look_again_in=marks.settled_in) if marks.settled_in else DONE
