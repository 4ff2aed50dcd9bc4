"""What an add-on's handlers have applied, so that it can go when it is no longer wanted."""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from towline_agent.applying.applier import Applier
from towline_agent.applying.ownership import SOURCE_ANNOTATION, Claim, Owner
from towline_agent.applying.plan import Manifest, Plan, Prune, Target
from towline_api.metadata import (
    annotations_of,
    is_being_deleted,
    key_of,
    resource_version_of,
    uid_of,
)
from towline_api.resources import KubeObject, Resource
from towline_kube.client import Client
from towline_kube.errors import Forbidden

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
Place = tuple[Resource, str | None]
"""A kind, and the namespace on the managed cluster; None for kinds that have none."""


class HandlerOutputs(Generic[K]):
    """Objects on the managed cluster, by the configuration they were made from.

    Args:
        client: The managed cluster.
        owner: The add-on.
    """

    def __init__(self, client: Client, *, owner: Owner) -> None:
        self._client = client
        self._owner = owner
        self._applier = Applier(client)
        self._applied: dict[K, dict[Target, Manifest]] = {}
        self._unwanted: dict[K, set[Target]] = {}
        self._changing: WeakValueDictionary[Target, asyncio.Lock] = WeakValueDictionary()

    @property
    def targets(self) -> frozenset[Target]:
        """Everything that is applied, and wanted."""
        return frozenset(target for targets in self._applied.values() for target in targets)

    def find(self, target: Target) -> tuple[K, Manifest] | None:
        """Return what was applied last to a place and for which key; None if nothing is wanted."""
        for key, targets in self._applied.items():
            if target in targets:
                return key, targets[target]
        return None

    def changing(self, target: Target) -> asyncio.Lock:
        """Return what to hold while putting a target right.

        A removal waits for it, so that nothing comes back that has just been removed.
        """
        return self._changing.setdefault(target, asyncio.Lock())

    def add(self, key: K, applied: Mapping[Target, Manifest]) -> None:
        """Remember more of what was made for a key, without taking anything for gone."""
        self._applied.setdefault(key, {}).update(applied)

    async def replace(self, key: K, applied: Mapping[Target, Manifest]) -> None:
        """Remember what was made for a key now, and remove what was made for it before only.

        What is to be removed counts as unwanted from the beginning: whoever sees it go while the
        answer is still on its way must not make it anew.

        Raises:
            ApiError: Something could not be removed; the next call tries that again.
        """
        unwanted = self._unwanted.setdefault(key, set())
        unwanted |= self._applied.get(key, {}).keys()
        unwanted -= applied.keys()
        self._applied[key] = dict(applied)
        for target in list(unwanted):
            await self._remove_unwanted(target)
            unwanted.discard(target)

    async def drop(self, key: K) -> None:
        """Remove what was made for a key that is gone.

        Raises:
            ApiError: Something could not be removed; the next call tries that again.
        """
        await self.replace(key, {})
        self._applied.pop(key, None)
        self._unwanted.pop(key, None)

    async def sweep(
        self,
        places: Collection[Place],
        *,
        keeps: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Remove what an earlier process made and nobody has made again.

        Args:
            places: Where to look.
            keeps: Whether what was made from this source stays all the same.

        Raises:
            ApiError: Something could not be listed or removed.
        """
        wanted = self.targets
        for kind, namespace in places:
            try:
                listed = await self._client.list(
                    kind, namespace=namespace, label_selector=self._owner.selector
                )
            except Forbidden as error:
                log.info(
                    "cannot look for what an earlier process applied",
                    extra={"addon": self._owner.addon, "error": str(error)},
                )
                continue
            for obj in listed.items:
                target = Target(kind, key_of(obj))
                source = annotations_of(obj).get(SOURCE_ANNOTATION)
                # What no handler made, such as the agent's Lease, names no source.
                if source is not None and target not in wanted and not keeps(source):
                    await self._remove_object(target, obj)

    async def remove_all(self, places: Collection[Place]) -> None:
        """Remove whatever was ever made, by this process and by earlier ones.

        Raises:
            ApiError: Something could not be listed or removed; trying again goes on from there.
        """
        for key in list(self._applied):
            await self.drop(key)
        await self.sweep(places)

    async def _remove_unwanted(self, target: Target) -> None:
        key = target.key
        async with self.changing(target):
            if self.find(target) is not None:  # made for another key as well
                return
            live = await self._client.find(target.resource, key.name, namespace=key.namespace)
            if live is not None:
                await self._remove_object(target, live)

    async def _remove_object(self, target: Target, live: KubeObject) -> None:
        if self._owner.claim(live) is not Claim.OURS or is_being_deleted(live):
            return
        prune = Prune(target, uid_of(live), resource_version_of(live))
        for failure in await self._applier.carry_out(Plan(prunes=(prune,))):
            raise failure.error
