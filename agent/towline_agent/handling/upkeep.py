"""Putting right what others change about what handlers applied.

Everything an add-on's handlers applied carries its labels, so one watch per kind and namespace
shows every change and every deletion, and costs nothing while there are none. What differs from
what was applied last is applied again; the handler is not called for that. Whoever keeps changing
an object back is answered ever more slowly.
"""

import logging
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, NoReturn, TypeVar

from towline_agent.applying.applier import Applier
from towline_agent.applying.ownership import Owner
from towline_agent.applying.plan import Manifest, Plan, Target, plan
from towline_agent.handling.outputs import HandlerOutputs, Place
from towline_agent.handling.under_way import UnderWay
from towline_agent.running.cache_group import CacheGroup
from towline_api.metadata import key_of
from towline_api.resources import KubeObject
from towline_kube.backoff import Backoff
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Controller, Result
from towline_kube.merge_patch import is_applied
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

_REPAIRS = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=5))
_FORGOTTEN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class RepairHistory:
    """How often one object had to be put right lately.

    Args:
        count: How often, without a longer pause.
        last: When last, on the monotonic clock in seconds.
    """

    count: int
    last: float

    def after(self, now: float) -> "RepairHistory":
        """Return the history with one more repair in it."""
        is_old = now - self.last >= _FORGOTTEN_AFTER.total_seconds()
        return RepairHistory(1 if is_old else self.count + 1, now)


def wait_before_repair(history: RepairHistory | None, *, now: float) -> timedelta:
    """Return how long an object has to wait for its next repair; nothing for the first one."""
    if history is None:
        return timedelta(0)
    since = timedelta(seconds=now - history.last)
    if since >= _FORGOTTEN_AFTER:
        return timedelta(0)
    return max(timedelta(0), _REPAIRS.delay(history.count, roll=0.0) - since)


class AppliedUpkeep(Generic[K]):
    """Keeps what handlers applied as they applied it.

    Args:
        client: The managed cluster.
        owner: The add-on.
        outputs: What its handlers applied.
        may_touch: Whether what was made for a key may be touched now: not while its handler runs,
            nor while the add-on is going.
        under_way: Told of every change to the managed cluster.
        on_change: Called whenever `troubles` may say something else.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        *,
        owner: Owner,
        outputs: HandlerOutputs[K],
        may_touch: Callable[[K], bool],
        under_way: UnderWay,
        on_change: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._owner = owner
        self._outputs = outputs
        self._may_touch = may_touch
        self._under_way = under_way
        self._on_change = on_change
        self._clock = clock
        self._applier = Applier(client)
        self._refused: set[Place] = set()
        self._repairs: dict[Target, RepairHistory] = {}
        self._troubles: dict[Target, str] = {}
        self._controller: Controller[Target] = Controller(
            f"keep-applied/{owner.addon}", self._keep, clock=clock
        )
        self._caches: CacheGroup[Place] = CacheGroup(
            self._cache, on_change=lambda _: None, clock=clock
        )

    @property
    def troubles(self) -> tuple[str, ...]:
        """What stands in the way of keeping things as they were applied."""
        return tuple(self._troubles.values())

    async def run(self) -> NoReturn:
        """Keep things as they were applied, until cancelled."""
        async with TaskGroup() as group:
            group.create_task(self._caches.run(), name=f"watch-applied/{self._owner.addon}")
            group.create_task(self._controller.run(), name=f"keep-applied/{self._owner.addon}")
        raise AssertionError("unreachable: both tasks are endless")

    async def follow(self) -> None:
        """Watch wherever something is applied, and nowhere else.

        Raises:
            ApiError: The managed cluster could not be asked what may be watched.
        """
        places = {_place(target) for target in self._outputs.targets}
        self._refused &= places
        for place in places - self._refused:
            if self._caches.find(place) is None and not await self._may_watch(place):
                self._refused.add(place)
                log.info(
                    "may not watch what is applied; changes to it are put right at the next start",
                    extra={"addon": self._owner.addon, "object": _describe(place)},
                )
        await self._caches.want(places - self._refused)

    def look_at(self, targets: Collection[Target]) -> None:
        """Compare these objects with what was applied."""
        for target in targets:
            self._controller.enqueue(target)

    async def _may_watch(self, place: Place) -> bool:
        kind, namespace = place
        for verb in ("list", "watch"):
            if not await self._client.can_i(
                verb=verb, group=kind.group, resource=kind.plural, namespace=namespace or ""
            ):
                return False
        return True

    def _cache(self, place: Place) -> Cache:
        kind, namespace = place
        cache = Cache(
            self._client,
            kind,
            namespace=namespace,
            label_selector=self._owner.selector,
            clock=self._clock,
        )
        cache.on_change(
            lambda change: self._controller.enqueue(Target(kind, key_of(change.object)))
        )
        return cache

    async def _keep(self, target: Target) -> Result:
        with self._under_way.change():
            return await self._compare(target)

    async def _compare(self, target: Target) -> Result:
        found = self._outputs.find(target)
        if found is None:
            self._repairs.pop(target, None)
            self._forget_trouble(target)
            return DONE
        key, manifest = found
        if not self._may_touch(key):
            return DONE
        cache = self._caches.find_synced(_place(target))
        seen = None if cache is None else cache.find(target.key.name, target.key.namespace)
        # What a watch shows may be older than what was just applied: only if all is well it counts.
        if seen is not None and self._plan(manifest, seen).is_settled:
            self._forget_trouble(target)
            return DONE
        now = self._clock.monotonic()
        wait = wait_before_repair(self._repairs.get(target), now=now)
        if wait > timedelta(0):
            return Result(look_again_in=wait)
        async with self._outputs.changing(target):
            live = (await self._applier.look_up([manifest], {})).get(target)
            # The handler may have begun meanwhile, or the configuration be gone.
            if not self._may_touch(key) or self._outputs.find(target) != found:
                return DONE
            planned = self._plan(manifest, live)
            for conflict in planned.conflicts:
                self._troubles[target] = f"cannot keep {conflict.target}: {conflict.reason}"
                self._on_change()
                return DONE
            if planned.applies:
                history = self._repairs.get(target, RepairHistory(0, now))
                self._repairs[target] = history.after(now)
                for failure in await self._applier.carry_out(planned):
                    raise failure.error
                log.info(
                    "put right what was changed on the managed cluster",
                    extra={"addon": self._owner.addon, "object": str(target)},
                )
        self._forget_trouble(target)
        return DONE

    def _plan(self, manifest: Manifest, live: KubeObject | None) -> Plan:
        known = {} if live is None else {manifest.target: live}
        return plan([manifest], known, self._owner, is_applied=is_applied)

    def _forget_trouble(self, target: Target) -> None:
        if self._troubles.pop(target, None) is not None:
            self._on_change()


def _place(target: Target) -> Place:
    return target.resource, target.key.namespace


def _describe(place: Place) -> str:
    kind, namespace = place
    return kind.qualified if namespace is None else f"{kind.qualified} in {namespace}"
