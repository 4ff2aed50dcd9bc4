"""How `kubectl apply --server-side` takes over objects that `kubectl apply` made.

Client-side apply keeps what it last applied in an annotation. What stands there and is still so,
kubectl may take without force; and it keeps the annotation true for those who go back.
"""

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches.comparison import compare
from towline_sandbox.embedded.patches.conflicts import Conflict
from towline_sandbox.embedded.patches.field_sets import FieldSet, difference, intersection, of_paths
from towline_sandbox.embedded.patches.go_words import json_text
from towline_sandbox.embedded.patches.removal import fields_of
from towline_sandbox.embedded.patches.shapes import shape_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KUBECTL = "kubectl"
_ROOM_FOR_ANNOTATIONS = 256 * 1024


def still_conflicting(
    conflicts: list[Conflict], *, live: KubeObject, kind: Kind, manager: str
) -> list[Conflict]:
    """Return the conflicts without those over what kubectl itself applied before."""
    if manager != _KUBECTL or not conflicts:
        return conflicts
    last = _last_applied(live)
    if last is None or last.get("apiVersion") != kind.resource.api_version:
        return conflicts
    mine = _unchanged(last, live, kind=kind)
    return [conflict for conflict in conflicts if not _holds(mine, conflict.path)]


def with_last_applied(result: KubeObject, *, applied: KubeObject, manager: str) -> KubeObject:
    """Return the object with the annotation, if it has one, as kubectl would now write it."""
    annotations = (result.get("metadata") or {}).get("annotations") or {}
    if manager != _KUBECTL or not annotations.get(LAST_APPLIED):
        return result
    metadata = dict(applied.get("metadata") or {})
    if metadata.get("annotations"):
        metadata["annotations"] = {
            key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED
        }
    text = json_text({**applied, "metadata": metadata})
    annotations = {**annotations, LAST_APPLIED: f"{text}\n"}
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ROOM_FOR_ANNOTATIONS:
        del annotations[LAST_APPLIED]
    return {**result, "metadata": {**result["metadata"], "annotations": annotations}}


def _last_applied(live: KubeObject) -> KubeObject | None:
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    try:
        found = orjson.loads(annotations.get(LAST_APPLIED) or "null")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _unchanged(last: KubeObject, live: KubeObject, *, kind: Kind) -> FieldSet:
    shape = shape_of(kind)
    changes = compare(last, live, shape=shape)
    fields = fields_of(last, shape=shape)
    return difference(difference(fields, changes.written), changes.removed)


def _holds(fields: FieldSet, path: tuple[str, ...]) -> bool:
    return bool(intersection(fields, of_paths([path])))
