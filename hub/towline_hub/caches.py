"""What the hub keeps in memory of its API server: one watch per kind, shared by all controllers."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.conditions import is_true
from towline_api.errors import TransientError
from towline_api.metadata import labels_of, namespace_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_hub.own_writes import FreshView
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock

log = logging.getLogger(__name__)

BY_CLUSTER = "cluster"
"""Index of objects by the cluster they are labelled with, or whose namespace they are in."""
BY_APPROVED = "approved"
"""Index of approved requests for a cluster agent's own certificate, by the cluster's name."""
BY_ADDON = "addon"
"""Index of add-on RBAC by `cluster/addon`."""
BY_NAME = "name"
"""Index of ManagedClusterAddOns by their own name, across clusters."""


@dataclass(frozen=True, slots=True)
class AddonCaches:
    """What looking after add-ons needs, by kind.

    What is granted is filtered by our label: others grant, too.
    """

    clusters: Cache
    requests: Cache
    definitions: Cache
    addons: Cache
    deployment_configs: Cache
    roles: Cache
    role_bindings: Cache

    def __iter__(self) -> Iterator[Cache]:
        """Yield every cache."""
        return (getattr(self, item.name) for item in fields(self))

    @contextmanager
    def temporary_handlers(self) -> Iterator[None]:
        """Forget, at the end of the block, the handlers that any cache was given in it."""
        with ExitStack() as stack:
            for cache in self:
                stack.enter_context(cache.temporary_handlers())
            yield

    async def wait_synced(self, *, limit: timedelta) -> None:
        """Return once every cache has seen its whole list.

        Raises:
            TransientError: One has not within the limit; says which and why.
        """
        for cache in self:
            try:
                async with asyncio.timeout(limit.total_seconds()):
                    await cache.wait_synced()
            except TimeoutError:
                raise TransientError(
                    f"no list of {cache.resource.qualified} within {limit}: "
                    f"{cache.last_error or 'no answer'}"
                ) from None


@dataclass(frozen=True, slots=True)
class HubCaches(AddonCaches):
    """What a whole hub needs."""

    namespaces: Cache
    leases: Cache
    cluster_roles: Cache
    cluster_role_bindings: Cache
    service_accounts: Cache


@dataclass(frozen=True, slots=True)
class AddonViews:
    """The caches of what looking after add-ons writes, seen through our own latest writes."""

    clusters: FreshView
    definitions: FreshView
    addons: FreshView
    roles: FreshView
    role_bindings: FreshView

    @classmethod
    def of(cls, caches: AddonCaches, *, clock: Clock) -> Self:
        """Return the views of the caches of the same names."""
        return cls(
            **{
                item.name: FreshView(getattr(caches, item.name), clock=clock)
                for item in fields(cls)
            }
        )

    def grants(self) -> tuple[FreshView, ...]:
        """Return the views of the kinds that are applied."""
        return (self.definitions, self.roles, self.role_bindings)


@dataclass(frozen=True, slots=True)
class HubViews(AddonViews):
    """The same for everything a whole hub writes."""

    namespaces: FreshView
    leases: FreshView
    cluster_roles: FreshView
    cluster_role_bindings: FreshView
    service_accounts: FreshView

    def grants(self) -> tuple[FreshView, ...]:
        """Return the views of the kinds that are applied."""
        return (
            self.definitions,
            self.roles,
            self.role_bindings,
            self.namespaces,
            self.cluster_roles,
            self.cluster_role_bindings,
            self.service_accounts,
        )


def hub_caches(client: Client, *, codec: AddonCodec, clock: Clock) -> HubCaches:
    """Return the hub's caches, not running yet."""
    ours = names.CLUSTER_NAME_LABEL
    by_label = {BY_CLUSTER: _cluster_label, BY_APPROVED: _approved_cluster}
    by_addon = {BY_CLUSTER: _cluster_label, BY_ADDON: _addon_labels}
    return HubCaches(
        clusters=Cache(client, MANAGED_CLUSTERS, clock=clock),
        # All of them: a hostile one leaves our label off. Kubernetes removes old ones by itself.
        requests=Cache(client, CERTIFICATE_SIGNING_REQUESTS, indexes=by_label, clock=clock),
        definitions=Cache(client, codec.cluster_management_addons, clock=clock),
        addons=Cache(
            client,
            codec.managed_cluster_addons,
            indexes={BY_CLUSTER: _namespace, BY_NAME: _name},
            clock=clock,
        ),
        deployment_configs=Cache(client, codec.addon_deployment_configs, clock=clock),
        # All of them: a cluster's name may be taken by a namespace that is none of ours.
        namespaces=Cache(client, NAMESPACES, clock=clock),
        leases=Cache(
            client,
            LEASES,
            label_selector=ours,
            field_selector=f"metadata.name={names.CLUSTER_LEASE}",
            clock=clock,
        ),
        cluster_roles=Cache(client, CLUSTER_ROLES, label_selector=ours, clock=clock),
        cluster_role_bindings=Cache(
            client, CLUSTER_ROLE_BINDINGS, label_selector=ours, clock=clock
        ),
        roles=Cache(client, ROLES, label_selector=ours, indexes=by_addon, clock=clock),
        role_bindings=Cache(
            client, ROLE_BINDINGS, label_selector=ours, indexes=by_addon, clock=clock
        ),
        service_accounts=Cache(
            client,
            SERVICE_ACCOUNTS,
            label_selector=f"{ours},{names.TOKEN_INFRASTRUCTURE_LABEL}",
            clock=clock,
        ),
    )


