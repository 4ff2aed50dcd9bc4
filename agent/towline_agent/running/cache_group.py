"""Caches that come and go with what there is to look at."""

from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Generic, NoReturn, TypeVar

from towline_agent.running.task_set import TaskSet
from towline_kube.cache import Cache
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.task_groups import TaskGroup

K = TypeVar("K", bound=Hashable)


class CacheGroup(Generic[K]):
    """One cache per key that is wanted at present.

    Args:
        make: Makes the cache of a key.
        on_change: Called when a cache has its first list, and after each change of an object.
        clock: Time.
    """

    def __init__(
        self,
        make: Callable[[K], Cache],
        *,
        on_change: Callable[[K], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._make = make
        self._on_change = on_change
        self._caches: dict[K, Cache] = {}
        self._tasks: TaskSet[K] = TaskSet(clock=clock)

    def __iter__(self) -> Iterator[K]:
        return iter(self._caches)

    async def run(self) -> NoReturn:
        """Keep the caches up to date until cancelled."""
        await self._tasks.run()

    async def want(self, keys: Collection[K]) -> None:
        """Start and stop caches so that there is one for each of these keys."""
        for key in [key for key in self._caches if key not in keys]:
            del self._caches[key]
            await self._tasks.stop(key)
        for key in keys:
            if key not in self._caches:
                self._add(key)

    def find(self, key: K) -> Cache | None:
        """Return the cache of a key, or None if it is not wanted."""
        return self._caches.get(key)

    def find_synced(self, key: K) -> Cache | None:
        """Return the cache of a key if it has had a whole list, else None."""
        cache = self._caches.get(key)
        return cache if cache is not None and cache.synced else None

    def _add(self, key: K) -> None:
        cache = self._caches[key] = self._make(key)
        cache.on_change(lambda _: self._on_change(key))

        async def fill() -> None:
            async with TaskGroup() as group:
                # A first list without objects is news too, and changes nothing.
                group.create_task(self._announce(key, cache), name=f"await-list/{cache.selection}")
                await cache.run()

        self._tasks.start(key, fill, name=f"fill-cache/{cache.selection}")

    async def _announce(self, key: K, cache: Cache) -> None:
        await cache.wait_synced()
        self._on_change(key)
