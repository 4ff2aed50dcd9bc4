"""The add-on half of a hub alone, for a hub cluster that belongs to another program.

Registers the agents of some add-ons, grants their rights, approves their requests and fills in what
their configuration hashes to. Clusters, other add-ons, namespaces, owners, and which configuration
goes where stay the other program's.
"""

import logging
import socket
from collections.abc import Iterable
from typing import Any, NoReturn

from towline_api.addon_codec import AddonCodec
from towline_api.metadata import name_of
from towline_api.resources import KubeObject
from towline_hub.addons.scope import AddonScope, addons_lease
from towline_hub.addons.service import AddonService
from towline_hub.approval.approver import Approver
from towline_hub.approval.check_runner import CheckRunner
from towline_hub.approval.checks import load_checks
from towline_hub.caches import AddonCaches, AddonViews
from towline_hub.metrics import HubMetrics
from towline_hub.object_writer import ObjectWriter
from towline_hub.settings import HubSettings
from towline_hub.signers.signing_service import SigningService
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import Controller
from towline_kube.events import EventRecorder
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

REPORTER = "towline-addons"
HUB_LEASE = "towline-hub"
"""The Lease of a whole hub's replicas."""

_CONCURRENCY = 10


class AddonHub:
    """The reconcilers of a program that looks after some add-ons only, wired together.

    Args:
        client: Whom to ask, as the program's own identity.
        settings: What the operator chose.
        caches: What is known of the hub cluster; somebody else runs them.
        codec: Of the API version that the caches hold add-ons in.
        metrics: Told of what is done and decided.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        settings: HubSettings,
        *,
        caches: AddonCaches,
        codec: AddonCodec,
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._caches = caches
        views = AddonViews.of(caches, clock=clock)
        scope = addon_scope(settings)
        self._names = scope.served
        self._events = EventRecorder(
            client,
            controller=REPORTER,
            instance=socket.gethostname(),
            clock=clock,
            on_lost=metrics.event_lost,
        )
        self._approver = Approver(
            client,
            caches=caches,
            views=views,
            namespaces=None,
            events=self._events,
            codec=codec,
            rules=settings.approval_rules,
            declarations=scope.declarations,
            checks=CheckRunner(
                load_checks(settings.approval_checks), limit=settings.approval_check_limit
            ),
            metrics=metrics,
            wake=self._request_moved_up,
            clock=clock,
        )
        self._approve: Controller[str] = Controller(
            "approve-requests", self._approver.reconcile, concurrency=_CONCURRENCY, clock=clock
        )
        self._addons = AddonService(
            client,
            caches=caches,
            views=views,
            writer=ObjectWriter(client, views.grants()),
            codec=codec,
            scope=scope,
            served_by=REPORTER,
            clock=clock,
        )
        self._signing = SigningService(
            client,
            settings,
            caches=caches,
            views=views,
            codec=codec,
            declarations=scope.declarations,
            served=scope.served,
            events=self._events,
            metrics=metrics,
            clock=clock,
        )
        self._controllers: tuple[Controller[Any], ...] = (
            *self._signing.controllers,
            self._approve,
            *self._addons.controllers,
        )
        metrics.watch_controllers(self._controllers)
        self._approve.feed_from(caches.requests, _own_name)
        self._approve.feed_from(caches.clusters, self._approver.requests_of_cluster)
        self._approve.feed_from(caches.addons, self._approver.requests_of_addon)

    async def run(self) -> NoReturn:
        """Run until cancelled.

        Raises:
            TransientError: A first list did not arrive in time; says which and why.
        """
        try:
            async with TaskGroup() as group:
                await self._caches.wait_synced(limit=self._settings.startup_limit)
                group.create_task(self._events.run(), name="record-events")
                for cache in self._signing.caches:
                    group.create_task(cache.run(), name=f"watch-{cache.selection}")
                group.create_task(self._addons.run(), name="watch-configs")
                for controller in self._controllers:
                    group.create_task(controller.run(), name=f"run-{controller.name}")
                log.info("add-ons are served", extra={"addon": ", ".join(sorted(self._names))})
        finally:
            await self._events.flush()
        raise AssertionError("the parts of the add-on hub ended by themselves")

    async def drain(self) -> None:
        """Begin nothing any more; return once what is under way has ended."""
        async with TaskGroup() as group:
            for controller in self._controllers:
                group.create_task(controller.drain(), name=f"drain-{controller.name}")

    def _request_moved_up(self, name: str) -> None:
        self._approve.enqueue(name)


def addon_scope(settings: HubSettings) -> AddonScope:
    """Return which add-ons a hub with these settings looks after, and how much of each."""
    return AddonScope.of(
        settings.addons,
        settings.addon_declarations,
        is_whole_hub=not settings.addons_only,
        approves_for_others=settings.approves_for_others,
    )


def lease_name(settings: HubSettings) -> str:
    """Return the name of the Lease by which replicas with these settings elect their leader."""
    return addons_lease(addon_scope(settings).served) if settings.addons_only else HUB_LEASE


def _own_name(obj: KubeObject) -> Iterable[str]:
    return (name_of(obj),)
