"""Objects without anything but their metadata, for callers who want no more."""

from collections.abc import Iterable

from towline_api.resources import KubeObject

API_VERSION = "meta.k8s.io/v1"


def partial_metadata(obj: KubeObject) -> KubeObject:
    """Return the metadata of an object as an object of its own."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": API_VERSION,
        "metadata": obj["metadata"],
    }


def partial_metadata_list(
    objects: Iterable[KubeObject], *, list_metadata: KubeObject
) -> KubeObject:
    """Return the metadata of a list's objects.

    Args:
        objects: The objects.
        list_metadata: `metadata` of the List they come from.
    """
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": API_VERSION,
        "metadata": list_metadata,
        "items": [partial_metadata(obj) for obj in objects],
    }
