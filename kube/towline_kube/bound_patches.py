"""Patches that only apply to the very object and version that was read."""

from collections.abc import Mapping, Sequence
from typing import Any

from towline_api.resources import KubeObject
from towline_kube.merge_patch import merge_patch


def status_patch(current: KubeObject, status: Mapping[str, Any]) -> KubeObject | None:
    """Return what brings the status of `current` to `status`; None if nothing is to do."""
    difference = merge_patch(current.get("status") or {}, status)
    return _bound(current, {"status": difference}) if difference else None


def metadata_patch(
    current: KubeObject,
    *,
    labels: Mapping[str, str | None] | None,
    annotations: Mapping[str, str | None] | None,
    finalizers: Sequence[str] | None,
) -> KubeObject | None:
    """Return what changes the metadata of `current` like this; None if nothing is to do.

    Args:
        current: The object as it was read.
        labels: Labels to set; None as value removes one; others stay.
        annotations: The same for annotations.
        finalizers: The whole wanted list; None leaves it alone.
    """
    old = current.get("metadata") or {}
    new = dict(old)
    for key, changes in (("labels", labels), ("annotations", annotations)):
        if changes is not None:
            new[key] = {**(old.get(key) or {}), **changes}
    if finalizers is not None and finalizers != (old.get("finalizers") or []):
        new["finalizers"] = [*finalizers]
    difference = merge_patch(old, new)
    if not any(difference.values()) and difference.get("finalizers") is None:
        return None
    return _bound(current, {"metadata": difference})


def _bound(current: KubeObject, patch: KubeObject) -> KubeObject:
    metadata = current["metadata"]
    bound = {
        **patch.get("metadata", {}),
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
    return {**patch, "metadata": bound}
