"""Looking after add-ons, wired together: the same in a whole hub and in an add-on's program."""

from collections.abc import Iterable
from typing import Any, NoReturn

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.metadata import ObjectKey, key_of, labels_of, name_of
from towline_api.resources import KubeObject
from towline_hub.addons.config_objects import ConfigObjects
from towline_hub.addons.definition_hashes import DefinitionHashes
from towline_hub.addons.definitions import DefinitionReconciler
from towline_hub.addons.reconciler import AddonReconciler
from towline_hub.addons.scope import AddonScope
from towline_hub.caches import AddonCaches, AddonViews, HubCaches
from towline_hub.object_writer import ObjectWriter
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import Controller

_CONCURRENCY = 10


class AddonService:
    """What serves add-ons on every cluster, and keeps their definitions.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        writer: Applies and removes RBAC.
        codec: How the API version in use writes add-ons.
        scope: Which add-ons, and how much of each.
        served_by: What definitions are marked with, so that a whole hub leaves registration and
            rights to this program; None if this is that hub.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: AddonCaches,
        views: AddonViews,
        writer: ObjectWriter,
        codec: AddonCodec,
        scope: AddonScope,
        served_by: str | None = None,
        clock: Clock,
    ) -> None:
        self._configs = ConfigObjects(
            client,
            deployment_configs=caches.deployment_configs,
            on_change=self._on_config,
            clock=clock,
        )
        self._addons = AddonReconciler(
            client,
            caches=caches,
            views=views,
            writer=writer,
            configs=self._configs,
            codec=codec,
            scope=scope,
            clock=clock,
        )
        self._definitions = DefinitionReconciler(
            client,
            definitions=views.definitions,
            resource=codec.cluster_management_addons,
            declarations=scope.declarations,
            served_by=served_by,
        )
        self._serve: Controller[ObjectKey] = Controller(
            "serve-addons", self._addons.reconcile, concurrency=_CONCURRENCY, clock=clock
        )
        self._define: Controller[str] = Controller(
            "define-addons", self._definitions.reconcile, clock=clock
        )
        self._hash: Controller[str] | None = None
        if not scope.is_whole_hub:
            hashes = DefinitionHashes(
                client,
                definitions=views.definitions,
                configs=self._configs,
                codec=codec,
                served=scope.served,
            )
            self._hash = Controller("hash-defaults", hashes.reconcile, clock=clock)
        self._feed(caches)

    @property
    def controllers(self) -> tuple[Controller[Any], ...]:
        """What has to be run, beside `run`."""
        hashing = () if self._hash is None else (self._hash,)
        return (self._serve, self._define, *hashing)

    async def run(self) -> NoReturn:
        """Watch the configuration that add-ons refer to, until cancelled."""
        await self._configs.run()

    def _feed(self, caches: AddonCaches) -> None:
        self._serve.feed_from(caches.addons, lambda obj: (key_of(obj),))
        self._serve.feed_from(caches.clusters, self._addons.addons_of_cluster)
        self._serve.feed_from(caches.definitions, self._addons.addons_of_definition)
        self._serve.feed_from(caches.roles, _labelled_addon)
        self._serve.feed_from(caches.role_bindings, _labelled_addon)
        if isinstance(caches, HubCaches):
            self._serve.feed_from(caches.service_accounts, _labelled_addon)
        self._define.feed_from(caches.definitions, lambda obj: (name_of(obj),))
        # What is declared and not there yet sends no notice.
        for name in self._definitions.names:
            self._define.enqueue(name)
        if self._hash is not None:
            self._hash.feed_from(caches.definitions, lambda obj: (name_of(obj),))

    def _on_config(self, concerned: ObjectKey) -> None:
        if concerned.namespace is None and self._hash is not None:
            self._hash.enqueue(concerned.name)
        else:
            self._serve.enqueue(concerned)


def _labelled_addon(obj: KubeObject) -> Iterable[ObjectKey]:
    labels = labels_of(obj)
    cluster = labels.get(names.CLUSTER_NAME_LABEL)
    addon = labels.get(names.ADDON_NAME_LABEL)
    return (ObjectKey(addon, cluster),) if cluster and addon else ()
