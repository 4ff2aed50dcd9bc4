"""One process of the hub, from start to end: what every replica runs, and what only the leader."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NoReturn

from towline_api.addon_codec import AddonCodec
from towline_hub.addons.hub_half import AddonHub, addon_scope
from towline_hub.caches import AddonCaches, HubCaches, addon_caches, hub_caches
from towline_hub.hub import Hub
from towline_hub.metrics import HubMetrics
from towline_hub.settings import HubSettings
from towline_hub.webhook.conversion_webhook import ConversionWebhook
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.leader_election import LeaderElector
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)


class Replica:
    """A hub's caches, and its reconcilers while it leads.

    A replica that stands by keeps its caches warm, so that it can take over within moments. Each
    time it leads it makes its reconcilers anew: what they remember would be out of date.

    Args:
        client: Whom to ask, as the hub's own identity; fenced if there is an election.
        settings: What the operator chose.
        codec: Of the API version in which the hub cluster serves add-ons.
        webhook: Converts add-ons for the API server; None if this hub does not.
        prepare: Brings about what has to be on the hub cluster before reconcilers run.
        served: Waits until the kinds are served that caches hold, and writes nothing.
        elector: Says when this replica leads; None if it is the only one.
        metrics: Told of what is done and decided.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        settings: HubSettings,
        *,
        codec: AddonCodec,
        webhook: ConversionWebhook | None,
        prepare: Callable[[], Coroutine[Any, Any, None]],
        served: Callable[[], Awaitable[None]],
        elector: LeaderElector | None,
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._client = client
        self._settings = settings
        self._codec = codec
        self._webhook = webhook
        self._prepare = prepare
        self._served = served
        self._elector = elector
        self._metrics = metrics
        self._clock = clock
        self.caches: AddonCaches = (
            addon_caches(client, served=addon_scope(settings).served, codec=codec, clock=clock)
            if settings.addons_only
            else hub_caches(client, codec=codec, clock=clock)
        )
        self._may_list = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self._hub: Hub | AddonHub | None = None
        self._preparing: asyncio.Task[None] | None = None

    @property
    def tasks(self) -> Sequence[asyncio.Task[Any]]:
        """What has to go on until the replica is told to stop."""
        return self._tasks

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, and end in good order.

        Raises:
            ConfigError: What has to be on the hub cluster is not.
            TransientError: The API server did not answer in time at start.
        """
        async with TaskGroup() as group:
            serving = group.create_task(self._serve(), name="serve-replica")
            leading = group.create_task(self._campaign(), name="run-replica")
            self._tasks += (serving, leading)
            await stop.wait()
            in_order = await self._drain()
            leading.cancel("stop requested")
            await asyncio.wait({leading})
            if self._elector is not None and in_order:
                await self._elector.release()
            # After that: another one leads while the last connections to this one close.
            serving.cancel("stop requested")

    async def _serve(self) -> NoReturn:
        """Run what every replica runs, until cancelled."""
        async with TaskGroup() as group:
            for cache in self.caches:
                name = f"watch-{cache.resource.plural}"
                self._tasks.append(group.create_task(self._keep(cache), name=name))
            if self._webhook is not None:
                serving = group.create_task(self._webhook.serve(), name="serve-webhook")
                self._tasks.append(serving)
            if self._elector is not None:
                group.create_task(self._stand_by(), name="stand-by")
        raise AssertionError("the parts of the hub ended by themselves")

    async def _campaign(self) -> NoReturn:
        """Run what the leader runs whenever this replica leads, until cancelled."""
        if self._elector is None:
            await self._lead()
        await self._elector.run(self._lead)

    async def _stand_by(self) -> None:
        """Let the caches fill without waiting for the lead, which may never come."""
        await self._served()
        self._may_list.set()

    async def _keep(self, cache: Cache) -> NoReturn:
        """Run a cache once its kind is served: a list before would only be refused."""
        await self._may_list.wait()
        await cache.run()

    async def _lead(self) -> NoReturn:
        """Run the reconcilers until cancelled."""
        if self._elector is None:
            await self._prepare()
            self._may_list.set()
        with self.caches.temporary_handlers():
            self._hub = self._make_hub()
            self._metrics.leader(is_leader=True)
            try:
                async with TaskGroup() as group:
                    if self._webhook is not None:
                        group.create_task(self._webhook.keep(), name="keep-webhook")
                    if self._elector is not None:
                        # Beside the work: one that takes over finds all of it there already.
                        preparing = group.create_task(self._prepare(), name="prepare-hub")
                        self._preparing = preparing
                    await self._hub.run()
            finally:
                self._hub = self._preparing = None
                self._metrics.leader(is_leader=False)

    def _make_hub(self) -> Hub | AddonHub:
        if isinstance(self.caches, HubCaches):
            return Hub(
                self._client,
                self._settings,
                caches=self.caches,
                codec=self._codec,
                metrics=self._metrics,
                clock=self._clock,
            )
        return AddonHub(
            self._client,
            self._settings,
            caches=self.caches,
            codec=self._codec,
            metrics=self._metrics,
            clock=self._clock,
        )

    async def _drain(self) -> bool:
        """Let what is under way end, for a while; return whether it has."""
        if self._hub is None:
            return True
        try:
            async with (
                asyncio.timeout(self._settings.drain_limit.total_seconds()),
                TaskGroup() as group,
            ):
                group.create_task(self._hub.drain(), name="drain-hub")
                if self._webhook is not None:
                    group.create_task(self._webhook.drain(), name="drain-webhook")
                if self._preparing is not None:
                    await asyncio.wait({self._preparing})
        except TimeoutError:
            # The API server may still carry out what it was asked for. So the lease is left to run
            # out: by then it surely has.
            log.warning(
                "passes under way were cut short; the next hub takes them up",
                extra={"delay_s": self._settings.drain_limit.total_seconds()},
            )
            return False
        return True
