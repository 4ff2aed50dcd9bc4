"""Which part of an object each path of the API may change."""

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.verbs.copying import copy_of

_ALL = ("labels", "annotations", "finalizers", "ownerReferences")
_KEPT_BY_STATUS = {
    StorageKey("", "pods"): ("ownerReferences",),
    StorageKey("apps", "deployments"): ("labels",),
    StorageKey("admissionregistration.k8s.io", "validatingadmissionpolicies"): _ALL,
    StorageKey("flowcontrol.apiserver.k8s.io", "flowschemas"): _ALL,
    StorageKey("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): _ALL,
    StorageKey("networking.k8s.io", "servicecidrs"): _ALL,
    StorageKey("resource.k8s.io", "resourceclaims"): _ALL,
    StorageKey("storage.k8s.io", "volumeattachments"): _ALL,
}
"""Metadata that some status paths do not reach; most reach all of it."""
_POD_PARTS = {"ephemeralcontainers": "ephemeralContainers", "resize": "containers"}
_KEEP_STATUS_WHEN_NEW = frozenset({StorageKey("", "nodes")})


def outline_new(call: Call, obj: KubeObject) -> None:
    """Take from a new object what only the status path may write."""
    if call.kind.has_status and call.kind.storage_key not in _KEEP_STATUS_WHEN_NEW:
        obj.pop("status", None)


def outline(call: Call, new: KubeObject, *, old: KubeObject) -> KubeObject:
    """Return the new object with everything as it was that this path does not reach.

    Status paths of built-in kinds reach metadata, those of custom kinds nothing but the status and
    who owns it. The other subresources are told apart by what the kind's traits fill in.
    """
    if call.subresource == "scale":
        return new
    if call.subresource == "finalize":
        return _with(old, new, "spec", metadata=True)
    if call.subresource in _POD_PARTS:
        part = _POD_PARTS[call.subresource]
        return {**copy_of(old), "spec": _with(old["spec"], new["spec"], part, metadata=False)}
    if call.subresource:
        kept = _KEPT_BY_STATUS.get(call.kind.storage_key, ())
        _keep(new["metadata"], kept, before=old["metadata"])
        return _with(old, new, "status", metadata=not call.kind.custom)
    if call.kind.has_status:
        if "status" in old:
            new["status"] = copy_of(old["status"])
        else:
            new.pop("status", None)
    return new


def _with(old: KubeObject, new: KubeObject, part: str, *, metadata: bool) -> KubeObject:
    merged = copy_of(old)
    if part in new:
        merged[part] = new[part]
    else:
        merged.pop(part, None)
    if metadata:
        merged["metadata"] = new["metadata"]
    elif "managedFields" in new.get("metadata", ()):
        merged["metadata"]["managedFields"] = new["metadata"]["managedFields"]
    return merged


def _keep(metadata: KubeObject, keys: tuple[str, ...], *, before: KubeObject) -> None:
    for key in keys:
        metadata.pop(key, None)
        if key in before:
            metadata[key] = copy_of(before[key])
