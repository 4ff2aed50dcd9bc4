"""The configuration objects that add-ons refer to, watched for as long as somebody refers to them.

AddOnDeploymentConfigs are all in one cache. ConfigMaps are not ours, and a hub has many: each one
referred to gets a watch of its own, for that object alone.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import NoReturn

from towline_api.addons import AddonConfig
from towline_api.errors import TransientError
from towline_api.metadata import ObjectKey, key_of
from towline_api.resources import KubeObject
from towline_hub.addons.config_references import DEPLOYMENT_CONFIG, READABLE_KINDS, describe
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.store import Change
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_SYNC_LIMIT = timedelta(seconds=10)


class ConfigObjects:
    """Finds configuration objects, and tells which add-ons are concerned when one changes.

    Args:
        client: Whom to ask.
        deployment_configs: The AddOnDeploymentConfigs; somebody else runs the cache.
        on_change: Called with an add-on's key when a configuration it follows changed.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        deployment_configs: Cache,
        on_change: Callable[[ObjectKey], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._deployment_configs = deployment_configs
        self._on_change = on_change
        self._clock = clock
        self._followed: dict[ObjectKey, frozenset[AddonConfig]] = {}
        self._followers: dict[AddonConfig, set[ObjectKey]] = {}
        self._watched: dict[AddonConfig, tuple[Cache, asyncio.Task[NoReturn]]] = {}
        self._group: TaskGroup | None = None
        deployment_configs.on_change(
            lambda change: self._tell(AddonConfig(DEPLOYMENT_CONFIG, key_of(change.object)))
        )

    async def run(self) -> NoReturn:
        """Keep the watches of single objects going until cancelled."""
        async with TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None
                self._watched.clear()
        raise AssertionError("watching configuration ended by itself")

    def follow(self, addon: ObjectKey, configs: Iterable[AddonConfig]) -> None:
        """Note which configurations an add-on refers to; an empty set lets go of all."""
        new = frozenset(configs)
        old = self._followed.get(addon, frozenset())
        for config in new - old:
            self._followers.setdefault(config, set()).add(addon)
        for config in old - new:
            followers = self._followers[config]
            followers.discard(addon)
            if not followers:
                del self._followers[config]
                self._stop_watching(config)
        if new:
            self._followed[addon] = new
        else:
            self._followed.pop(addon, None)

    async def find(self, config: AddonConfig) -> KubeObject | None:
        """Return a followed configuration object, or None if it does not exist.

        Raises:
            TransientError: Nothing is known about it yet.
        """
        cache = self._cache_for(config)
        try:
            async with asyncio.timeout(_SYNC_LIMIT.total_seconds()):
                await cache.wait_synced()
        except TimeoutError:
            raise TransientError(
                f"cannot read {describe(config)}: {cache.last_error or 'no answer'}"
            ) from None
        return cache.find(config.key.name, config.key.namespace)

    def _cache_for(self, config: AddonConfig) -> Cache:
        if config.kind == DEPLOYMENT_CONFIG:
            return self._deployment_configs
        if config in self._watched:
            return self._watched[config][0]
        if self._group is None:
            raise TransientError(f"cannot read {describe(config)}: the hub is starting or stopping")
        cache = Cache(
            self._client,
            READABLE_KINDS[config.kind],
            namespace=config.key.namespace,
            field_selector=f"metadata.name={config.key.name}",
            clock=self._clock,
        )

        def tell(change: Change) -> None:
            del change
            self._tell(config)

        task = self._group.create_task(cache.run(), name=f"watch-config/{config.key}")
        self._watched[config] = (cache, task)
        cache.on_change(tell)
        return cache

    def _stop_watching(self, config: AddonConfig) -> None:
        watched = self._watched.pop(config, None)
        if watched is not None:
            watched[1].cancel("nobody refers to it any more")

    def _tell(self, config: AddonConfig) -> None:
        for addon in tuple(self._followers.get(config, ())):
            self._on_change(addon)
