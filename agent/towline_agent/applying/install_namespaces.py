"""The add-ons' namespaces on the managed cluster, as far as they concern us."""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NoReturn

from towline_agent.applying.ownership import cluster_selector
from towline_agent.applying.plan import Target
from towline_agent.running.cache_group import CacheGroup
from towline_api.metadata import key_of
from towline_api.resources import CONFIG_MAPS, LEASES, NAMESPACES, KubeObject, Resource
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, Forbidden, NotServed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Corner:
    """Objects of one kind in one namespace."""

    resource: Resource
    namespace: str


class InstallNamespaces:
    """Watches the ConfigMaps we applied, and the Leases, in the namespaces add-ons live in.

    Args:
        client: The managed cluster.
        cluster: Its name on the hub.
        on_change: Called with what may have changed.
        resources: Kinds to watch.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        *,
        cluster: str,
        on_change: Callable[[Corner], None],
        resources: Collection[Resource] = (CONFIG_MAPS, LEASES),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._resources = resources
        ours = cluster_selector(cluster)

        def make(corner: Corner) -> Cache:
            # Leases are made by the add-ons' own processes, so they carry no mark of ours.
            selector = None if corner.resource == LEASES else ours
            return Cache(
                client,
                corner.resource,
                namespace=corner.namespace,
                label_selector=selector,
                clock=clock,
            )

        self._caches: CacheGroup[Corner] = CacheGroup(make, on_change=on_change, clock=clock)

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        await self._caches.run()

    async def want(self, namespaces: Iterable[str]) -> None:
        """Watch these namespaces and no others."""
        await self._caches.want(
            {Corner(resource, name) for name in namespaces for resource in self._resources}
        )

    def find_synced(self, resource: Resource, namespace: str) -> Cache | None:
        """Return the objects of one kind in one namespace; None while they cannot be told."""
        return self._caches.find_synced(Corner(resource, namespace))

    def trouble(self, resource: Resource, namespace: str) -> str:
        """Return why they cannot be told; empty if it is only a matter of moments."""
        cache = self._caches.find(Corner(resource, namespace))
        error = cache.last_error if cache is not None else None
        return str(error) if error is not None else ""

    def are_unserved(self, resource: Resource, namespace: str) -> bool:
        """Return whether the cluster has said that it does not serve this kind at all."""
        cache = self._caches.find(Corner(resource, namespace))
        return cache is not None and isinstance(cache.last_error, NotServed)

    def ours(self, resource: Resource) -> dict[Target, KubeObject]:
        """Return everything of one kind that carries our labels, in all of the namespaces."""
        return {
            Target(resource, key_of(obj)): obj
            for corner in self._caches
            if corner.resource == resource
            for obj in _objects(self._caches.find(corner))
        }

    async def make_namespace(self, name: str) -> bool:
        """Create a namespace that is missing; return whether it is there now.

        Raises:
            TowlineError: The managed cluster could not be asked.
        """
        body = {
            "apiVersion": NAMESPACES.api_version,
            "kind": NAMESPACES.kind,
            "metadata": {"name": name},
        }
        try:
            await self._client.create(NAMESPACES, body)
        except AlreadyExists:
            return True
        except Forbidden:
            return False
        log.info("install namespace created", extra={"object": name})
        return True


def _objects(cache: Cache | None) -> list[KubeObject]:
    """Return what a cache holds; nothing for no cache."""
    return [] if cache is None else cache.list()
