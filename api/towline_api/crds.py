"""The CustomResourceDefinitions of the kinds, ready to be applied.

They are read from a file that `towline_api.crd_generation` makes of the models, so that a program
which installs them needs no models.
"""

import base64
import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_CLAIMS,
    CLUSTER_MANAGEMENT_ADDONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)

CRDS_FILE = "crds.json"
"""Name of the file in this package."""

HUB_KINDS: tuple[Resource, ...] = (
    MANAGED_CLUSTERS,
    CLUSTER_MANAGEMENT_ADDONS,
    MANAGED_CLUSTER_ADDONS,
    ADDON_DEPLOYMENT_CONFIGS,
)
"""What lives on the hub."""
SPOKE_KINDS: tuple[Resource, ...] = (CLUSTER_CLAIMS,)
"""What lives on managed clusters."""
CONVERTED_KINDS: tuple[Resource, ...] = (CLUSTER_MANAGEMENT_ADDONS, MANAGED_CLUSTER_ADDONS)
"""Kinds whose versions differ, so that an API server needs a webhook to serve both. Those of
AddOnDeploymentConfig are the same but for their name."""


def crds(
    kinds: Iterable[Resource] = HUB_KINDS + SPOKE_KINDS, *, conversion: KubeObject | None = None
) -> list[KubeObject]:
    """Return the CustomResourceDefinition of each kind.

    Args:
        kinds: Which kinds.
        conversion: How their versions are converted where these differ: `url_conversion(...)` or
            `service_conversion(...)`. Without it such kinds are served in the stored version only,
            since a version that nobody converts breaks more than it gives: even deleting a
            namespace lists its objects in the version that the API server prefers.
    """
    generated = {
        definition["metadata"]["name"]: definition for definition in json.loads(_generated())
    }
    wanted = []
    for kind in kinds:
        definition = generated[kind.qualified]
        if kind in CONVERTED_KINDS:
            spec = definition["spec"]
            if conversion is None:
                spec["versions"] = [item for item in spec["versions"] if item["storage"]]
            else:
                spec["conversion"] = json.loads(json.dumps(conversion))
        wanted.append(definition)
    return wanted


def url_conversion(url: str, *, ca_pem: bytes) -> KubeObject:
    """Return the `spec.conversion` of a definition whose webhook is at a URL.

    Args:
        url: Where, with scheme `https` and path.
        ca_pem: Authorities of its certificate.
    """
    return _webhook({"url": url}, ca_pem)


def service_conversion(
    name: str, *, namespace: str, path: str, port: int = 443, ca_pem: bytes | None = None
) -> KubeObject:
    """Return the `spec.conversion` of a definition whose webhook is behind a Service.

    Args:
        name: Name of the Service.
        namespace: Its namespace.
        path: Path of the webhook.
        port: Port of the Service.
        ca_pem: Authorities of its certificate; None leaves them to whoever knows them.
    """
    service = {"name": name, "namespace": namespace, "path": path, "port": port}
    return _webhook({"service": service}, ca_pem)


def _webhook(client_config: dict[str, Any], ca_pem: bytes | None) -> KubeObject:
    if ca_pem is not None:
        client_config["caBundle"] = base64.b64encode(ca_pem).decode()
    return {
        "strategy": "Webhook",
        "webhook": {"clientConfig": client_config, "conversionReviewVersions": ["v1"]},
    }


@cache
def _generated() -> bytes:
    return files("towline_api").joinpath(CRDS_FILE).read_bytes()
