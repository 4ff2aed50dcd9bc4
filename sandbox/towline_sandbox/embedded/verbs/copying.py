"""Private copies of objects, for those who change them."""

from typing import TypeVar

_T = TypeVar("_T")


def copy_of(value: _T) -> _T:
    """Return a value of plain JSON that shares nothing with the given one.

    Several times faster than `copy.deepcopy`, which has to expect anything.
    """
    if isinstance(value, dict):
        return {key: copy_of(item) for key, item in value.items()}  # type: ignore[return-value]
    if isinstance(value, list):
        return [copy_of(item) for item in value]  # type: ignore[return-value]
    return value
