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
_STAMPED = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def generated_name(base: str, *, chance: random.Random) -> str:
    """Return a name that begins with `base` and that nobody has, most probably."""
    tail = "".join(chance.choices(_GENERATED_LETTERS, k=_GENERATED_LENGTH))
    return f"{base[:_LONGEST_BASE]}{tail}"


def stamp_new(obj: KubeObject, *, namespace: str | None, now: datetime) -> None:
    """Make an object one that has just come to be."""
    metadata = obj["metadata"]
    for key in _STAMPED:
        metadata.pop(key, None)
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = format_time(now)


def keep_stamps(obj: KubeObject, *, old: KubeObject) -> None:
    """Take over what an update cannot change, whatever it says."""
    metadata, before = obj["metadata"], old["metadata"]
    metadata.pop("selfLink", None)
    for key in ("generation", "creationTimestamp", "deletionTimestamp"):
        if key in before:
            metadata[key] = before[key]
        elif key != "deletionTimestamp":
            metadata.pop(key, None)
    metadata.setdefault("uid", before["uid"])
    if "deletionGracePeriodSeconds" in before:
        metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])


def count_generation(obj: KubeObject, *, old: KubeObject | None, kind: Kind) -> None:
    """Raise `generation` if what the kind counts has changed."""
    if not kind.traits.counts_generation:
        return
    metadata = obj["metadata"]
    if old is None:
        metadata["generation"] = 1
    elif _counted(obj) != _counted(old):
        metadata["generation"] = int(old["metadata"].get("generation", 0)) + 1


def _counted(obj: KubeObject) -> KubeObject:
    return {
        key: value
        for key, value in obj.items()
        if key not in ("apiVersion", "kind", "metadata", "status")
    }
