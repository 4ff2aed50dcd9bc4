"""Lists whose items must differ: `x-kubernetes-list-type` `set` and `map`."""

from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import ListType, Schema
from towline_sandbox.embedded.model.wording import as_json, duplicate, invalid_value, keys_in_order


def duplicates(value: Any, *, schema: Schema, path: str = "") -> Iterator[Cause]:
    """Name every item that is in its list more than once."""
    if not _has_such_lists(schema):
        return
    match value:
        case dict():
            for name, part in value.items():
                child = schema.child(name)
                if child is not None:
                    yield from duplicates(
                        part, schema=child, path=f"{path}.{name}" if path else name
                    )
        case list():
            yield from _in_list(value, schema, path)
            if schema.items is not None:
                for index, item in enumerate(value):
                    yield from duplicates(item, schema=schema.items, path=f"{path}[{index}]")


def _in_list(value: Sequence[Any], schema: Schema, path: str) -> Iterator[Cause]:
    match schema.list_type:
        case ListType.SET:
            yield from _repeated(list(value), path)
        case ListType.MAP:
            keys: list[Any] = []
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    keys.append({key: item[key] for key in schema.list_map_keys if key in item})
                else:
                    told = "must be an object for an array of list-type map"
                    yield invalid_value(f"{path}[{index}]", keys_in_order(item), told)
            yield from _repeated(keys, path)
        case ListType.ATOMIC:
            pass


def _repeated(items: Sequence[Any], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    told: set[str] = set()
    for index, item in enumerate(items):
        text = as_json(keys_in_order(item))
        if text in seen and text not in told:
            told.add(text)
            yield duplicate(f"{path}[{index}]", keys_in_order(item))
        seen.add(text)


_known: WeakKeyDictionary[Schema, bool] = WeakKeyDictionary()


def _has_such_lists(schema: Schema) -> bool:
    """Return whether there is anything to look for; most of an object is skipped."""
    found = _known.get(schema)
    if found is None:
        below = (*schema.properties.values(), schema.additional, schema.items)
        found = schema.list_type is not ListType.ATOMIC or any(
            _has_such_lists(child) for child in below if child is not None
        )
        _known[schema] = found
    return found
