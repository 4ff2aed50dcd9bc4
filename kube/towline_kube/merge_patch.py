"""JSON merge patches (RFC 7386): the difference between two objects, and whether there is one."""

from collections.abc import Mapping
from typing import Any


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the smallest merge patch that turns `old` into `new`; empty if nothing differs.

    A field of `new` that is None counts as absent: in a merge patch null means "remove", and API
    servers drop nulls anyway. Lists are replaced whole, as the RFC has it.
    """
    patch: dict[str, Any] = {key: None for key in old if new.get(key) is None}
    for key, wanted in new.items():
        if wanted is None:
            continue
        present = old.get(key)
        if isinstance(wanted, Mapping) and isinstance(present, Mapping):
            if difference := merge_patch(present, wanted):
                patch[key] = difference
        elif isinstance(wanted, Mapping):
            # Nulls inside a new object would survive where there is nothing to merge them with.
            patch[key] = merge_patch({}, wanted)
        elif not _same(present, wanted):
            patch[key] = wanted
    return patch


def is_applied(desired: object, live: object) -> bool:
    """Return whether everything in `desired` stands in `live`, whatever else `live` holds.

    What a server fills in by itself (defaults, status, managed fields) is so passed over, at every
    depth. Lists must be of one length and match item by item: an extra item is a difference. A
    desired None means the field must not be there.
    """
    match desired, live:
        case dict(), dict():
            return all(
                live.get(key) is None if value is None else is_applied(value, live.get(key))
                for key, value in desired.items()
            )
        case list(), list():
            return len(desired) == len(live) and all(map(is_applied, desired, live))
        case _:
            return _same(desired, live)


def _same(one: object, other: object) -> bool:
    """Return JSON equality, in which true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other
