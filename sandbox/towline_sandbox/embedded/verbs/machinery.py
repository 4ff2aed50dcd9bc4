"""What writing needs of other parts: decoding, patching, keeping track of who owns which field."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from towline_api.resources import KubeObject


def _decode(body: KubeObject, **_how: Any) -> KubeObject:
    return body


def _apply_patch(current: KubeObject, patch: bytes, **_how: Any) -> KubeObject:
    def merged(old: Any, new: Any) -> Any:
        if not isinstance(new, dict):
            return new
        base = old if isinstance(old, dict) else {}
        kept = {key: value for key, value in base.items() if key not in new}
        kept.update({k: merged(base.get(k), v) for k, v in new.items() if v is not None})
        return kept

    result: KubeObject = merged(current, orjson.loads(patch))
    return result


def _track_update(_old: KubeObject | None, new: KubeObject, **_how: Any) -> KubeObject:
    return new


def _apply(_live: KubeObject | None, applied: KubeObject, **_how: Any) -> KubeObject:
    return applied


@dataclass(frozen=True, slots=True)
class Machinery:
    """Stand-ins until the parts are there."""

    decode: Callable[..., KubeObject] = _decode
    apply_patch: Callable[..., KubeObject] = _apply_patch
    track_update: Callable[..., KubeObject] = _track_update
    apply: Callable[..., KubeObject] = _apply
