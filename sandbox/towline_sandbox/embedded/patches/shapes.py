"""How the values of a kind are owned: what is one field, what is many, what tells items apart.

Derived from a kind's schema by the rules of Kubernetes' structured merge. Where a schema allows
anything, values are taken for what they look like: objects field by field, lists as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import Node, Schema
from towline_sandbox.embedded.patches.field_sets import key_step, value_step

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_METADATA_TEXTS = ("name", "namespace", "generateName", "selfLink", "uid", "resourceVersion")


class NoStep(Exception):  # noqa: N818  # a finding, told on by whoever validates
    """An item of a list cannot be told from the others; says why."""


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list.

    Args:
        atomic: Whether it is one field as a whole.
        keys: Fields that tell its items apart; empty if the items are scalars, as in a set.
        defaults: What a key is taken for where an item leaves it out.
        items: Shape of its items.
    """

    atomic: bool
    keys: tuple[str, ...]
    defaults: Mapping[str, Any]
    items: "Shape"

    def step(self, item: Any) -> str:
        """Return the step to an item.

        Raises:
            NoStep: The item has no keys, or is of a type that cannot be an item.
        """
        if not self.keys:
            if isinstance(item, dict):
                raise NoStep("associative list without keys has an element that's a map type")
            if isinstance(item, list):
                raise NoStep("not supported: associative list with lists as elements")
            if item is None:
                raise NoStep("associative list without keys has an element that's an explicit null")
            return value_step(item)
        if not isinstance(item, dict):
            what = "a null element" if item is None else "non-map elements"
            raise NoStep(f"associative list with keys may not have {what}")
        found = {key: item[key] for key in self.keys if key in item}
        if len(found) < len(self.keys):
            found = {**{k: v for k, v in self.defaults.items() if k not in found}, **found}
        if not found:
            names = " ".join(f'"{key}"' for key in self.keys)
            raise NoStep(
                f"associative list with keys has an element that omits all key fields [{names}] "
                "(and doesn't have default values for any key fields)"
            )
        return key_step(found)


@dataclass(frozen=True, slots=True)
class MapShape:
    """An object or a map.

    Args:
        atomic: Whether it is one field as a whole.
        fields: The fields it has by name.
        others: Shape of the values under all other names; None if there must not be any.
        always: Fields that are there even if nobody wrote them, and what they then are: structs
            and plain values of the Go types behind built-in kinds.
        nulls_count: Whether `null` is a value. In built-in kinds it is not: it is how a list or map
            that is empty shows.
    """

    atomic: bool
    fields: Mapping[str, "Shape"]
    others: "Shape | None"
    always: Mapping[str, Any]
    nulls_count: bool = True

    def below(self, name: str) -> "Shape":
        """Return the shape of a field; an undeclared one is taken for what it looks like."""
        return self.fields.get(name) or self.others or DEDUCED

    def contents(self, value: Any) -> dict[str, Any] | None:
        """Return what an object holds, with what is there always; None if it is none."""
        if not isinstance(value, dict):
            return None
        return {**self.always, **value} if self.always else value


