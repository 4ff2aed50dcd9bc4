"""JSON values: private copies, and equality that tells `true` from `1`."""

from typing import Any


def private(value: Any) -> Any:
    """Return a copy that shares no object or list with `value`."""
    if isinstance(value, dict):
        return {key: private(item) for key, item in value.items()}
    if isinstance(value, list):
        return [private(item) for item in value]
    return value


def is_same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal; Python itself takes `True` for `1`."""
    if left != right:
        return False
    return _same_booleans(left, right)


def _same_booleans(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return all(_same_booleans(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return all(map(_same_booleans, left, right))
    return isinstance(left, bool) is isinstance(right, bool)
