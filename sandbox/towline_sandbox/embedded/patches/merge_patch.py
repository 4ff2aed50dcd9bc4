"""JSON merge patch (RFC 7386)."""

from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import bad_request
from towline_sandbox.embedded.patches.reading import cannot_read, parse_json
from towline_sandbox.embedded.patches.values import private


def apply(current: KubeObject, patch: bytes) -> KubeObject:
    """Return the object with the patch laid over it.

    Raises:
        ApiFailure: The patch is not an object.
    """
    wanted = parse_json(patch)
    if wanted is None:
        raise bad_request("Invalid JSON Patch")
    if not isinstance(wanted, dict):
        raise bad_request(f"error decoding patch: {cannot_read(wanted)}")
    return _merged(private(current), wanted)


def _merged(target: KubeObject, patch: KubeObject) -> KubeObject:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            target[key] = _merged(target[key], value)
        else:
            target[key] = _without_nulls(value)
    return target


def _without_nulls(value: Any) -> Any:
    """Return a value that is new to the object: `null` inside it has nothing to remove."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        # Kubernetes goes further than the RFC and looks into lists, but keeps their own nulls.
        return [None if item is None else _without_nulls(item) for item in value]
    return value
