"""Laying what a manager applies over what is stored."""

from collections.abc import Iterator
from typing import Any

from towline_sandbox.embedded.patches.comparison import ABSENT, Form, form_of
from towline_sandbox.embedded.patches.shapes import ListShape, MapShape, NoStep, Shape


def merge(live: Any, applied: Any, *, shape: Shape) -> Any:
    """Return `live` with `applied` laid over it; nothing is removed.

    Where both say something the applied value holds. Lists of items that can be told apart are
    merged item by item, in the order of the applied list if it says anything about it.
    """
    if live is ABSENT or applied is ABSENT:
        return live if applied is ABSENT else applied
    match form_of(applied, shape):
        case Form.MAP if shape.map is not None:
            return _merge_maps(live, applied, shape.map)
        case Form.LIST if shape.list is not None:
            return _merge_lists(live, applied, shape.list)
        case _:
            return applied


def _merge_maps(live: Any, applied: Any, shape: MapShape) -> Any:
    before = live if isinstance(live, dict) else {}
    after = applied if isinstance(applied, dict) else {}
    if shape.atomic or not (before or after):
        return applied
    return {
        name: merge(before.get(name, ABSENT), after.get(name, ABSENT), shape=shape.below(name))
        for name in {**before, **after}
    }


def _merge_lists(live: Any, applied: Any, shape: ListShape) -> Any:
    before = live if isinstance(live, list) else []
    after = applied if isinstance(applied, list) else []
    if shape.atomic or not (before or after):
        return applied
    old, new = _steps(before, shape), _steps(after, shape)
    return [
        merge(left, right, shape=shape.items) for left, right in _pairs(before, old, after, new)
    ]


def _steps(items: list[Any], shape: ListShape) -> list[str]:
    found = []
    for at, item in enumerate(items):
        try:
            found.append(shape.step(item))
        except NoStep:
            found.append(f"i:{at}")  # like no other
    return found


def _pairs(
    before: list[Any], old: list[str], after: list[Any], new: list[str]
) -> Iterator[tuple[Any, Any]]:
    """Pair the items of two lists by their steps, in the order of the merged list.

    Applied items keep their order. Stored ones that are not applied stay where they are as far as
    that allows: before the next item that both lists have.
    """
    stored: dict[str, Any] = {}
    for step, item in zip(old, before, strict=True):
        # A stored list can hold an item twice; the applied one replaces both.
        stored[step] = None if step in stored else item
    applied = dict(zip(new, after, strict=True))
    shared = iter([step for step in new if step in stored])
    following = next(shared, None)
    taken: set[str] = set()
    left = right = 0
    while left < len(old) or right < len(new):
        if left < len(old):
            step = old[left]
            if right < len(new) and step == new[right]:
                taken.add(step)
                yield stored[step], applied[step]
                left, right = left + 1, right + 1
                following = next(shared, None)
                continue
            if step not in applied:
                yield before[left], ABSENT
                left += 1
                continue
            if step in taken or (right < len(new) and following not in (None, step)):
                left += 1
                continue
        if right < len(new):
            step = new[right]
            taken.add(step)
            yield stored.get(step, ABSENT), applied[step]
            right += 1
            if step == following:
                following = next(shared, None)
