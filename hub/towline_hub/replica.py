"""One process of the hub, from start to end: what every replica runs, and what only the leader."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from towline_hub.addon_hub import AddonHub, addon_scope
from towline_hub.caches import AddonCaches, HubCaches, addon_caches, hub_caches
from towline_hub.hub import Hub
from towline_hub.metrics import HubMetrics
from towline_hub.settings import HubSettings
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock

log = logging.getLogger(__name__)


class Replica:
    """A hub's caches, and its reconcilers.

    Args:
        client: Whom to ask, as the hub's own identity.
        settings: What the operator chose.
        prepare: Brings about what has to be on the hub cluster before reconcilers run.
        metrics: Told of what is done and decided.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        settings: HubSettings,
        *,
        prepare: Callable[[], Awaitable[None]],
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._prepare = prepare
        self._metrics = metrics
        self._clock = clock
        self.caches: AddonCaches = (
            addon_caches(client, served=addon_scope(settings).served, clock=clock)
            if settings.addons_only
            else hub_caches(client, clock=clock)
        )
        self._prepared = asyncio.Event()
        self._hub: Hub | AddonHub | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, and end in good order.

        Raises:
            ConfigError: What has to be on the hub cluster is not.
            TransientError: The API server did not answer in time at start.
        """
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(), name="run-replica")
            await stop.wait()
            await self._drain()
            work.cancel("stop requested")

    async def _work(self) -> NoReturn:
        async with asyncio.TaskGroup() as group:
            for cache in self.caches:
                group.create_task(self._keep(cache), name=f"watch-{cache.resource.plural}")
            await self._lead()
        raise AssertionError("the parts of the hub ended by themselves")

    async def _keep(self, cache: Cache) -> NoReturn:
        """Run a cache once its kind is served: a list before would only be refused."""
        await self._prepared.wait()
        await cache.run()

    async def _lead(self) -> NoReturn:
        """Run the reconcilers until cancelled."""
        await self._prepare()
        with self.caches.temporary_handlers():
            self._hub = self._make_hub()
            self._metrics.leader(is_leader=True)
            self._prepared.set()
            try:
                await self._hub.run()
            finally:
                self._hub = None
                self._metrics.leader(is_leader=False)

    def _make_hub(self) -> Hub | AddonHub:
        if isinstance(self.caches, HubCaches):
            return Hub(
                self._client,
                self._settings,
                caches=self.caches,
                metrics=self._metrics,
                clock=self._clock,
            )
        return AddonHub(
            self._client,
            self._settings,
            caches=self.caches,
            metrics=self._metrics,
            clock=self._clock,
        )

    async def _drain(self) -> None:
        """Let the passes under way end, for a while."""
        if self._hub is None:
            return
        try:
            async with asyncio.timeout(self._settings.drain_limit.total_seconds()):
                await self._hub.drain()
        except TimeoutError:
            log.warning(
                "passes under way were cut short; the next hub takes them up",
                extra={"delay_s": self._settings.drain_limit.total_seconds()},
            )
