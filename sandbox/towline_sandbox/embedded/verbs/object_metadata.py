"""What the server itself writes into `metadata`."""

import random
import uuid
from datetime import datetime

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_sandbox.embedded.model.kinds import Kind

_GENERATED_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_LENGTH = 5
_LONGEST_BASE = 63 - _GENERATED_LENGTH
_METADATA_ORDER = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
_TYPE = frozenset({"apiVersion", "kind"})
_FIRST = _TYPE | {"metadata"}
_NEVER_COUNTED = frozenset({"apiVersion", "kind", "metadata"})
_NOT_COUNTED = _NEVER_COUNTED | {"status"}
_STAMPED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)


def generated_name(base: str, *, chance: random.Random) -> str:
    """Return a name that begins with `base` and that nobody has, most probably."""
    tail = "".join(chance.choices(_GENERATED_LETTERS, k=_GENERATED_LENGTH))
    return f"{base[:_LONGEST_BASE]}{tail}"


def in_order(obj: KubeObject, *, kind: Kind) -> KubeObject:
    """Return an object with its fields in the order that Kubernetes writes them.

    There is room for its resource version, should it have none yet.
    """
    metadata = {"resourceVersion": "", **obj["metadata"]}
    if kind.custom:
        rest = {key: obj[key] for key in sorted(obj) if key not in _TYPE}
        ordered = {key: metadata[key] for key in sorted(metadata)}
        return {**{key: obj[key] for key in sorted(_TYPE)}, **rest, "metadata": ordered}
    ordered = {key: metadata[key] for key in _METADATA_ORDER if key in metadata}
    return {
        "kind": obj["kind"],
        "apiVersion": obj["apiVersion"],
        "metadata": ordered,
        **{key: value for key, value in obj.items() if key not in _FIRST},
    }


def drop_stamps(metadata: KubeObject) -> None:
    """Forget what a new object says about a life it cannot have had yet."""
    for key in _STAMPED:
        metadata.pop(key, None)


def stamp_new(metadata: KubeObject, *, now: datetime) -> None:
    """Make an object one that has just come to be."""
    drop_stamps(metadata)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = format_time(now)


def keep_stamps(metadata: KubeObject, *, before: KubeObject) -> None:
    """Take over what an update cannot change, whatever it says."""
    metadata.pop("selfLink", None)
    for key in ("generation", "creationTimestamp", "deletionTimestamp"):
        if key in before:
            metadata[key] = before[key]
        elif key != "deletionTimestamp":
            metadata.pop(key, None)
    if not metadata.get("uid"):
        metadata["uid"] = before["uid"]
    if "deletionGracePeriodSeconds" in before:
        metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])


def count_generation(obj: KubeObject, *, old: KubeObject | None, kind: Kind) -> None:
    """Raise `generation` if what the kind counts has changed."""
    if not kind.traits.counts_generation:
        return
    metadata = obj["metadata"]
    if old is None:
        metadata["generation"] = 1
        return
    # A custom kind whose status has no path of its own counts it like everything else.
    apart = _NEVER_COUNTED if kind.custom and not kind.has_status else _NOT_COUNTED
    if _without(obj, apart) != _without(old, apart):
        metadata["generation"] = int(old["metadata"].get("generation", 0)) + 1


def is_finished(new: KubeObject, old: KubeObject) -> bool:
    """Return whether the last that held a deleted object is gone."""
    before = old["metadata"]
    return (
        "deletionTimestamp" in before
        and not before.get("deletionGracePeriodSeconds")
        and not new["metadata"].get("finalizers")
        and not _content_finalizers(new)
    )


def _content_finalizers(obj: KubeObject) -> object:
    # Namespaces have a list of their own for what is in them.
    return obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers")


def _without(obj: KubeObject, keys: frozenset[str]) -> KubeObject:
    return {key: value for key, value in obj.items() if key not in keys}
