"""The cluster's own ManagedCluster as the hub last showed it, for all parts that act on it."""

import asyncio

from towline_agent.cluster_status import is_accepted
from towline_api.metadata import resource_version_of
from towline_api.resources import KubeObject


class ClusterView:
    """One object, and a bell for each part that wants to know of its changes."""

    def __init__(self) -> None:
        self._cluster: KubeObject | None = None
        self._bells: list[asyncio.Event] = []

    @property
    def cluster(self) -> KubeObject | None:
        """The ManagedCluster; None while the hub shows us none. Shared: read, never write it."""
        return self._cluster

    @property
    def accepted_cluster(self) -> KubeObject | None:
        """The ManagedCluster if the hub has accepted it and said so."""
        cluster = self._cluster
        return cluster if cluster is not None and is_accepted(cluster) else None

    def subscribe(self) -> asyncio.Event:
        """Return an event that is set at each change; whoever asked clears it."""
        bell = asyncio.Event()
        self._bells.append(bell)
        return bell

    def show(self, cluster: KubeObject | None) -> None:
        """Take in what the hub shows now; None once it is gone."""
        old = self._cluster
        if old is None and cluster is None:
            return
        if (
            old is not None
            and cluster is not None
            and resource_version_of(old) == resource_version_of(cluster)
        ):
            return
        self._cluster = cluster
        for bell in self._bells:
            bell.set()
