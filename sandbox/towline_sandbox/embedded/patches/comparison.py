"""What a write changed: the fields that went, and those that came or changed."""

from enum import Enum, auto
from typing import Any, Final, NamedTuple, TypeAlias

from towline_sandbox.embedded.patches.field_sets import (
    ITSELF,
    MEMBER,
    NOTHING,
    FieldSet,
    field_step,
    in_order,
    joined,
)
from towline_sandbox.embedded.patches.shapes import ListShape, MapShape, NoStep, Shape
from towline_sandbox.embedded.patches.values import is_same


class _Absent(Enum):
    ABSENT = auto()


ABSENT: Final = _Absent.ABSENT
"""Stands for a value that is not there; `null` is."""


class Form(Enum):
    """As what a value is treated."""

    MAP = auto()
    SCALAR = auto()
    LIST = auto()


class Changes(NamedTuple):
    """The difference between two values.

    Args:
        removed: What only the old one has.
        written: What only the new one has, and what has another value in it.
    """

    removed: FieldSet
    written: FieldSet


def compare(old: Any, new: Any, *, shape: Shape) -> Changes:
    """Return what has to be done to `old` to become `new`."""
    removed, written = _compare(old, new, shape)
    return Changes(removed or NOTHING, written or NOTHING)


def form_of(value: Any, shape: Shape) -> Form:
    """Return as what a value is treated: what it looks like, if its shape allows that."""
    if isinstance(value, dict):
        if shape.map is not None:
            return Form.MAP
    elif isinstance(value, list):
        if shape.list is not None:
            return Form.LIST
    elif value is not None and value is not ABSENT and shape.scalar is not None:
        return Form.SCALAR
    if shape.map is not None:
        return Form.MAP
    return Form.LIST if shape.scalar is None else Form.SCALAR


_Node: TypeAlias = FieldSet | None
_Found: TypeAlias = tuple[_Node, _Node]
_SAME: _Found = (None, None)


def _compare(old: Any, new: Any, shape: Shape) -> _Found:
    """Return the removed and the written fields of a value, as nodes; None for none."""
    if old is new or (type(old) is type(new) and old == new and _really(old, new, shape)):
        return _SAME
    if new is ABSENT:
        return _compare_as(form_of(old, shape), old, new, shape)
    form = form_of(new, shape)
    found = _compare_as(form, old, new, shape)
    if old is ABSENT or (other := form_of(old, shape)) is form:
        return found
    before = _compare_as(other, old, new, shape)
    return _together(found[0], before[0]), _together(found[1], before[1])


def _really(old: Any, new: Any, shape: Shape) -> bool:
    """Whether two values are equal that Python takes to be."""
    return shape.is_typed or is_same(old, new)


def _compare_as(form: Form, old: Any, new: Any, shape: Shape) -> _Found:
    if form is Form.MAP and shape.map is not None:
        return _compare_maps(old, new, shape.map)
    if form is Form.LIST and shape.list is not None:
        return _compare_lists(old, new, shape.list)
    return _leaf(old, new)


def _leaf(old: Any, new: Any) -> _Found:
    if new is ABSENT:
        return (MEMBER, None)
    if old is not ABSENT and is_same(old, new):
        return _SAME
    return (None, MEMBER)


def _compare_maps(old: Any, new: Any, shape: MapShape) -> _Found:
    before, after = shape.contents(old), shape.contents(new)
    # Two that are both empty are compared as one field: that tells `{}` from `null`.
    if shape.atomic or not (before or after):
        return _leaf(old, new)
    removed: FieldSet = {}
    written: FieldSet = {}
    both_there = before is not None and after is not None
    for name in {**(before or {}), **(after or {})}:
        was = ABSENT if before is None else before.get(name, ABSENT)
        now = ABSENT if after is None else after.get(name, ABSENT)
        if was is now or (both_there and not shape.nulls_count and _are_nothing(was, now)):
            continue
        _note(field_step(name), _compare(was, now, shape.below(name)), removed, written)
    return _closed(removed, written, old=old, new=new)


def _are_nothing(old: Any, new: Any) -> bool:
    return (old is None or old is ABSENT) and (new is None or new is ABSENT)


def _compare_lists(old: Any, new: Any, shape: ListShape) -> _Found:
    before = old if isinstance(old, list) else None
    after = new if isinstance(new, list) else None
    if shape.atomic or not (before or after):
        return _leaf(old, new)
    removed: FieldSet = {}
    written: FieldSet = {}
    old_items, new_items = _by_step(before or [], shape), _by_step(after or [], shape)
    for step in {**old_items, **new_items}:
        was, now = old_items.get(step, []), new_items.get(step, [])
        _note(step, _compare_items(was, now, shape.items), removed, written)
    return _closed(removed, written, old=old, new=new)


def _compare_items(old: list[Any], new: list[Any], shape: Shape) -> _Found:
    """Compare the items of one step; there should be one, but stored lists can hold duplicates.

    Duplicates are owned together, as one field.
    """
    if len(old) <= 1 and len(new) <= 1:
        return _compare(old[0] if old else ABSENT, new[0] if new else ABSENT, shape)
    if len(old) > 1 and len(new) > 1:
        return _SAME if is_same(old, new) else (None, MEMBER)
    if len(old) > 1:
        came = _compare(ABSENT, new[0], shape)[1] if new else None
        return (MEMBER, came)
    gone = _compare(old[0], ABSENT, shape)[0] if old else None
    return (gone, MEMBER)


def _by_step(items: list[Any], shape: ListShape) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        try:
            found.setdefault(shape.step(item), []).append(item)
        except NoStep:
            continue  # an item that cannot be told apart cannot be owned
    return found


def _note(step: str, found: _Found, removed: FieldSet, written: FieldSet) -> None:
    gone, came = found
    if gone is not None:
        removed[step] = gone
    if came is not None:
        written[step] = came


def _closed(removed: FieldSet, written: FieldSet, *, old: Any, new: Any) -> _Found:
    """Return what was found below a value, and whether the value itself came or went."""
    if old is ABSENT:
        written[ITSELF] = MEMBER
    elif new is ABSENT:
        removed[ITSELF] = MEMBER
    return (_node(removed), _node(written))


def _node(found: FieldSet) -> _Node:
    if not found:
        return None
    if len(found) == 1:
        return MEMBER if ITSELF in found else found
    return in_order(found)


def _together(left: _Node, right: _Node) -> _Node:
    if left is None or right is None:
        return right if left is None else left
    return joined(left, right)
