"""The shell that observes the managed cluster: its health, version, nodes and claims."""

import asyncio
import logging
from datetime import timedelta
from typing import NoReturn

from towline_agent.clusters.spoke_health import PROBE_AGAIN_AFTER, HealthHistory, judge, probe
from towline_agent.clusters.status import SpokeFacts
from towline_api.errors import TowlineError
from towline_api.resources import CLUSTER_CLAIMS, NODES, KubeObject
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import NotServed
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)


class SpokeObserver:
    """Keeps the facts about the managed cluster fresh.

    Args:
        client: The managed cluster.
        period: Between two probes.
        changed: Set whenever the facts may have changed.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        *,
        period: timedelta,
        changed: asyncio.Event,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._period = period
        self._clock = clock
        self._health = HealthHistory()
        self._version: str | None = None
        self._changed = changed
        self._nodes = Cache(client, NODES, trim=trim_node, clock=clock)
        self._claims = Cache(client, CLUSTER_CLAIMS, clock=clock)
        self._has_claims: bool | None = None
        for cache in (self._nodes, self._claims):
            cache.on_change(lambda _: changed.set())

    @property
    def facts(self) -> SpokeFacts:
        """What is known now."""
        claims = self._claims.list() if self._claims.synced else None
        return SpokeFacts(
            health=self._health.health,
            version=self._version,
            nodes=self._nodes.list() if self._nodes.synced else None,
            claims=[] if self._has_claims is False else claims,
        )

    async def run(self) -> NoReturn:
        """Observe the managed cluster until cancelled."""
        async with TaskGroup() as group:
            group.create_task(self._nodes.run(), name="watch-nodes")
            group.create_task(self._watch_claims(), name="watch-claims")
            group.create_task(self._probe_forever(), name="probe-spoke")
        raise AssertionError("observing never ends by itself")

    async def _probe_forever(self) -> NoReturn:
        while True:
            failure = await probe(self._client)
            if failure is None:
                try:
                    self._version = await self._client.server_version()
                except TowlineError as error:
                    failure = str(error)
            self._health = judge(self._health, failure=failure, now=self._clock.now())
            self._changed.set()
            in_doubt = self._health.is_in_doubt
            await self._clock.sleep(PROBE_AGAIN_AFTER if in_doubt else self._period)

    async def _watch_claims(self) -> NoReturn:
        """Watch claims once their kind is installed; without it there are none."""
        while True:
            try:
                await self._client.list(CLUSTER_CLAIMS)
            except NotServed:
                if self._has_claims is None:
                    self._has_claims = False
                    self._changed.set()
            except TowlineError as error:
                log.debug("cluster claims cannot be listed", extra={"error": str(error)})
            else:
                self._has_claims = True
                await self._claims.run()
            await self._clock.sleep(self._period)


def trim_node(node: KubeObject) -> KubeObject:
    """Return what is read of a Node: names, whether it takes pods, and its resources."""
    metadata, status = node["metadata"], node.get("status") or {}
    return {
        "metadata": {key: metadata.get(key) for key in ("name", "uid", "resourceVersion")},
        "spec": {"unschedulable": bool((node.get("spec") or {}).get("unschedulable"))},
        "status": {key: status.get(key) for key in ("capacity", "allocatable")},
    }
