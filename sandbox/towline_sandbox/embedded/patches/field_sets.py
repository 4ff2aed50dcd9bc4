"""Sets of fields in the form they have in `managedFields` (`FieldsV1`), and what is done with them.

A set is a tree. Its keys are steps into an object: `f:<field>`, `k:<keys of a list's item>`,
`v:<value of a set's item>`. A node that is empty, or has the key `.`, belongs to the set itself;
any other node only leads to some that do. The root always only leads.

Trees are shared and never changed. What an operation leaves as it was is the same object as before.
"""

import json
from functools import lru_cache
from typing import Any, TypeAlias

from towline_sandbox.embedded.patches.go_words import json_text

FieldSet: TypeAlias = dict[str, "FieldSet"]

ITSELF = "."
"""Key that says that the node it stands in belongs to the set, besides what is below it."""

MEMBER: FieldSet = {}
"""A node that belongs to the set, with nothing below it. Never changed."""

NOTHING: FieldSet = {}
"""The set without members. Never changed."""


def field_step(name: str) -> str:
    """Return the step to a field of an object or to a value of a map."""
    return f"f:{name}"


def key_step(keys: dict[str, Any]) -> str:
    """Return the step to the item of a list that has these keys."""
    return f"k:{json_text(keys)}"


def value_step(value: object) -> str:
    """Return the step to an item of a set."""
    return f"v:{json_text(value)}"


def is_member(node: FieldSet) -> bool:
    """Whether a node belongs to the set itself."""
    return not node or ITSELF in node


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in one of the sets."""
    if not left or not right:
        return left or right
    return joined(left, right)


def joined(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return a node with all that is in one of two nodes, themselves included."""
    if left is right:
        return left
    if not right:
        return left if is_member(left) else {ITSELF: MEMBER, **left}
    if not left:
        return right if is_member(right) else {ITSELF: MEMBER, **right}
    merged, grown = left, False
    for step, node in right.items():
        mine = left.get(step)
        whole = node if mine is None else joined(mine, node)
        if whole is not mine:
            merged = dict(left) if merged is left else merged
            merged[step] = whole
            grown = grown or mine is None
    return in_order(merged) if grown else merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in `left` and not in `right`; what is below the latter's members stays."""
    if not left or not right:
        return left
    return _without(left, right) or NOTHING


def without_below(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in `left`, and neither in `right` nor below something that is."""
    kept: FieldSet = {}
    for step, node in left.items():
        other = right.get(step)
        if other is None:
            kept[step] = node
        elif other and ITSELF not in other:
            rest = without_below(node, other)
            if rest or not node:
                kept[step] = rest
    return left if kept == left else kept


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in both sets."""
    if not left or not right:
        return NOTHING
    return _shared(left, right) or NOTHING


def paths(fields: FieldSet) -> list[tuple[str, ...]]:
    """Return the members, those of a level before those below them."""
    found: list[tuple[str, ...]] = [
        (step,) for step, node in fields.items() if step != ITSELF and is_member(node)
    ]
    for step, node in fields.items():
        if step != ITSELF and node:
            found.extend((step, *path) for path in paths(node))
    return found


def of_paths(members: list[tuple[str, ...]]) -> FieldSet:
    """Return the set of these members."""
    found: FieldSet = NOTHING
    for path in members:
        node: FieldSet = MEMBER
        for step in reversed(path):
            node = {step: node}
        found = union(found, node)
    return found


def path_words(path: tuple[str, ...]) -> str:
    """Return a member as messages name it: `.spec.containers[name="web"].image`."""
    return "".join(_step_words(step) for step in path)


def parse(fields: object) -> FieldSet:
    """Return a set that a caller wrote, in our order and spelling.

    Raises:
        ValueError: It is no set.
    """
    if not isinstance(fields, dict):
        raise ValueError(f"not a set of fields: {fields!r}")  # noqa: TRY004
    found: FieldSet = {}
    for step, below in fields.items():
        if step == ITSELF:
            found[ITSELF] = MEMBER
        elif (spelled := _spelled(step)) is not None:
            found[spelled] = parse(below)
    if len(found) == 1 and ITSELF in found:
        return MEMBER
    return in_order(found)


def in_order(fields: FieldSet) -> FieldSet:
    """Return the node with its steps in the order that Kubernetes writes them in."""
    return dict(sorted(fields.items(), key=lambda item: _rank(item[0])))


def _without(left: FieldSet, right: FieldSet) -> FieldSet | None:
    """Return a node without what another one holds; None if nothing is left of it."""
    stays = is_member(left) and not is_member(right)
    kept: FieldSet = {ITSELF: MEMBER} if stays else {}
    same = stays is is_member(left)
    for step, node in left.items():
        if step == ITSELF:
            continue
        other = right.get(step)
        rest = node if other is None else _without(node, other)
        if rest is not None:
            kept[step] = rest
        same = same and rest is node
    if same:
        return left
    if stays and len(kept) == 1:
        return MEMBER
    return kept or None


def _shared(left: FieldSet, right: FieldSet) -> FieldSet | None:
    both = is_member(left) and is_member(right)
    kept: FieldSet = {ITSELF: MEMBER} if both else {}
    for step, node in left.items():
        other = right.get(step)
        if other is not None and step != ITSELF:
            rest = _shared(node, other)
            if rest is not None:
                kept[step] = rest
    if both and len(kept) == 1:
        return MEMBER
    return kept or None


def _spelled(step: str) -> str | None:
    """Return a step in our spelling; None for a sort of step that nobody knows yet."""
    sort, colon, rest = step.partition(":")
    if not colon or len(sort) != 1:
        raise ValueError(f"not a step into an object: {step!r}")
    match sort:
        case "f":
            return step
        case "k":
            return key_step(json.loads(rest))
        case "v":
            return value_step(json.loads(rest))
        case "i":
            return f"i:{int(rest)}"
        case _:
            return None


@lru_cache(maxsize=4096)
def _rank(step: str) -> tuple[int, Any]:
    if step == ITSELF:
        return (0, "")
    sort, _, rest = step.partition(":")
    match sort:
        case "f":
            return (1, rest)
        case "k":
            keys = json.loads(rest)
            return (2, [(name, _value_rank(value)) for name, value in keys.items()])
        case "v":
            return (3, _value_rank(json.loads(rest)))
        case _:
            return (4, int(rest))


def _value_rank(value: object) -> tuple[int, Any]:
    match value:
        case bool():
            return (2, value)
        case int() | float():
            return (0, value)
        case str():
            return (1, value)
        case _:
            return (3, json.dumps(value))


def _step_words(step: str) -> str:
    sort, _, rest = step.partition(":")
    match sort:
        case "f":
            return f".{rest}"
        case "k":
            keys = json.loads(rest)
            return f"[{','.join(f'{name}={_value_words(keys[name])}' for name in keys)}]"
        case "v":
            return f"[={_value_words(json.loads(rest))}]"
        case _:
            return f"[{rest}]"


def _value_words(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
