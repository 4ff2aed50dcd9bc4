"""Looking at the hub's kinds: their CRDs, every version of them, and the webhook in between."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_MANAGEMENT_ADDONS,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_hub.doctor.findings import Finding
from towline_hub.doctor.server_checks import ServedKind
from towline_hub.doctor.webhook_check import (
    ENDPOINT_SLICES,
    SERVICE_LABEL,
    webhook_checks,
    webhook_client,
    webhook_service,
)
from towline_hub.looking import Unseen, look
from towline_kube.addon_api import CODECS
from towline_kube.client import Client
from towline_kube.errors import ApiError, Forbidden

_ADDON_VERSIONS = tuple(codec.managed_cluster_addons.version for codec in CODECS)
_KINDS: Mapping[Resource, Sequence[str]] = {
    MANAGED_CLUSTERS: (MANAGED_CLUSTERS.version,),
    CLUSTER_MANAGEMENT_ADDONS: _ADDON_VERSIONS,
    MANAGED_CLUSTER_ADDONS: _ADDON_VERSIONS,
    ADDON_DEPLOYMENT_CONFIGS: _ADDON_VERSIONS,
}
"""The hub's kinds, with the versions it can speak."""


async def look_at_kinds(client: Client) -> list[ServedKind]:
    """Return the hub's kinds as they are served."""
    return [await _look_at(client, kind, spoken=spoken) for kind, spoken in _KINDS.items()]


async def look_at_webhook(
    client: Client, kinds: Sequence[ServedKind], *, now: datetime
) -> list[Finding]:
    """Return how the webhook was found that the CRD of ManagedClusterAddOns names."""
    crd = next(kind.crd for kind in kinds if kind.name == MANAGED_CLUSTER_ADDONS.qualified)
    if not isinstance(crd, dict):
        return []  # told of already
    config = webhook_client(crd)
    service = webhook_service(config)
    slices: Sequence[KubeObject] | Unseen = ()
    if service is not None:
        namespace, name = service
        selector = f"{SERVICE_LABEL}={name}"
        listed = await look(
            client.list(ENDPOINT_SLICES, namespace=namespace, label_selector=selector)
        )
        slices = listed if isinstance(listed, Unseen) else listed.items
    return webhook_checks(config, slices, now=now)


async def _look_at(client: Client, resource: Resource, *, spoken: Sequence[str]) -> ServedKind:
    crd = await look(client.find(CUSTOM_RESOURCE_DEFINITIONS, resource.qualified))
    problems: dict[str, str] = {}
    for version in _served_versions(crd):
        try:
            # One is enough to see whether it can be read, and converted.
            await client.request_text(f"/apis/{resource.group}/{version}/{resource.plural}?limit=1")
        except Forbidden:
            continue
        except ApiError as error:
            problems[version] = str(error)
    return ServedKind(resource.qualified, tuple(spoken), crd, problems)


def _served_versions(crd: KubeObject | Unseen | None) -> list[str]:
    if not isinstance(crd, dict):
        return []
    versions = (crd.get("spec") or {}).get("versions") or ()
    return [str(item.get("name")) for item in versions if item.get("served")]
