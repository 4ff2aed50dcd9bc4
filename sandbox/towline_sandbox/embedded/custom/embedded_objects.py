"""Whole Kubernetes objects inside custom ones (`x-kubernetes-embedded-resource`)."""

import re
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.model.wording import invalid_value

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_NOT_A_KIND = (
    "may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case "
    "alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def bad_types(value: Any, *, schema: Schema, path: str = "") -> Iterator[Cause]:
    """Name every embedded object whose `apiVersion` or `kind` cannot be one."""
    if not _embeds_any(schema):
        return
    match value:
        case dict():
            if schema.embeds_resource and path:
                yield from _of_object(value, path)
            for name, part in value.items():
                child = schema.child(name)
                if child is not None:
                    below = f"{path}.{name}" if path else name
                    yield from bad_types(part, schema=child, path=below)
        case list() if schema.items is not None:
            for index, item in enumerate(value):
                yield from bad_types(item, schema=schema.items, path=f"{path}[{index}]")


def _of_object(value: dict[str, Any], path: str) -> Iterator[Cause]:
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if isinstance(api_version, str) and api_version.count("/") > 1:
        told = f"unexpected GroupVersion string: {api_version}"
        yield invalid_value(f"{path}.apiVersion", api_version, told)
    if isinstance(kind, str) and kind and _LABEL.fullmatch(kind.lower()) is None:
        yield invalid_value(f"{path}.kind", kind, _NOT_A_KIND)


_known: WeakKeyDictionary[Schema, bool] = WeakKeyDictionary()


def _embeds_any(schema: Schema) -> bool:
    found = _known.get(schema)
    if found is None:
        below = (*schema.properties.values(), schema.additional, schema.items)
        found = schema.embeds_resource or any(
            _embeds_any(child) for child in below if child is not None
        )
        _known[schema] = found
    return found
