"""An add-on's configuration as the hub holds it, read under the add-on's own credential."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from towline_agent.configuration.plan import Pending, source_of
from towline_agent.running.cache_group import CacheGroup
from towline_api.addon_codec import AddonCodec
from towline_api.addons import ConfigKind, ConfigReference, ManagedClusterAddon
from towline_api.metadata import ObjectKey
from towline_api.resources import ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS, KubeObject, Resource
from towline_api.spec_hash import spec_hash
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock

APPLICABLE: dict[ConfigKind, Resource] = {
    ConfigKind(resource.group, resource.plural): resource
    for resource in (ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS)
}
"""The kinds of configuration an agent without a process of the add-on's own can apply."""
_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Selected:
    """What a cache of the hub holds: one named object, or a whole namespace.

    Args:
        resource: Kind of the objects.
        namespace: Their namespace on the hub; None for kinds that have none.
        name: The one object; None for all. Permissions by name cover only a selection by name.
    """

    resource: Resource
    namespace: str | None
    name: str | None = None


def selected_caches(
    client: Client, *, codec: AddonCodec, on_change: Callable[[], None], clock: Clock
) -> CacheGroup[Selected]:
    """Return caches of what is selected on the hub, none yet; `on_change` hears of every change."""
    served = {ADDON_DEPLOYMENT_CONFIGS: codec.addon_deployment_configs}
    return CacheGroup(
        lambda selected: Cache(
            client,
            served.get(selected.resource, selected.resource),
            namespace=selected.namespace,
            field_selector=f"metadata.name={selected.name}" if selected.name else None,
            clock=clock,
        ),
        on_change=lambda _: on_change(),
        clock=clock,
    )


@dataclass(frozen=True, slots=True)
class Resolved:
    """A reference, and the object behind it in the state the hub desires.

    Args:
        reference: What the hub desires.
        found: The object, or what stands for it while it cannot be used.
        awaited: Why it cannot be used yet, for a person; empty if it can.
    """

    reference: ConfigReference
    found: KubeObject | Pending
    awaited: str = ""

    @property
    def resource(self) -> Resource:
        """Kind of the object."""
        return APPLICABLE[self.reference.kind]

    @property
    def source(self) -> str:
        """How marks and messages name the object."""
        return source_of(self.resource, self.reference.desired.key)


class ConfigurationSources:
    """Watches what an add-on is configured with, no more than its credential may read.

    Args:
        client: The hub, under the add-on's credential.
        cluster: Name of the managed cluster, which is its namespace on the hub.
        codec: Of the API version the hub serves.
        on_change: Called whenever something may have changed.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        *,
        cluster: str,
        codec: AddonCodec,
        on_change: Callable[[], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._cluster = cluster
        self._everything = Selected(CONFIG_MAPS, cluster)
        self._caches: CacheGroup[Selected] = selected_caches(
            client, codec=codec, on_change=on_change, clock=clock
        )

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        await self._caches.run()

    async def follow(self, addon: ManagedClusterAddon) -> None:
        """Watch what this add-on refers to, and nothing it no longer refers to."""
        wanted = {self._everything}
        for reference in addon.config_references:
            selected = self._selected(reference)
            if selected is not None:
                wanted.add(selected)
        await self._caches.want(wanted)

    def config_maps(self) -> list[KubeObject] | None:
        """Return the ConfigMaps in the cluster's namespace; None while they cannot be told."""
        cache = self._caches.find_synced(self._everything)
        return None if cache is None else cache.list()

    @property
    def trouble(self) -> str:
        """Why those cannot be told; empty if they can, or if it is only a matter of moments."""
        cache = self._caches.find(self._everything)
        error = cache.last_error if cache is not None else None
        return str(error) if error is not None else ""

    def resolve(self, reference: ConfigReference) -> Resolved | None:
        """Return what is behind a reference; None for kinds that are not applied here.

        An object counts only in exactly the state the hub desires: a hub that rolls a change out
        in steps desires the old state until it is this cluster's turn.
        """
        resource = APPLICABLE.get(reference.kind)
        if resource is None:
            return None
        desired = reference.desired
        pending = Pending(desired.key)
        name = source_of(resource, desired.key)
        if not desired.spec_hash:
            return Resolved(reference, pending, f"waiting for the hub to hash {name}")
        cache = self._find_cache(reference, resource)
        if cache is None or not cache.synced:
            why = f": {cache.last_error}" if cache is not None and cache.last_error else ""
            return Resolved(reference, pending, f"reading {name}{why}")
        found = cache.find(desired.key.name, desired.key.namespace)
        if found is None:
            return Resolved(reference, pending, f"{name} does not exist on the hub")
        found_hash = spec_hash(found)
        if found_hash != desired.spec_hash:
            message = (
                f"{name} has hash {found_hash[:_SHOWN_DIGITS]}; waiting until the hub desires that "
                f"instead of {desired.spec_hash[:_SHOWN_DIGITS]}"
            )
            return Resolved(reference, pending, message)
        return Resolved(reference, found)

    def _find_cache(self, reference: ConfigReference, resource: Resource) -> Cache | None:
        if self._is_here(resource, reference.desired.key):
            return self._caches.find(self._everything)
        selected = self._selected(reference)
        return None if selected is None else self._caches.find(selected)

    def _selected(self, reference: ConfigReference) -> Selected | None:
        """Return what to watch for a reference beside the cluster's namespace, if anything."""
        resource, key = APPLICABLE.get(reference.kind), reference.desired.key
        if resource is None or key.namespace is None or self._is_here(resource, key):
            return None
        return Selected(resource, key.namespace, key.name)

    def _is_here(self, resource: Resource, key: ObjectKey) -> bool:
        return resource == CONFIG_MAPS and key.namespace == self._cluster
