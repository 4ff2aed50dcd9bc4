"""Who runs on a plane, and what an administrator grants them before they start."""

from collections.abc import Sequence

from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)
from towline_kube.client import Client

HUB_USER = "towline:hub"
AGENT_USER = "towline:agent"

_RBAC = {
    resource.kind: resource
    for resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}


async def grant(client: Client, permissions: Sequence[KubeObject]) -> None:
    """Apply RBAC objects, in their order, and the namespaces they are for."""
    namespaces = {p["metadata"]["namespace"] for p in permissions if "namespace" in p["metadata"]}
    for namespace in sorted(namespaces):
        await client.apply(NAMESPACES, new_namespace(namespace))
    for permission in permissions:
        await client.apply(_RBAC[permission["kind"]], permission)


def new_namespace(name: str) -> KubeObject:
    """Return a namespace to apply."""
    return {"apiVersion": "v1", "kind": NAMESPACES.kind, "metadata": {"name": name}}
