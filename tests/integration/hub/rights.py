"""What a client certificate opens on a hub: every kind of call that some agent may make."""

from collections.abc import Awaitable, Callable

from integration.hub.spoke import Spoke, csr_body
from towline_api import names
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    ROLE_BINDINGS,
    ROLES,
)
from towline_hub.clusters.cluster_remains import MANIFEST_WORKS
from towline_kube.client import Client
from towline_kube.errors import ApiError, Forbidden

OWN_CLUSTER = frozenset({"see itself"})
"""What a denied cluster keeps."""


async def opened_by(client: Client, spoke: Spoke) -> frozenset[str]:
    """Try everything that agents do, and return what was not forbidden."""
    cluster = spoke.cluster
    patch = {"metadata": {"annotations": {"example.com/tried": "yes"}}}

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "see itself": lambda: client.get(MANAGED_CLUSTERS, cluster),
        "see others": lambda: client.list(MANAGED_CLUSTERS),
        "report": lambda: client.patch(
            MANAGED_CLUSTERS, cluster, {"status": {}}, subresource="status"
        ),
        "change itself": lambda: client.replace(MANAGED_CLUSTERS, {"metadata": {"name": cluster}}),
        "see requests": lambda: client.list(CERTIFICATE_SIGNING_REQUESTS),
        "ask": lambda: client.create(
            CERTIFICATE_SIGNING_REQUESTS, csr_body("bad", b"no request", labels={})
        ),
        "see its lease": lambda: client.get(LEASES, names.CLUSTER_LEASE, namespace=cluster),
        "renew its lease": lambda: client.replace(
            LEASES, {"metadata": {"name": names.CLUSTER_LEASE, "namespace": cluster}}
        ),
        "see its addons": lambda: client.list(MANAGED_CLUSTER_ADDONS, namespace=cluster),
        "report on an addon": lambda: client.patch(
            MANAGED_CLUSTER_ADDONS, "none", patch, namespace=cluster, subresource="status"
        ),
        "see its works": lambda: client.list(MANIFEST_WORKS, namespace=cluster),
        "finish a work": lambda: client.patch(MANIFEST_WORKS, "none", patch, namespace=cluster),
        "tell an event": lambda: client.create(
            EVENTS, {"metadata": {"name": "bad", "namespace": cluster}}
        ),
        "see configuration": lambda: client.get(CONFIG_MAPS, "any", namespace=cluster),
    }
    opened = set()
    for what, call in calls.items():
        try:
            await call()
        except Forbidden:
            continue
        except ApiError:
            pass  # let in, and told that there is no such thing, or that it is malformed
        opened.add(what)
    return frozenset(opened)


async def rights_of(admin: Client, cluster: str) -> list[str]:
    """Return the RBAC objects of a cluster and its add-ons, in any namespace."""
    selector = f"{names.CLUSTER_NAME_LABEL}={cluster}"
    return [
        f"{resource.kind} {item['metadata']['name']}"
        for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
        for item in (await admin.list(resource, label_selector=selector)).items
    ]
