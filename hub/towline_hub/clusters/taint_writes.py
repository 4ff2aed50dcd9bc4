"""Writing taints on a hub where somebody else dates them.

OCM's admission webhook gives each new taint the time itself, and refuses an update that brings one
along. Where it is left in place, the cluster is written again without.
"""

from collections.abc import Mapping
from typing import Any

from towline_api.metadata import name_of
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_hub.clusters.selection_marks import taints_of
from towline_kube.client import Client
from towline_kube.errors import BadRequest, Forbidden, Invalid

_COMPLAINT = "TimeAdded"


async def patch_tainted(
    client: Client, cluster: KubeObject, patch: Mapping[str, Any]
) -> KubeObject:
    """Patch a ManagedCluster whose `spec.taints` may hold new taints; return the result.

    Args:
        client: Whom to ask.
        cluster: The ManagedCluster as it was read.
        patch: The merge patch, new taints with the time of now.

    Raises:
        Conflict: The cluster changed since it was read, and the patch is bound to that version.
    """
    try:
        return await client.patch(MANAGED_CLUSTERS, name_of(cluster), dict(patch))
    except (BadRequest, Forbidden, Invalid) as error:
        undated = without_new_times(patch, before=cluster)
        if undated == patch or _COMPLAINT not in str(error):
            raise
    return await client.patch(MANAGED_CLUSTERS, name_of(cluster), undated)


def without_new_times(patch: Mapping[str, Any], *, before: KubeObject) -> dict[str, Any]:
    """Return a patch of a ManagedCluster that leaves the time of new taints to the server."""
    spec = patch.get("spec") or {}
    if not spec.get("taints"):
        return dict(patch)
    known = [item.get("key") for item in taints_of(before)]
    taints = [
        item
        if item["key"] in known
        else {field: value for field, value in item.items() if field != "timeAdded"}
        for item in spec["taints"]
    ]
    return {**patch, "spec": {**spec, "taints": taints}}
