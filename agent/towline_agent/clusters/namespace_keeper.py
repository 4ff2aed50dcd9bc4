"""The shell that makes and marks the namespaces a hub wants on a managed cluster."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NoReturn

from towline_agent.clusters.managed_namespaces import (
    LISTED,
    UNLISTED,
    hub_label,
    listed_namespaces,
    marked_namespace,
    missing_namespaces,
    unlisted_namespaces,
)
from towline_agent.clusters.view import ClusterView
from towline_agent.running.cache_group import CacheGroup
from towline_api.errors import TowlineError
from towline_api.metadata import name_of
from towline_api.resources import NAMESPACES, KubeObject
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.controller import DONE, Controller, Result
from towline_kube.errors import Forbidden
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_TRY_AGAIN = timedelta(minutes=1)
_LOOK_AGAIN = timedelta(milliseconds=200)
"""How soon to see whether the first list has come; that asks no server."""


class NamespaceKeeper:
    """Keeps the namespaces that the hub lists; of all others it looks only at those it marked.

    Nothing is watched while the hub lists none. Once, at the beginning, it looks for what an
    earlier process marked.

    Args:
        client: The managed cluster.
        view: The ManagedCluster.
        hub: URL of the hub.
        told: Set whenever `outcomes` has changed.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        view: ClusterView,
        *,
        hub: str,
        told: asyncio.Event,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._view = view
        self._label = hub_label(hub)
        self._told = told
        self._is_swept = False
        self._changed = view.subscribe()
        self._controller: Controller[str] = Controller(
            "keep-managed-namespaces", self._reconcile, clock=clock
        )
        self._marked: CacheGroup[str] = CacheGroup(
            lambda label: Cache(client, NAMESPACES, label_selector=label, clock=clock),
            on_change=self._controller.enqueue,
            clock=clock,
        )
        self.outcomes: Mapping[str, str] = {}
        """What stands in the way of each namespace that is listed; empty for one that is there."""

    async def run(self) -> NoReturn:
        """Keep the namespaces until cancelled."""
        async with TaskGroup() as group:
            group.create_task(self._marked.run(), name="watch-managed-namespaces")
            group.create_task(self._controller.run(), name="keep-managed-namespaces")
            while True:
                self._controller.enqueue(self._label)
                await self._changed.wait()
                self._changed.clear()
        raise AssertionError("unreachable: the loop is endless")

    async def _reconcile(self, label: str) -> Result:
        cluster = self._view.accepted_cluster
        if cluster is None:
            return DONE
        listed = listed_namespaces(cluster)
        if not listed:
            self.outcomes = {}
            await self._sweep()
            await self._marked.want(())
            return DONE
        self._is_swept = False
        await self._marked.want({label})
        cache = self._marked.find(label)
        if cache is None or not cache.synced:
            trouble = None if cache is None else cache.last_error
            if trouble is None:
                return Result(look_again_in=_LOOK_AGAIN)
            self._tell(dict.fromkeys(listed, str(trouble)))
            return Result(look_again_in=_TRY_AGAIN)
        present = cache.list()
        await self._unmark(unlisted_namespaces(listed, present, label=label))
        outcomes = dict.fromkeys(listed, "")
        for name in missing_namespaces(listed, present, label=label):
            outcomes[name] = await self._mark(name)
        self._tell(outcomes)
        return Result(look_again_in=_TRY_AGAIN) if any(outcomes.values()) else DONE

    async def _sweep(self) -> None:
        """Take the mark off what an earlier process marked, where we may look for it."""
        if self._is_swept:
            return
        try:
            listed = await self._client.list(NAMESPACES, label_selector=self._label)
        except Forbidden:
            log.debug("namespaces cannot be listed", extra={"object": self._label})
        else:
            await self._unmark(unlisted_namespaces((), list(listed.items), label=self._label))
        self._is_swept = True

    async def _mark(self, name: str) -> str:
        """Make or mark a namespace; return what stands in the way."""
        body = marked_namespace(name, label=self._label, value=LISTED, like=None)
        try:
            await self._client.apply(NAMESPACES, body, force=True)
        except TowlineError as error:
            return str(error)
        log.info("namespace of a cluster set is there", extra={"object": name})
        return ""

    async def _unmark(self, namespaces: Sequence[KubeObject]) -> None:
        for namespace in namespaces:
            name = name_of(namespace)
            body = marked_namespace(name, label=self._label, value=UNLISTED, like=namespace)
            await self._client.apply(NAMESPACES, body, force=True)
            log.info("namespace is no longer a cluster set's", extra={"object": name})

    def _tell(self, outcomes: Mapping[str, str]) -> None:
        if outcomes == self.outcomes:
            return
        for name, trouble in outcomes.items():
            if trouble and trouble != self.outcomes.get(name):
                log.warning(
                    "namespace of a cluster set cannot be made or marked",
                    extra={"object": name, "error": trouble},
                )
        self.outcomes = outcomes
        self._told.set()