def addon_caches(
    client: Client, *, served: Collection[str], codec: AddonCodec, clock: Clock
) -> AddonCaches:
    """Return the caches of a program that looks after these add-ons only, not running yet."""
    by_label = {BY_CLUSTER: _cluster_label, BY_APPROVED: _approved_cluster}
    by_addon = {BY_CLUSTER: _cluster_label, BY_ADDON: _addon_labels}
    # What concerns other add-ons is never even seen.
    ours = f"{names.ADDON_NAME_LABEL} in ({','.join(sorted(served))})"
    grants = f"{names.CLUSTER_NAME_LABEL},{ours}"
    return AddonCaches(
        clusters=Cache(client, MANAGED_CLUSTERS, clock=clock),
        requests=Cache(
            client,
            CERTIFICATE_SIGNING_REQUESTS,
            label_selector=ours,
            indexes=by_label,
            clock=clock,
        ),
        definitions=Cache(client, codec.cluster_management_addons, clock=clock),
        addons=Cache(
            client,
            codec.managed_cluster_addons,
            indexes={BY_CLUSTER: _namespace, BY_NAME: _name},
            clock=clock,
        ),
        deployment_configs=Cache(client, codec.addon_deployment_configs, clock=clock),
        roles=Cache(client, ROLES, label_selector=grants, indexes=by_addon, clock=clock),
        role_bindings=Cache(
            client, ROLE_BINDINGS, label_selector=grants, indexes=by_addon, clock=clock
        ),
    )


def addon_index_key(cluster: str, addon: str) -> str:
    """Return the value under which `BY_ADDON` finds an add-on's RBAC."""
    return f"{cluster}/{addon}"


def _cluster_label(obj: KubeObject) -> Iterable[str]:
    cluster = labels_of(obj).get(names.CLUSTER_NAME_LABEL)
    return (cluster,) if cluster else ()


def _approved_cluster(request: KubeObject) -> Iterable[str]:
    if names.ADDON_NAME_LABEL in labels_of(request):
        return ()
    return _cluster_label(request) if is_true(request, "Approved") else ()


def _addon_labels(obj: KubeObject) -> Iterable[str]:
    labels = labels_of(obj)
    cluster = labels.get(names.CLUSTER_NAME_LABEL)
    addon = labels.get(names.ADDON_NAME_LABEL)
    return (addon_index_key(cluster, addon),) if cluster and addon else ()


def _namespace(obj: KubeObject) -> Iterable[str]:
    namespace = namespace_of(obj)
    return (namespace,) if namespace else ()


def _name(obj: KubeObject) -> Iterable[str]:
    return (str(obj["metadata"]["name"]),)
