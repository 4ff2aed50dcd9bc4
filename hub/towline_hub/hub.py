"""The running hub: its caches, its reconcilers, and what wakes which."""

import logging
import socket
from collections.abc import Iterable
from typing import Any, NoReturn

from towline_api.addon_codec import AddonCodec
from towline_api.metadata import ObjectKey, labels_of, name_of, namespace_of
from towline_api.names import CLUSTER_NAME_LABEL
from towline_api.resources import KubeObject
from towline_hub.addons.declarations import by_name
from towline_hub.addons.scope import AddonScope
from towline_hub.addons.service import AddonService
from towline_hub.approval.approver import Approver
from towline_hub.approval.check_runner import CheckRunner
from towline_hub.approval.checks import load_checks
from towline_hub.approval.denials import RequestDenials
from towline_hub.caches import HubCaches, HubViews
from towline_hub.clusters.acceptance import Acceptor
from towline_hub.clusters.departure import Departure
from towline_hub.clusters.health import HealthWatch
from towline_hub.clusters.leftover_addons import LeftoverAddons
from towline_hub.clusters.marker import ClusterMarker
from towline_hub.joining.token_expiry import TokenExpiry, bound_rights, leaving_cluster
from towline_hub.metrics import HubMetrics
from towline_hub.object_writer import ObjectWriter
from towline_hub.settings import HubSettings
from towline_hub.signers.signing_service import SigningService
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import Controller
from towline_kube.events import EventRecorder
from towline_kube.store import Change
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

REPORTER = "towline-hub"

_CONCURRENCY = 6
"""Passes at a time per kind: enough to keep an API server a network away busy during a mass join,
few enough that its priority and fairness never has to hold us back."""
_ACCEPTED_AT_ONCE = 20
"""The same for clusters that are accepted, which is mostly waiting: for each role, and each binding
to it, the API server reads all bindings, and waits up to a tenth of a second to be sure that it has
the newest. With twelve at a time a mass join took longer; with thirty it did not end sooner."""


