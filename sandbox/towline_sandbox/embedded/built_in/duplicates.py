"""Fields that a caller sent twice: JSON parsers keep the last and say nothing."""

import json
from collections.abc import Iterator
from typing import Any

from towline_sandbox.embedded.built_in.readings import Place


class _Pairs(list[tuple[str, Any]]):
    """An object as it was sent, with every field."""


def duplicate_fields(body: bytes) -> tuple[str, ...]:
    """Return the paths of fields that JSON text has more than once, in the order they stand in.

    Raises:
        ValueError: The text is no JSON.
    """
    if not _has_duplicates(body):
        return ()
    found = _paths(json.loads(body, object_pairs_hook=_Pairs), None)
    return tuple(dict.fromkeys(found))


def _has_duplicates(body: bytes) -> bool:
    surplus = 0

    def count(pairs: list[tuple[str, Any]]) -> None:
        nonlocal surplus
        surplus += len(pairs) - len({name for name, _ in pairs})

    json.loads(body, object_pairs_hook=count)
    return surplus > 0


def _paths(value: Any, place: Place | None) -> Iterator[str]:
    match value:
        case _Pairs():
            seen = set()
            for name, inner in value:
                here = Place(place, name)
                if name in seen:
                    yield str(here)
                seen.add(name)
                yield from _paths(inner, here)
        case list():
            for index, inner in enumerate(value):
                yield from _paths(inner, Place(place, index))
