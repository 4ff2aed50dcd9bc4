"""ManifestWorks on a hub: the kind as far as it matters here, and some of them."""

from typing import Any

from integration.hub.spoke import eventually
from towline_api.names import MANIFEST_WORK_CLEANUP_FINALIZER
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_hub.clusters.cluster_remains import MANIFEST_WORKS
from towline_kube.client import Client
from towline_kube.errors import ApiError


async def serve_works(admin: Client) -> None:
    """Have the hub cluster serve ManifestWorks."""
    await admin.apply(
        CUSTOM_RESOURCE_DEFINITIONS,
        {
            "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
            "kind": CUSTOM_RESOURCE_DEFINITIONS.kind,
            "metadata": {"name": f"{MANIFEST_WORKS.plural}.{MANIFEST_WORKS.group}"},
            "spec": {
                "group": MANIFEST_WORKS.group,
                "scope": "Namespaced",
                "names": {
                    "kind": MANIFEST_WORKS.kind,
                    "listKind": f"{MANIFEST_WORKS.kind}List",
                    "plural": MANIFEST_WORKS.plural,
                    "singular": "manifestwork",
                },
                "versions": [
                    {
                        "name": MANIFEST_WORKS.version,
                        "served": True,
                        "storage": True,
                        "subresources": {"status": {}},
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            }
                        },
                    }
                ],
            },
        },
    )

    async def served() -> bool | None:
        try:
            await admin.list(MANIFEST_WORKS, namespace="default")
        except ApiError:
            return None
        return True

    await eventually(served, what="the API of ManifestWorks")


async def add_work(
    admin: Client, name: str, *, namespace: str, held: bool = True, **metadata: Any
) -> KubeObject:
    """Create a ManifestWork that its agent has to clean up after, as OCM's agent holds it."""
    return await admin.create(
        MANIFEST_WORKS,
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "finalizers": [MANIFEST_WORK_CLEANUP_FINALIZER] if held else [],
                **metadata,
            },
            "spec": {"workload": {"manifests": []}},
        },
    )
