"""The cluster's heartbeat: its Lease on the hub, renewed for as long as the cluster is accepted."""

import asyncio
import logging
import random
from datetime import datetime, timedelta
from typing import NoReturn

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.hub_return import not_before
from towline_agent.clusters.view import ClusterView
from towline_agent.running.resting import rest
from towline_api.cluster_lease import is_lease_stopped
from towline_api.errors import TowlineError
from towline_api.metadata import name_of
from towline_api.names import CLUSTER_LEASE
from towline_api.resources import LEASES, KubeObject
from towline_api.timestamps import format_micro_time
from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Conflict, NotFound, Unauthorized

log = logging.getLogger(__name__)

_DEFAULT_DURATION = timedelta(seconds=60)
_LARGEST_EXTRA = 0.25
"""Up to this share is added to each interval by chance, so that a fleet's beats spread (OCM's)."""


def beat_interval(cluster: KubeObject, *, roll: float) -> timedelta:
    """Return how long to wait between two renewals.

    Args:
        cluster: The ManagedCluster; its lease duration of 0, or none, means a minute.
        roll: A fresh random number in [0, 1).
    """
    return lease_duration(cluster) * (1 + _LARGEST_EXTRA * roll)


def lease_duration(cluster: KubeObject) -> timedelta:
    """Return the lease duration of a ManagedCluster; 0, or none, means a minute."""
    seconds = (cluster.get("spec") or {}).get("leaseDurationSeconds")
    return timedelta(seconds=seconds) if seconds else _DEFAULT_DURATION


def renewed(lease: KubeObject, *, now: datetime) -> KubeObject:
    """Return the lease with a new renewal time, and everything else as the hub made it.

    The hub finds leases by their labels, so those have to stay.
    """
    return {**lease, "spec": {**(lease.get("spec") or {}), "renewTime": format_micro_time(now)}}


class LeaseRenewer:
    """Renews the lease. It stops with the acceptance and begins again with it.

    Args:
        channel: The hub.
        view: Where the acceptance and the lease's duration are read.
        told: Set after each renewal.
        clock: Time. Hubs other than ours compare it with their own.
    """

    def __init__(
        self,
        channel: HubChannel,
        view: ClusterView,
        *,
        told: asyncio.Event,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._channel = channel
        self._view = view
        self._told = told
        self._clock = clock
        self._changed = view.subscribe()
        self._lease: KubeObject | None = None
        self.renewals = 0
        """How often the lease was renewed."""
        self.failures = 0
        """How often it could not be."""

    async def run(self) -> NoReturn:
        """Renew until cancelled."""
        failures = 0
        while True:
            self._changed.clear()
            cluster = self._view.accepted_cluster
            if cluster is None:
                failures = 0
                self._lease = None
                await self._changed.wait()
                continue
            try:
                await self._renew(name_of(cluster))
            except TowlineError as error:
                failures += 1
                self.failures += 1
                await self._after_failure(error, cluster, failures)
            else:
                if failures:
                    log.info("lease renewed again", extra={"cluster": name_of(cluster)})
                failures = 0
                await self._rest(beat_interval(cluster, roll=_roll()), lease_duration(cluster))

    async def _renew(self, cluster: str) -> None:
        client = self._channel.client
        # The answer to the last renewal is the newest version, unless somebody else wrote.
        lease = self._lease
        if lease is None:
            lease = await client.get(LEASES, CLUSTER_LEASE, namespace=cluster)
        try:
            self._lease = await client.replace(LEASES, renewed(lease, now=self._clock.now()))
        except (Conflict, NotFound):
            lease = await client.get(LEASES, CLUSTER_LEASE, namespace=cluster)
            self._lease = await client.replace(LEASES, renewed(lease, now=self._clock.now()))
        self.renewals += 1
        self._told.set()

    async def _after_failure(self, error: TowlineError, cluster: KubeObject, failures: int) -> None:
        self._lease = None
        if isinstance(error, Unauthorized):
            self._channel.suspect()
        if failures == 1:
            # One missed beat is normal: the hub waits for five before it worries.
            log.warning(
                "lease not renewed; trying again before the next beat",
                extra={"cluster": name_of(cluster), "lease": CLUSTER_LEASE, "error": str(error)},
            )
        duration = lease_duration(cluster)
        first = min(timedelta(milliseconds=500), duration)
        delay = Backoff(first=first, limit=duration).delay(failures, roll=_roll())
        await self._rest(not_before(delay, error), duration, unless_missed=True)

    async def _rest(
        self, delay: timedelta, duration: timedelta, *, unless_missed: bool = False
    ) -> None:
        """Sleep until the next beat, or until the cluster is not accepted or beats otherwise.

        After a failure also until the hub is seen to miss the lease: so it can be reached again.
        """
        end = self._clock.monotonic() + delay.total_seconds()
        while (left := end - self._clock.monotonic()) > 0:
            if not await rest(self._clock, timedelta(seconds=left), unless=self._changed):
                return
            self._changed.clear()
            cluster = self._view.accepted_cluster
            if cluster is None or lease_duration(cluster) != duration:
                return
            if unless_missed and is_lease_stopped(cluster):
                return


def _roll() -> float:
    return random.random()  # noqa: S311 - spreads load
