"""The fields that a value has, and values without some of their fields."""

from typing import Any

from towline_sandbox.embedded.patches.comparison import Form, form_of
from towline_sandbox.embedded.patches.field_sets import (
    ITSELF,
    MEMBER,
    NOTHING,
    FieldSet,
    field_step,
    in_order,
    is_member,
)
from towline_sandbox.embedded.patches.shapes import ListShape, MapShape, NoStep, Shape


def fields_of(value: Any, *, shape: Shape) -> FieldSet:
    """Return all fields that a value has."""
    return _fields(value, shape) or NOTHING


def named(fields: FieldSet, *, shape: Shape) -> FieldSet:
    """Return a set with the declared fields that lead to its members made members themselves.

    So an object is removed together with the last of its fields; a map, which has no declared
    fields, is not.
    """
    found = {}
    for step, node in fields.items():
        if node and step != ITSELF:
            below = _below(step, shape)
            rest = node if below is None else named(node, shape=below)
            declared = shape.map is not None and step[2:] in shape.map.fields
            if declared and step.startswith("f:") and not is_member(node):
                rest = {ITSELF: MEMBER, **rest}
            found[step] = rest
        else:
            found[step] = node
    return found


def without(value: Any, fields: FieldSet, *, shape: Shape) -> Any:
    """Return a value without these fields. What of it nothing is left of becomes `null`."""
    match form_of(value, shape):
        case Form.MAP if shape.map is not None:
            return _map_without(value, fields, shape.map)
        case Form.LIST if shape.list is not None:
            return _list_without(value, fields, shape.list)
        case _:
            return value


def _fields(value: Any, shape: Shape) -> FieldSet | None:
    """Return the fields of a value as a node; None if it is nobody's, like an empty map."""
    match form_of(value, shape):
        case Form.MAP if shape.map is not None:
            return _map_fields(value, shape.map)
        case Form.LIST if shape.list is not None:
            return _list_fields(value, shape.list)
        case _:
            return MEMBER


def _map_fields(value: Any, shape: MapShape) -> FieldSet | None:
    if shape.atomic:
        return MEMBER
    found: FieldSet = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        node = _fields(item, shape.below(name))
        if item is None or item == {} or name not in shape.fields:
            node = _itself_and(node)
        if node is not None:
            found[field_step(name)] = node
    return in_order(found) or None


def _list_fields(value: Any, shape: ListShape) -> FieldSet | None:
    if shape.atomic:
        return MEMBER
    found: FieldSet = {}
    for item in value if isinstance(value, list) else ():
        try:
            step = shape.step(item)
        except NoStep:
            continue
        # Items that are there twice are owned together, as one field.
        found[step] = MEMBER if step in found else _itself_and(_fields(item, shape.items))
    return in_order(found) or None


def _itself_and(node: FieldSet | None) -> FieldSet:
    if not node:
        return MEMBER
    return node if ITSELF in node else {ITSELF: MEMBER, **node}


def _map_without(value: Any, fields: FieldSet, shape: MapShape) -> Any:
    if not value or shape.atomic:
        return None
    kept = {}
    for name, item in value.items():
        node = fields.get(field_step(name))
        if node is None:
            kept[name] = item
        elif not is_member(node):
            kept[name] = without(item, node, shape=shape.below(name))
    return kept or None


def _list_without(value: Any, fields: FieldSet, shape: ListShape) -> Any:
    if not value or shape.atomic:
        return None
    kept = []
    for item in value:
        try:
            node = fields.get(shape.step(item))
        except NoStep:
            node = None
        if node is None:
            kept.append(item)
        elif not is_member(node):
            kept.append(without(item, node, shape=shape.items))
    return kept or None


def _below(step: str, shape: Shape) -> Shape | None:
    if step.startswith("f:"):
        return None if shape.map is None else shape.map.below(step[2:])
    return None if shape.list is None else shape.list.items