class Hub:
    """The reconcilers of a hub, wired together: what runs on the one replica that leads.

    Args:
        client: Whom to ask, as the hub's own identity.
        settings: What the operator chose.
        caches: What is known of the hub cluster; somebody else runs them, for every replica keeps
            them warm. Handlers stay with them: see `HubCaches.temporary_handlers`.
        codec: Of the API version that the caches hold add-ons in.
        metrics: Told of what is done and decided.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        settings: HubSettings,
        *,
        caches: HubCaches,
        codec: AddonCodec,
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self.caches = caches
        views = HubViews.of(self.caches, clock=clock)
        self._events = EventRecorder(
            client,
            controller=REPORTER,
            instance=socket.gethostname(),
            clock=clock,
            on_lost=metrics.event_lost,
        )
        writer = ObjectWriter(client, views.grants())
        rules, declarations = settings.approval_rules, by_name(settings.addon_declarations)
        self._approver = Approver(
            client,
            caches=self.caches,
            views=views,
            namespaces=views.namespaces,
            events=self._events,
            codec=codec,
            rules=rules,
            declarations=declarations,
            checks=CheckRunner(
                load_checks(settings.approval_checks), limit=settings.approval_check_limit
            ),
            metrics=metrics,
            wake=self._request_moved_up,
            clock=clock,
        )
        self._acceptor = Acceptor(
            client,
            caches=self.caches,
            views=views,
            writer=writer,
            departure=Departure(
                client,
                caches=self.caches,
                views=views,
                writer=writer,
                denials=RequestDenials(
                    client, caches=self.caches, events=self._events, metrics=metrics, clock=clock
                ),
                events=self._events,
                clock=clock,
                limit=settings.cleanup_limit,
                max_certificate_lifetime=settings.max_certificate_lifetime,
            ),
            events=self._events,
            clock=clock,
        )
        self._marker = ClusterMarker(client, caches=self.caches, views=views, clock=clock)
        self._leftovers = LeftoverAddons(
            client,
            caches=self.caches,
            events=self._events,
            clock=clock,
            limit=settings.cleanup_limit,
        )
        self._addons = AddonService(
            client,
            caches=self.caches,
            views=views,
            writer=writer,
            codec=codec,
            scope=AddonScope.of(
                settings.addons,
                settings.addon_declarations,
                approves_for_others=settings.approves_for_others,
            ),
            clock=clock,
        )
        self._health = HealthWatch(
            client,
            caches=self.caches,
            views=views,
            events=self._events,
            codec=codec,
            metrics=metrics,
            clock=clock,
        )
        self._approve: Controller[str] = Controller(
            "approve-requests", self._approver.reconcile, concurrency=_CONCURRENCY, clock=clock
        )
        self._accept: Controller[str] = Controller(
            "accept-clusters",
            self._acceptor.reconcile,
            concurrency=_ACCEPTED_AT_ONCE,
            clock=clock,
        )
        self._token_expiry = TokenExpiry(
            client,
            grants=(views.cluster_role_bindings, views.cluster_roles),
            clusters=views.clusters,
            clock=clock,
        )
        self._end_tokens: Controller[str] = Controller(
            "end-token-rights", self._token_expiry.reconcile, concurrency=1, clock=clock
        )
        self._mark: Controller[str] = Controller(
            "mark-clusters", self._marker.reconcile, concurrency=_CONCURRENCY, clock=clock
        )
        self._let_go: Controller[ObjectKey] = Controller(
            "release-addons", self._leftovers.reconcile, clock=clock
        )
        self._signing = SigningService(
            client,
            settings,
            caches=self.caches,
            views=views,
            codec=codec,
            declarations=declarations,
            events=self._events,
            metrics=metrics,
            clock=clock,
        )
        self._controllers: tuple[Controller[Any], ...] = (
            *self._signing.controllers,
            self._approve,
            self._accept,
            *self._addons.controllers,
            self._mark,
            self._let_go,
            self._end_tokens,
        )
        metrics.watch_controllers((*self._controllers, self._health.controller))
        metrics.watch_fleet(caches, self._health.beats)
        self._feed()

    async def run(self) -> NoReturn:
        """Run until cancelled.

        Raises:
            TransientError: A first list did not arrive in time; says which and why.
        """
        try:
            async with TaskGroup() as group:
                # Conclusions from half the picture would be wrong, and so would the writes.
                await self.caches.wait_synced(limit=self._settings.startup_limit)
                group.create_task(self._events.run(), name="record-events")
                for cache in self._signing.caches:
                    group.create_task(cache.run(), name=f"watch-{cache.selection}")
                group.create_task(self._addons.run(), name="watch-configs")
                group.create_task(self._health.run(), name="watch-health")
                for controller in self._controllers:
                    group.create_task(controller.run(), name=f"run-{controller.name}")
                log.info("hub runs", extra={"reason": f"{len(self.caches.clusters)} clusters"})
        finally:
            await self._events.flush()
        raise AssertionError("the parts of the hub ended by themselves")

    async def drain(self) -> None:
        """Begin nothing any more; return once what is under way has ended.

        Bound it with `asyncio.timeout`, and cancel `run` afterwards.
        """
        async with TaskGroup() as group:
            for controller in (*self._controllers, self._health.controller):
                group.create_task(controller.drain(), name=f"drain-{controller.name}")

    def _feed(self) -> None:
        caches = self.caches
        self._approve.feed_from(caches.requests, _own_name)
        self._approve.feed_from(caches.clusters, self._approver.requests_of_cluster)
        self._approve.feed_from(caches.addons, self._approver.requests_of_addon)

        self._accept.feed_from(caches.clusters, _own_name)
        self._accept.feed_from(caches.namespaces, _labelled_cluster)
        caches.leases.on_change(self._lease_went)
        for cache in (
            caches.cluster_roles,
            caches.cluster_role_bindings,
            caches.role_bindings,
        ):
            self._accept.feed_from(cache, self._acceptor.clusters_of)
        # The last add-on to go lets a cluster go that is being deleted.
        self._accept.feed_from(caches.addons, self._acceptor.clusters_of_addon)
        self._accept.feed_from(caches.requests, self._acceptor.clusters_of_request)

        self._mark.feed_from(caches.clusters, _own_name)
        self._mark.feed_from(caches.addons, _namespace)

        self._let_go.feed_from(caches.addons, self._leftovers.addons_of_addon)
        self._let_go.feed_from(caches.clusters, self._leftovers.addons_of_cluster)

        self._end_tokens.feed_from(caches.cluster_roles, bound_rights)
        self._end_tokens.feed_from(caches.cluster_role_bindings, bound_rights)
        self._end_tokens.feed_from(caches.clusters, leaving_cluster)

    def _lease_went(self, change: Change) -> None:
        # Renewals are no news to acceptance; a fleet makes hundreds of them a second.
        if change.new is None and change.key.namespace is not None:
            self._accept.enqueue(change.key.namespace)

    def _request_moved_up(self, name: str) -> None:
        self._approve.enqueue(name)


def _own_name(obj: KubeObject) -> Iterable[str]:
    return (name_of(obj),)


def _labelled_cluster(obj: KubeObject) -> Iterable[str]:
    cluster = labels_of(obj).get(CLUSTER_NAME_LABEL)
    return (cluster,) if cluster else ()


def _namespace(obj: KubeObject) -> Iterable[str]:
    namespace = namespace_of(obj)
    return (namespace,) if namespace else ()
