"""Which configuration on the hub an add-on's handlers asked for, and what it is at present."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import BaseModel

from towline_agent.applying.ownership import Owner
from towline_agent.configuration.plan import concerns
from towline_agent.configuration.sources import Selected, selected_caches
from towline_agent.handling.spoke_scope import SpokeScope
from towline_agent.running.cache_group import CacheGroup
from towline_agent.station.user_code import Role, UserFunction, function_name
from towline_api.addon_codec import AddonCodec
from towline_api.addons import ConfigKind, ConfigReference, ManagedClusterAddon
from towline_api.metadata import ObjectKey, is_being_deleted, key_of
from towline_api.resources import CONFIG_MAPS, KubeObject, Resource
from towline_api.spec_hash import spec_hash
from towline_kube.client import Client
from towline_kube.clock import Clock

ConfigurationHandler = Callable[[KubeObject, SpokeScope], Awaitable[object]]
"""Brings one configuration object of the hub into force on the managed cluster."""
AnyHandler = Callable[[Any, SpokeScope], Awaitable[object]]
"""The same, or one that takes the model it was registered with."""


class ClusterNamespace:
    """Stands for the cluster's namespace on the hub, whose name is known only at run time."""

    def __repr__(self) -> str:
        return "<the cluster's namespace on the hub>"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One handler and what it asked for.

    Args:
        resource: Kind of the configuration objects.
        namespace: Where they are on the hub; None for those the add-on refers to.
        handler: What to call.
        kinds: What the handler may apply.
        places: Namespaces it may apply to beside the add-on's install namespace.
        model: What the handler takes; None for the object as it is.
    """

    resource: Resource
    namespace: str | ClusterNamespace | None
    handler: AnyHandler
    kinds: tuple[Resource, ...]
    places: tuple[str, ...] = ()
    model: type[BaseModel] | None = None

    @property
    def function(self) -> UserFunction:
        """What logs and messages call the handler."""
        return UserFunction(Role.CONFIGURATION, function_name(self.handler))

    @property
    def kind(self) -> ConfigKind:
        """The kind, as references name it."""
        return ConfigKind(self.resource.group, self.resource.plural)

    def references(self, addon: ManagedClusterAddon) -> list[ConfigReference]:
        """Return an add-on's references of this kind."""
        return [item for item in addon.config_references if item.kind == self.kind]


@dataclass(frozen=True, slots=True)
class NamedSubscription:
    """A handler for a kind that is known by its name only, until the hub tells the rest.

    Args:
        name: Plural and group, as kubectl writes them.
        to_subscription: Returns what becomes of it once the kind is known.
        kinds: What the handler may apply.
        places: Namespaces it may apply to beside the add-on's install namespace.
    """

    name: str
    to_subscription: Callable[[Resource], Subscription]
    kinds: tuple[Resource, ...]
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One configuration object, for one handler.

    Args:
        subscription: What asked for it.
        key: The object on the hub.
    """

    subscription: Subscription
    key: ObjectKey

    def __str__(self) -> str:
        return f"{self.subscription.resource.qualified} {self.key}"


class UnknownYet:
    """What a job's object is cannot be told yet, or may not be acted on yet."""


class HandledSources:
    """Watches what the handlers asked for, under the add-on's credential.

    Args:
        subscriptions: The handlers.
        owner: The add-on.
        hub: The hub, under the add-on's own credential.
        codec: Of the API version the hub serves.
        on_change: Called whenever something may have changed.
        clock: Time.
    """

    def __init__(
        self,
        subscriptions: tuple[Subscription, ...],
        *,
        owner: Owner,
        hub: Client,
        codec: AddonCodec,
        on_change: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._subscriptions = subscriptions
        self._owner = owner
        self._caches: CacheGroup[Selected] = selected_caches(
            hub, codec=codec, on_change=on_change, clock=clock
        )

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        await self._caches.run()

    async def follow(self, addon: ManagedClusterAddon) -> None:
        """Watch what the handlers asked for, given what the add-on refers to now."""
        await self._caches.want(
            {s for subscription in self._subscriptions for s in self._select(subscription, addon)}
        )

    def are_complete(self, addon: ManagedClusterAddon) -> bool:
        """Return whether `jobs` returns everything there is."""
        return all(
            self._caches.find_synced(selected) is not None
            for subscription in self._subscriptions
            for selected in self._select(subscription, addon)
        )

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The handlers whose kinds are known."""
        return self._subscriptions

    def add(self, subscription: Subscription) -> None:
        """Take one more handler."""
        self._subscriptions = (*self._subscriptions, subscription)

    def jobs(self, addon: ManagedClusterAddon) -> set[Job]:
        """Return every object that is there, for each handler that asked for it."""
        return {
            Job(subscription, key_of(obj))
            for subscription in self._subscriptions
            for selected in self._select(subscription, addon)
            if (cache := self._caches.find_synced(selected)) is not None
            for obj in cache.list()
            if self._is_wanted(subscription, obj)
        }

    def find(self, job: Job, addon: ManagedClusterAddon) -> KubeObject | UnknownYet | None:
        """Return what a job is about; None if that is gone, or no longer asked for."""
        subscription, key = job.subscription, job.key
        for selected in self._select(subscription, addon):
            if selected.namespace != key.namespace or selected.name not in (None, key.name):
                continue
            cache = self._caches.find_synced(selected)
            if cache is None:
                return UnknownYet()
            found = cache.find(key.name, key.namespace)
            if found is None or not self._is_wanted(subscription, found):
                return None
            # The hub may desire an older state until the roll-out comes to this cluster.
            is_due = subscription.namespace is not None or _is_desired(subscription, addon, found)
            return found if is_due else UnknownYet()
        return None

    def _is_wanted(self, subscription: Subscription, obj: KubeObject) -> bool:
        if subscription.resource == CONFIG_MAPS:
            return concerns(obj, addon=self._owner.addon)
        return not is_being_deleted(obj)

    def _select(self, subscription: Subscription, addon: ManagedClusterAddon) -> list[Selected]:
        namespace = subscription.namespace
        if not subscription.resource.namespaced and namespace is not None:
            return []
        if isinstance(namespace, ClusterNamespace):
            return [Selected(subscription.resource, self._owner.cluster)]
        if namespace is not None:
            return [Selected(subscription.resource, namespace)]
        return [
            Selected(subscription.resource, key.namespace, key.name)
            for reference in subscription.references(addon)
            if ((key := reference.desired.key).namespace is not None)
            is subscription.resource.namespaced
        ]


def _is_desired(subscription: Subscription, addon: ManagedClusterAddon, found: KubeObject) -> bool:
    """Return whether an object is in the state the hub desires for this cluster."""
    found_hash = spec_hash(found)
    return any(
        item.desired.key == key_of(found) and item.desired.spec_hash == found_hash
        for item in subscription.references(addon)
    )
