"""The cluster's own ManagedCluster as the hub last showed it, for all parts that act on it."""

import asyncio
from collections.abc import Callable

from towline_agent.clusters.status import is_accepted, standing_of
from towline_agent.credentials.state import Standing
from towline_api.metadata import resource_version_of
from towline_api.resources import KubeObject


class ClusterView:
    """One object, and a bell for each part that wants to know of its changes.

    Args:
        on_standing: Called after each change of `standing`.
    """

    def __init__(self, *, on_standing: Callable[[], None] | None = None) -> None:
        self._on_standing = on_standing
        self._standing = Standing.UNKNOWN
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

    @property
    def standing(self) -> Standing:
        """What the hub was last seen to say of the cluster, by whichever identity looked."""
        return self._standing

    def judge(self, standing: Standing) -> None:
        """Take in what the hub says of the cluster, also where we are not to act on it yet."""
        if standing is self._standing:
            return
        self._standing = standing
        if self._on_standing is not None:
            self._on_standing()

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
        if cluster is not None:
            # Also of one that is as it was: others may have judged otherwise meanwhile.
            self.judge(standing_of(cluster))
        if (
            old is not None
            and cluster is not None
            and resource_version_of(old) == resource_version_of(cluster)
        ):
            return
        self._cluster = cluster
        for bell in self._bells:
            bell.set()
