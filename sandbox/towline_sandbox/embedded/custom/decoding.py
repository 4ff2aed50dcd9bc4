"""Custom objects as they come in: unknown fields out, defaults in.

The real server does this in passes (metadata, pruning, nulls, defaults); one walk over the object
along its schema gives the same, and leaves what came in as it was.
"""

from copy import deepcopy
from typing import Any
from weakref import WeakKeyDictionary

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.object_metadata import (
    WrongType,
    read_object_metadata,
    refuse_wrong_type,
)
from towline_sandbox.embedded.model.calls import FieldValidation
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.model.wording import as_json, keys_in_order

_LARGEST_WRITTEN_OUT = 1e21
"""From here on numbers are written with an exponent, as in JavaScript."""
_BEYOND_INTEGERS = 2**63
"""From here on the real server reads a number as a floating-point one."""


def decode(
    body: KubeObject,
    *,
    kind: Kind,
    field_validation: FieldValidation,
    warnings: list[str],
    keeps_nulls: bool = False,
) -> KubeObject:
    """Return a custom object as it is taken in: a copy, pruned and with its defaults.

    Args:
        body: What the caller sent, with its patch applied if it sent one.
        kind: What it is to be.
        field_validation: Whether unknown fields are dropped in silence, with a warning, or refused.
        warnings: Grows by the warnings.
        keeps_nulls: Whether a null that stands for nothing stays, for validation to complain of.

    Raises:
        ApiFailure: Metadata has a wrong type, or there are unknown fields and that is refused.
    """
    resource = kind.resource
    walk = _Walk(keeps_nulls=keeps_nulls)
    try:
        found = walk.resource(body, kind.schema, "")
    except WrongType as complaint:
        raise refuse_wrong_type(resource.kind, resource.version, str(complaint)) from None
    unknown = walk.unknown_in_order()
    if unknown and field_validation is FieldValidation.STRICT:
        told = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise refuse_wrong_type(resource.kind, resource.version, f"strict decoding error: {told}")
    if field_validation is FieldValidation.WARN:
        warnings += [f'unknown field "{path}"' for path in unknown]
    return found


def with_defaults(value: Any, *, schema: Schema) -> Any:
    """Return a copy of `value`, pruned and with the defaults of its schema."""
    return _Walk().value(value, schema, "")


def defaulted(obj: KubeObject, *, schema: Schema) -> KubeObject:
    """Return a copy of a whole object, pruned and with the defaults of its schema."""
    rest = {key: part for key, part in obj.items() if key not in _OF_EVERY_OBJECT}
    found: KubeObject = {key: obj[key] for key in obj if key in _OF_EVERY_OBJECT}
    return {**found, **with_defaults(rest, schema=schema)}


def pruned(obj: KubeObject, *, schema: Schema) -> KubeObject:
    """Return a copy of a stored object without the fields that a schema does not have."""
    rest = {key: part for key, part in obj.items() if key not in _OF_EVERY_OBJECT}
    found: KubeObject = {key: obj[key] for key in obj if key in _OF_EVERY_OBJECT}
    kept: KubeObject = _Walk(sets_defaults=False).value(rest, schema, "")
    return {**found, **kept}


class _Walk:
    """One walk over an object; remembers the fields it left out."""

    def __init__(self, *, sets_defaults: bool = True, keeps_nulls: bool = False) -> None:
        self._sets_defaults = sets_defaults
        self._keeps_nulls = keeps_nulls
        self._unknown: list[str] = []
        self._unknown_metadata: list[str] = []

    def unknown_in_order(self) -> list[str]:
        return [*self._unknown_metadata, *sorted(self._unknown)]

    def resource(self, value: KubeObject, schema: Schema, path: str) -> KubeObject:
        """Return a whole object: its type and metadata are Kubernetes', the rest the schema's."""
        found: KubeObject = {}
        for name in ("apiVersion", "kind"):
            if name in value:
                if not isinstance(value[name], str):
                    told = as_json(keys_in_order(value[name]))
                    raise WrongType(f"{_join(path, name)}: Invalid value: {told}: must be a string")
                found[name] = value[name]
        if "metadata" in value:
            found["metadata"] = self._metadata(value["metadata"], _join(path, "metadata"))
        rest = {key: part for key, part in value.items() if key not in _OF_EVERY_OBJECT}
        found.update(self._object(rest, schema, path, is_resource=True))
        return found

    def value(self, value: Any, schema: Schema, path: str) -> Any:
        match value:
            case dict():
                if schema.embeds_resource:
                    return self.resource(value, schema, path)
                return self._object(value, schema, path, is_resource=False)
            case list():
                items = schema.items
                if items is None:
                    keeps = schema.preserves_unknown
                    items = _KEEP_ALL if keeps else _KEEP_NOTHING
                return [
                    self.value(part, items, f"{path}[{index}]") for index, part in enumerate(value)
                ]
            case float() if value.is_integer() and abs(value) < _LARGEST_WRITTEN_OUT:
                return int(value)
            case int() if not -_BEYOND_INTEGERS <= value < _BEYOND_INTEGERS:
                return float(value)
            case _:
                return value

    def _metadata(self, value: Any, path: str) -> KubeObject:
        is_root = path == "metadata"
        dropped = self._unknown_metadata if is_root else self._unknown
        try:
            return read_object_metadata(value, unknown=dropped, path=path)
        except WrongType as complaint:
            if is_root:
                raise
            raise WrongType(
                f"{path}: Invalid value: {as_json(keys_in_order(value))}: {complaint}"
            ) from None

    def _object(
        self, value: KubeObject, schema: Schema, path: str, *, is_resource: bool
    ) -> KubeObject:
        found: KubeObject = {}
        properties = schema.properties
        additional = schema.additional
        for name, part in value.items():
            child = properties.get(name) or additional
            if child is None:
                if schema.preserves_unknown:
                    found[name] = deepcopy(part)
                else:
                    self._unknown.append(_join(path, name))
            elif part is not None or child.node.get("nullable") or self._keeps(child):
                found[name] = self.value(part, child, _join(path, name))
            # Else null stands for "not set" where the schema does not allow it: defaults apply.
        for name, default in _defaults(schema) if self._sets_defaults else ():
            if name not in found and not (is_resource and name in _OF_EVERY_OBJECT):
                found[name] = self.value(default, properties[name], _join(path, name))
        return found

    def _keeps(self, schema: Schema) -> bool:
        return self._keeps_nulls and "default" not in schema.node


_OF_EVERY_OBJECT = frozenset({"apiVersion", "kind", "metadata"})
_KEEP_ALL = Schema({"x-kubernetes-preserve-unknown-fields": True})
_KEEP_NOTHING = Schema({})
_defaults_by_schema: WeakKeyDictionary[Schema, tuple[tuple[str, Any], ...]] = WeakKeyDictionary()


def _defaults(schema: Schema) -> tuple[tuple[str, Any], ...]:
    """Return the fields of an object that have a default, with it."""
    found = _defaults_by_schema.get(schema)
    if found is None:
        found = tuple(
            (name, child.node["default"])
            for name, child in schema.properties.items()
            if "default" in child.node
        )
        _defaults_by_schema[schema] = found
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
