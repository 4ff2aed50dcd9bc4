"""What an add-on's handlers have applied, so that it can go when it is no longer wanted."""

import logging
from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

from towline_agent.apply import Applier
from towline_agent.apply_plan import Plan, Prune, Target
from towline_agent.ownership import Claim, Owner
from towline_api.metadata import is_being_deleted, key_of, resource_version_of, uid_of
from towline_api.resources import KubeObject, Resource
from towline_kube.client import Client
from towline_kube.errors import Forbidden

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


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
        self._applied: dict[K, set[Target]] = {}

    def add(self, key: K, applied: Collection[Target]) -> None:
        """Remember more of what was made for a key, without taking anything for gone."""
        self._applied.setdefault(key, set()).update(applied)

    async def replace(self, key: K, applied: Collection[Target]) -> None:
        """Remember what was made for a key now, and remove what was made for it before only.

        Raises:
            ApiError: Something could not be removed; it is still remembered.
        """
        before = self._applied.setdefault(key, set())
        gone = before - set(applied)
        before.update(applied)
        others = {t for other, targets in self._applied.items() if other != key for t in targets}
        for target in gone:
            if target not in others:
                await self._remove(target)
            before.discard(target)

    async def drop(self, key: K) -> None:
        """Remove what was made for a key that is gone.

        Raises:
            ApiError: Something could not be removed; it is still remembered.
        """
        await self.replace(key, ())
        self._applied.pop(key, None)

    async def sweep(self, kinds: Collection[Resource], *, namespace: str) -> None:
        """Remove what an earlier process made and nobody has made again.

        Args:
            kinds: Kinds to look at.
            namespace: The add-on's install namespace; only there is looked.

        Raises:
            ApiError: Something could not be listed or removed.
        """
        wanted = {target for targets in self._applied.values() for target in targets}
        for kind in kinds:
            try:
                listed = await self._client.list(
                    kind,
                    namespace=namespace if kind.namespaced else None,
                    label_selector=self._owner.selector,
                )
            except Forbidden as error:
                log.info(
                    "cannot look for what an earlier process applied",
                    extra={"addon": self._owner.addon, "error": str(error)},
                )
                continue
            for obj in listed.items:
                target = Target(kind, key_of(obj))
                if target not in wanted:
                    await self._remove_object(target, obj)

    async def _remove(self, target: Target) -> None:
        key = target.key
        live = await self._client.find(target.resource, key.name, namespace=key.namespace)
        if live is not None:
            await self._remove_object(target, live)

    async def _remove_object(self, target: Target, live: KubeObject) -> None:
        if self._owner.claim(live) is not Claim.OURS or is_being_deleted(live):
            return
        prune = Prune(target, uid_of(live), resource_version_of(live))
        for failure in await self._applier.carry_out(Plan(prunes=(prune,))):
            raise failure.error