class Shape:
    """What a value may be.

    Args:
        schema: Its schema.
        built_in: Whether it is of a built-in kind, which has a Go type behind it.
        open_below: Whether objects below keep fields that their schemas do not name.
        is_resource: Whether it is a custom object, whose metadata is like any other's whatever its
            schema says.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        built_in: bool,
        open_below: bool = False,
        is_resource: bool = False,
    ) -> None:
        self._schema = schema
        self._node = schema.node
        self._built_in = built_in
        self._is_resource = is_resource
        self._open = open_below or bool(self._node.get(_PRESERVE))

    @cached_property
    def scalar(self) -> str | None:
        """`numeric`, `string`, `boolean`, `untyped`; None if it cannot be a scalar."""
        match self._schema.type:
            case "object" | "array":
                return None
            case "string":
                plain = self._node.get("format", "") in ("", "byte")
                return "string" if plain and not self._schema.is_int_or_string else "untyped"
            case "boolean":
                return "boolean"
            case "":
                return "untyped"
            case _:
                return "numeric"

    @cached_property
    def list(self) -> ListShape | None:
        """How it is owned as a list; None if it cannot be one."""
        if self._schema.type not in ("", "array"):
            return None
        atomic, keys = _list_ownership(self._node)
        items = self._schema.items
        if items is None:
            return ListShape(atomic, keys, {}, ATOMIC)
        defaults = {
            key: items.properties[key].node["default"]
            for key in keys
            if key in items.properties and items.properties[key].node.get("default") is not None
        }
        return ListShape(atomic, keys, defaults, self._child(items))

    @cached_property
    def map(self) -> MapShape | None:
        """How it is owned as an object or a map; None if it cannot be one."""
        if self._schema.type not in ("", "object"):
            return None
        properties = self._schema.properties
        fields = {name: self._child(schema) for name, schema in properties.items()}
        if self._is_resource or self._schema.embeds_resource:
            fields.update(_resource_fields())
        always = _always_there(self._schema) if self._built_in else {}
        atomic = self._node.get("x-kubernetes-map-type") == "atomic"
        return MapShape(atomic, fields, self._others(), always, nulls_count=not self._built_in)

    @cached_property
    def is_typed(self) -> bool:
        """Whether there is nothing in it that may be a boolean now and a number later."""
        if self._built_in:
            return True  # what is of the wrong type is not decoded
        if self.map is not None and self.list is not None:
            return False
        if self.map is not None:
            below = [*self.map.fields.values(), *([self.map.others] if self.map.others else [])]
            return all(shape.is_typed for shape in below)
        return self.list is None or self.list.items.is_typed

    def _others(self) -> "Shape | None":
        if "additionalProperties" not in self._node:
            return DEDUCED if self._open or not self._schema.properties else None
        if self._node["additionalProperties"] is True:
            return DEDUCED
        additional = self._schema.additional
        return None if additional is None else self._child(additional)

    def _child(self, schema: Schema) -> "Shape":
        return Shape(schema, built_in=self._built_in, open_below=self._open)


class _Untyped(Shape):
    """Anything, taken for what it looks like."""

    def __init__(self, *, atomic: bool) -> None:
        super().__init__(Schema({}), built_in=False)
        self.__dict__["scalar"] = "untyped"
        self.__dict__["map"] = MapShape(atomic, {}, self, {})
        self.__dict__["list"] = ListShape(True, (), {}, self)


ATOMIC = _Untyped(atomic=True)
"""Anything, owned as a whole."""

DEDUCED = _Untyped(atomic=False)
"""Anything, objects owned field by field and lists as a whole."""


def shape_of(kind: Kind) -> Shape:
    """Return the shape of a kind's objects."""
    found = _SHAPES.get(kind.schema)
    if found is None:
        found = Shape(kind.schema, built_in=not kind.custom, is_resource=kind.custom)
        _SHAPES[kind.schema] = found
    return found


_SHAPES: WeakKeyDictionary[Schema, Shape] = WeakKeyDictionary()


def _list_ownership(node: Node) -> tuple[bool, tuple[str, ...]]:
    """Return whether a list is atomic, and the keys of its items."""
    match node.get("x-kubernetes-list-type"):
        case "map":
            return False, tuple(node.get("x-kubernetes-list-map-keys", ()))
        case "set":
            return False, ()
        case "atomic":
            return True, ()
    # Lists that a strategic merge patch merges are merged here too, unless they say otherwise.
    if "merge" in node.get("x-kubernetes-patch-strategy", "").split(","):
        key = node.get("x-kubernetes-patch-merge-key")
        return False, () if key is None else (key,)
    return True, ()


_LEFT_OUT = frozenset({"validationActions"})
"""Lists that Go leaves out when they are empty, although they are required."""


def _always_there(schema: Schema) -> dict[str, Any]:
    """Return the fields that a Go struct has before anybody sets them, as JSON shows them then.

    That is seen by their defaults in the schema (`{}` for a struct, zero for a scalar), and by
    lists and maps being required: theirs is `null`.
    """
    found: dict[str, Any] = {}
    for name, field in schema.properties.items():
        default = field.node.get("default")
        if default is None:
            if (
                name in schema.required
                and name not in _LEFT_OUT
                and field.type in ("array", "object")
            ):
                found[name] = None
        elif default == {} if field.type == "object" else default in ("", 0):
            found[name] = default
    return found


def _resource_fields() -> dict[str, Shape]:
    text: Node = {"type": "string"}
    texts: Node = {"type": "object", "additionalProperties": text}
    moment: Node = {"type": "string", "format": "date-time"}
    owner: Node = {
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            **dict.fromkeys(("apiVersion", "kind", "name", "uid"), text),
            "controller": {"type": "boolean"},
            "blockOwnerDeletion": {"type": "boolean"},
        },
    }
    metadata: Node = {
        "type": "object",
        "properties": {
            **dict.fromkeys(_METADATA_TEXTS, text),
            "generation": {"type": "integer"},
            "creationTimestamp": moment,
            "deletionTimestamp": moment,
            "deletionGracePeriodSeconds": {"type": "integer"},
            "labels": texts,
            "annotations": texts,
            "finalizers": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
            "ownerReferences": {
                "type": "array",
                "items": owner,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
            },
            "managedFields": {"type": "array", "items": {"type": "object"}},
        },
    }
    nodes = {"apiVersion": text, "kind": text, "metadata": metadata}
    return {name: Shape(Schema(node), built_in=False) for name, node in nodes.items()}
