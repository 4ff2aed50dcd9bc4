"""Accepting a cluster without a person, when its bootstrap request was approved without one.

Done once per cluster: the annotation it leaves makes a later denial by a person final.
"""

import logging
from typing import Any

from towline_api import names
from towline_api.metadata import finalizers_of, labels_of, resource_version_of, uid_of
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_certs.approval import Approve, Ignore, Reason
from towline_hub.clusters.selection_marks import due_taints
from towline_hub.clusters.standing import accepts_client, name_problem, was_accepted_automatically
from towline_hub.clusters.taint_writes import patch_tainted
from towline_hub.own_writes import FreshView
from towline_kube.client import Client
from towline_kube.clock import Clock

log = logging.getLogger(__name__)


class AutomaticAcceptance:
    """Accepts the clusters of approved bootstrap requests.

    Args:
        client: Whom to ask.
        clusters: The ManagedClusters.
        namespaces: All namespaces; None for a program that looks after add-ons only, and so
            accepts no cluster.
        clock: Where time comes from.
    """

    def __init__(
        self, client: Client, *, clusters: FreshView, namespaces: FreshView | None, clock: Clock
    ) -> None:
        self._client = client
        self._clusters = clusters
        self._namespaces = namespaces
        self._clock = clock

    async def admit(self, name: str, decision: Approve) -> Approve | Ignore:
        """Accept a cluster; return the decision about its request, or why it has to wait.

        Call it before the request is approved: a request is looked at again after a crash only
        while it is undecided.
        """
        cluster = self._clusters.find(name)
        if cluster is None:
            return Ignore(
                Reason.CLUSTER_NOT_FOUND,
                f"there is no ManagedCluster {name!r} yet; its agent creates it",
            )
        problem = name_problem(cluster)
        if problem is not None:
            return Ignore(Reason.CLUSTER_NOT_ACCEPTED, problem)
        if accepts_client(cluster):
            return decision
        if was_accepted_automatically(cluster):
            return _wait_for_person(
                name, f"cluster {name!r} was accepted automatically once and is denied now"
            )
        if self._namespaces is None:
            return _wait_for_person(name, "this program looks after add-ons only")
        namespace = self._namespaces.find(name)
        if namespace is not None and labels_of(namespace).get(names.CLUSTER_NAME_LABEL) != name:
            return _wait_for_person(
                name,
                f"namespace {name!r} exists and is not a cluster's; accepting the cluster would "
                "give its agents rights there",
            )
        accepted = await patch_tainted(self._client, cluster, self._patch(cluster))
        self._clusters.remember(accepted)
        log.info(
            "cluster accepted automatically", extra={"cluster": name, "reason": decision.message}
        )
        return decision

    def _patch(self, cluster: KubeObject) -> dict[str, Any]:
        now = self._clock.now()
        return {
            "metadata": {
                # Fails if anybody, a denying operator above all, was faster.
                "uid": uid_of(cluster),
                "resourceVersion": resource_version_of(cluster),
                "annotations": {names.AUTOMATICALLY_ACCEPTED_ANNOTATION: format_time(now)},
                # The acceptor would put it on next; it saves a write, and the time for it.
                "finalizers": sorted(
                    {*finalizers_of(cluster), names.API_RESOURCE_CLEANUP_FINALIZER}
                ),
            },
            # Nothing is known of its health yet; the taint rides along for the same reason.
            "spec": {"hubAcceptsClient": True, "taints": due_taints(cluster, now=now)},
        }


def _wait_for_person(cluster: str, why: str) -> Ignore:
    return Ignore(
        Reason.WAITING_FOR_OPERATOR, f"{why}: waiting for operator (towline accept) {cluster}"
    )
