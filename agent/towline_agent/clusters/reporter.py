"""The shell that reports the managed cluster's status to the hub: gather, compute, one patch."""

import asyncio
import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.hub_return import not_before
from towline_agent.clusters.availability_events import find_news, tell_news
from towline_agent.clusters.lease import LeaseRenewer
from towline_agent.clusters.namespace_keeper import NamespaceKeeper
from towline_agent.clusters.spoke_observer import SpokeObserver
from towline_agent.clusters.status import ClaimLimits, desired_status
from towline_agent.clusters.view import ClusterView
from towline_agent.credentials.keeper import CredentialKeeper
from towline_agent.credentials.status import rotation_report
from towline_agent.running.resting import rest
from towline_api.cluster_lease import is_lease_stopped
from towline_api.errors import TowlineError
from towline_api.metadata import name_of
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Conflict, Unauthorized

log = logging.getLogger(__name__)

_RETRIES = Backoff(first=timedelta(milliseconds=500), limit=timedelta(minutes=1))
_ECHO = timedelta(seconds=1)
"""How long our own write may take to come back through the watch."""


class ClusterReporter:
    """Writes the ManagedCluster's status whenever it should be another, and never otherwise.

    Args:
        channel: The hub.
        view: The ManagedCluster.
        spoke: The facts.
        namespaces: How the namespaces fare that cluster sets want.
        keeper: Whose certificate is reported.
        lease: What the hub tells by that the cluster is there.
        limits: Which claims are reported.
        changed: Set whenever the status may have to be another.
        instance: Name of the agent, for Events.
        clock: Time.
    """

    def __init__(
        self,
        channel: HubChannel,
        view: ClusterView,
        spoke: SpokeObserver,
        namespaces: NamespaceKeeper,
        keeper: CredentialKeeper,
        lease: LeaseRenewer,
        *,
        limits: ClaimLimits,
        changed: asyncio.Event,
        instance: str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._channel = channel
        self._view = view
        self._spoke = spoke
        self._namespaces = namespaces
        self._keeper = keeper
        self._lease = lease
        self._renewals_when_missed: int | None = None
        self._limits = limits
        self._instance = instance
        self._clock = clock
        self._changed = changed

    async def run(self) -> NoReturn:
        """Report until cancelled."""
        failures = 0
        while True:
            self._changed.clear()
            cluster = self._view.accepted_cluster
            if cluster is None:
                await self._changed.wait()
                continue
            try:
                wrote = await self._report(cluster)
            except Conflict:
                # Somebody else wrote first; the watch is about to show it.
                await rest(self._clock, _ECHO, unless=self._changed)
            except TowlineError as error:
                failures += 1
                if isinstance(error, Unauthorized):
                    self._channel.suspect()
                if failures == 1:
                    log.warning(
                        "cluster status not reported; trying again",
                        extra={"cluster": name_of(cluster), "error": str(error)},
                    )
                delay = _RETRIES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
                await self._clock.sleep(not_before(delay, error))
            else:
                failures = 0
                if not wrote:
                    await self._changed.wait()

    async def _report(self, cluster: KubeObject) -> bool:
        """Write the status if it differs; return whether it did."""
        status = desired_status(
            cluster,
            replace(self._spoke.facts, namespaces=self._namespaces.outcomes),
            rotation=rotation_report(self._keeper.status),
            limits=self._limits,
            is_heard=self._is_heard(cluster),
            now=self._clock.now(),
        )
        if status == (cluster.get("status") or {}):
            return False
        written = await self._channel.client.patch_status(MANAGED_CLUSTERS, cluster, status)
        self._view.show(written)
        news = find_news(cluster, status)
        if news is not None:
            await tell_news(
                news,
                cluster=written,
                hub=self._channel.client,
                instance=self._instance,
                clock=self._clock,
            )
        log.info(
            "cluster status reported",
            extra={"cluster": name_of(cluster)} | self._keeper.request_facts,
        )
        return True

    def _is_heard(self, cluster: KubeObject) -> bool:
        """Return whether the lease was renewed since the hub was first seen to miss it.

        What is said before would only be overwritten, and that be answered, and so on: with a hub
        that is back from an outage, by every agent that finds its cluster declared Unknown.
        """
        if not is_lease_stopped(cluster):
            self._renewals_when_missed = None
            return True
        if self._renewals_when_missed is None:
            self._renewals_when_missed = self._lease.renewals
        return self._lease.renewals > self._renewals_when_missed
