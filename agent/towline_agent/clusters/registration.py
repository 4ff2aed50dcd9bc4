"""What a cluster says of itself when it first comes to a hub: its ManagedCluster. Pure."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from towline_api.errors import ConfigError
from towline_api.metadata import annotations_of
from towline_api.names import AGENT_ANNOTATION_PREFIX
from towline_api.resources import MANAGED_CLUSTERS, KubeObject

_CONFIGS = "managedClusterClientConfigs"


def agent_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations an agent may put on its cluster.

    Raises:
        ConfigError: A key does not begin with the prefix reserved for them.
    """
    for key in annotations:
        if not key.startswith(AGENT_ANNOTATION_PREFIX):
            raise ConfigError(
                f"settings cluster_annotations: {key!r} must begin with {AGENT_ANNOTATION_PREFIX!r}"
            )
    return dict(annotations)


def client_configs(urls: Sequence[str], *, ca_pem: bytes | None) -> list[dict[str, Any]]:
    """Return how the hub may reach the managed cluster's API server.

    Args:
        urls: Addresses that work from the hub; most clusters have none.
        ca_pem: Who signs the API server's certificate.

    Raises:
        ConfigError: An address is not an https URL.
    """
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise ConfigError(
                f"settings spoke_external_server_urls: {url!r} is not an https URL of the managed "
                "cluster's API server"
            )
    bundle = {} if ca_pem is None else {"caBundle": base64.b64encode(ca_pem).decode("ascii")}
    return [{"url": url, **bundle} for url in urls]


def new_cluster(
    name: str, *, annotations: Mapping[str, str], configs: Sequence[Mapping[str, Any]]
) -> KubeObject:
    """Return the ManagedCluster to create: not accepted, and with no labels (the hub's job)."""
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = dict(annotations)
    spec: dict[str, Any] = {"hubAcceptsClient": False}
    if configs:
        spec[_CONFIGS] = [dict(config) for config in configs]
    return {
        "apiVersion": MANAGED_CLUSTERS.api_version,
        "kind": MANAGED_CLUSTERS.kind,
        "metadata": metadata,
        "spec": spec,
    }


def updated_cluster(
    live: KubeObject, *, annotations: Mapping[str, str], configs: Sequence[Mapping[str, Any]]
) -> KubeObject | None:
    """Return the ManagedCluster with our part brought up to date, or None if it is already.

    Entries for other addresses are others' and stay, as do all other fields.
    """
    spec = dict(live.get("spec") or {})
    present: list[dict[str, Any]] = list(spec.get(_CONFIGS) or [])
    ours = {config["url"]: dict(config) for config in configs}
    merged = [ours.pop(entry.get("url"), entry) for entry in present] + list(ours.values())
    merged_annotations = {**annotations_of(live), **annotations}
    if merged == present and merged_annotations == dict(annotations_of(live)):
        return None
    if merged:
        spec[_CONFIGS] = merged
    metadata = dict(live["metadata"])
    if merged_annotations:
        metadata["annotations"] = merged_annotations
    return {**live, "metadata": metadata, "spec": spec}
