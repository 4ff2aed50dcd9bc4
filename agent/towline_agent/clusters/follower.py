"""The shell that brings the cluster to the hub and then follows its ManagedCluster there."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

from towline_agent.channel.hub_channel import HubChannel, HubNotReadyError
from towline_agent.channel.hub_return import not_before
from towline_agent.clusters.registration import new_cluster, updated_cluster
from towline_agent.clusters.status import is_accepted, standing_of
from towline_agent.clusters.view import ClusterView
from towline_agent.credentials.state import Standing
from towline_agent.hubs.bootstrap import BootstrapAccess
from towline_agent.running.resting import rest
from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_kube.backoff import Backoff
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, Conflict, Forbidden, NotFound, Unauthorized
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=1))
_PATIENCE = timedelta(seconds=15)
"""How long a stored credential is given to prove itself before bootstrap is tried as well."""
_WATCH_CHECK = timedelta(seconds=30)
_FIRST_LIST_CHECK = timedelta(milliseconds=200)


class ClusterFollower:
    """Creates the ManagedCluster, waits until the hub accepts it, and shows it to the others.

    Until the cluster is accepted its own identity may see nothing, so the bootstrap identity looks
    for it. A ManagedCluster that was there and is gone was deleted by the hub's owner: this process
    does not make another, it only notices when it comes back.

    Args:
        name: Name of the cluster.
        bootstrap: Whom to create and look as, before acceptance.
        channel: The cluster's own channel.
        view: Where to show what is seen.
        is_recorded: Set once the cluster's name is stored; nobody is told of it before.
        holds_credential: Whether there is a credential that only has to prove itself yet.
        annotations: For the ManagedCluster.
        configs: How the hub may reach the cluster.
        clock: Time.
    """

    def __init__(
        self,
        name: str,
        *,
        bootstrap: BootstrapAccess,
        channel: HubChannel,
        view: ClusterView,
        is_recorded: asyncio.Event,
        holds_credential: Callable[[], bool],
        annotations: Mapping[str, str],
        configs: Sequence[Mapping[str, Any]],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._name = name
        self._bootstrap = bootstrap
        self._channel = channel
        self._view = view
        self._is_recorded = is_recorded
        self._holds_credential = holds_credential
        self._annotations = annotations
        self._configs = configs
        self._clock = clock
        self._was_seen = False
        self._told = ""

    async def run(self) -> NoReturn:
        """Follow the cluster until cancelled."""
        await self._is_recorded.wait()
        failures = 0
        while True:
            try:
                followed = await self._follow_once()
            except TowlineError as error:
                failures += 1
                delay = _RETRIES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
                self._tell(logging.WARNING, f"cluster cannot be registered: {error}")
                await self._clock.sleep(not_before(delay, error))
            else:
                failures = 0 if followed else failures + 1
                if not followed:
                    await self._clock.sleep(_RETRIES.delay(failures, roll=random.random()))  # noqa: S311 - spreads load

    async def _follow_once(self) -> bool:
        """Follow for as long as it works; return whether it did."""
        if self._holds_credential():
            with suppress(HubNotReadyError):
                await self._channel.wait_ready(timeout=_PATIENCE)
        if self._channel.is_ready and await self._may_look():
            await self._follow(self._channel.client, until=lambda cluster: cluster is None)
            if self._view.cluster is None:
                self._view.judge(Standing.GONE)
                self._tell(logging.WARNING, "the managed cluster was deleted on the hub")
            return True
        return await self._arrive()

    async def _may_look(self) -> bool:
        """Return whether our own identity may see the cluster, which takes an accepted one."""
        try:
            live = await self._channel.client.find(MANAGED_CLUSTERS, self._name)
        except Forbidden:
            return False
        except Unauthorized:
            self._channel.suspect()
            return False
        if live is None:
            return False
        self._show(live)
        await self._bring_up_to_date(live)
        return True

    async def _bring_up_to_date(self, live: KubeObject) -> None:
        update = updated_cluster(live, annotations=self._annotations, configs=self._configs)
        if update is None:
            return
        try:
            self._show(await self._channel.client.replace(MANAGED_CLUSTERS, update))
        except (Conflict, NotFound):
            log.debug("cluster changed while being updated", extra={"cluster": self._name})

    async def _arrive(self) -> bool:
        """Create the cluster and wait for its acceptance, as the bootstrap identity."""
        was_ready = self._channel.is_ready
        try:
            client = await self._bootstrap.client()
            live = await client.find(MANAGED_CLUSTERS, self._name)
            if live is None:
                live = await self._create(client)
        except (ConfigError, Forbidden, Unauthorized) as error:
            if not self._channel.is_ready:
                raise
            # Bootstrap tokens are meant to end. We are known; acceptance is what is missing.
            if self._view.standing in (Standing.UNKNOWN, Standing.ACCEPTED):
                self._view.judge(Standing.WAITING)
            self._tell(
                logging.INFO,
                "waiting for the hub to accept the cluster: our own identity may not see it yet "
                f"and the bootstrap identity cannot look ({error})",
            )
            return False
        if live is None:
            return False
        self._was_seen = True
        if not is_accepted(live):
            self._view.judge(standing_of(live))
            self._tell(
                logging.INFO,
                f"waiting for the hub to accept cluster {self._name}: "
                f"'towline accept {self._name}' on the hub does",
            )
            # What the bootstrap identity sees is not shown to the others: nobody may act on it yet.
            accepted = await self._wait_accepted(client)
            if not accepted:
                return False
        elif was_ready:
            # Accepted, yet our own identity saw nothing: its rights are on their way.
            return False
        await self._channel.wait_ready()
        return True

    async def _create(self, client: Client) -> KubeObject | None:
        if self._was_seen:
            self._view.judge(Standing.GONE)
            self._tell(
                logging.WARNING,
                "the managed cluster was deleted on the hub; restart the agent to register anew",
            )
            return None
        body = new_cluster(self._name, annotations=self._annotations, configs=self._configs)
        try:
            created = await client.create(MANAGED_CLUSTERS, body)
        except AlreadyExists:
            return await client.find(MANAGED_CLUSTERS, self._name)
        log.info("managed cluster created", extra={"cluster": self._name})
        return created

    async def _wait_accepted(self, client: Client) -> bool:
        return await self._follow(
            client,
            until=lambda cluster: cluster is None or is_accepted(cluster),
            show=False,
        )

    async def _follow(
        self, client: Client, *, until: Callable[[KubeObject | None], bool], show: bool = True
    ) -> bool:
        """Watch the cluster until a condition holds; return whether it is there and accepted."""
        changed = asyncio.Event()
        cache = Cache(
            client,
            MANAGED_CLUSTERS,
            # Rights on single objects hold for lists and watches that name them.
            field_selector=f"metadata.name={self._name}",
            clock=self._clock,
        )
        cache.on_change(lambda _: changed.set())
        with one_failure():  # what the group would wrap is nothing to end the agent for
            async with TaskGroup() as group:
                watching = group.create_task(cache.run(), name=f"watch-cluster/{self._name}")
                try:
                    return await self._look(cache, changed, until=until, show=show)
                finally:
                    watching.cancel()
        raise AssertionError("unreachable: the body returns or raises")

    async def _look(
        self,
        cache: Cache,
        changed: asyncio.Event,
        *,
        until: Callable[[KubeObject | None], bool],
        show: bool,
    ) -> bool:
        while True:
            changed.clear()
            if cache.synced:
                cluster = cache.find(self._name)
                if show:
                    self._show(cluster)
                if until(cluster):
                    return cluster is not None and is_accepted(cluster)
            if isinstance(cache.last_error, Forbidden | Unauthorized):
                # The right to look has gone: with the cluster, or with the credential.
                if isinstance(cache.last_error, Unauthorized) and show:
                    self._channel.suspect()
                raise cache.last_error
            # A list that finds nothing wakes nobody.
            delay = _WATCH_CHECK if cache.synced else _FIRST_LIST_CHECK
            await rest(self._clock, delay, unless=changed)

    def _show(self, cluster: KubeObject | None) -> None:
        if cluster is not None:
            self._was_seen = True
        accepted = self._view.accepted_cluster is not None
        self._view.show(cluster)
        if cluster is not None and is_accepted(cluster) and not accepted:
            self._tell(logging.INFO, "the hub has accepted the cluster")
        elif accepted and self._view.accepted_cluster is None and cluster is not None:
            self._tell(logging.WARNING, "the hub no longer accepts the cluster")

    def _tell(self, level: int, what: str) -> None:
        """Log what is news; the same thing again is not."""
        if what != self._told:
            self._told = what
            log.log(level, "managed cluster", extra={"cluster": self._name, "reason": what})
