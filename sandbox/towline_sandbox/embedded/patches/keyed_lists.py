"""Lists that a strategic merge patch merges item by item: pairing, directives, order."""

from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.patches.go_words import plain, type_name
from towline_sandbox.embedded.patches.reading import unprocessable

DIRECTIVE = "$patch"
"""Says what to do with the object or list it stands in."""


def refused(message: str) -> ApiFailure:
    """The patch contradicts itself; Kubernetes answers so, with 500 and no reason."""
    return ApiFailure(500, "", message)


def holds_objects(*lists: list[Any]) -> bool:
    """Whether the items are objects, not scalars.

    Raises:
        ApiFailure: There are none, they are of several types, or lists themselves.
    """
    items = [item for items in lists for item in items]
    if not items:
        raise refused("no elements in any of the given slices")
    if isinstance(items[0], list):
        raise unprocessable()
    if len({type(item) for item in items}) > 1:
        raise refused(f"list element types are not identical: {plain(list(lists))}")
    return isinstance(items[0], dict)


def key_of(item: Any, *, key: str) -> Any:
    """Return what an item is known by.

    Raises:
        ApiFailure: It has no such field.
    """
    if not isinstance(item, dict):
        raise refused(f"expected a map[string]interface {{}}, but received a {type_name(item)}")
    if key not in item:
        raise refused(f"map: {plain(item)} does not contain declared merge key: {key}")
    return item[key]


def position(items: list[Any], wanted: KubeObject, *, key: str) -> int | None:
    """Return where the item with the same key is."""
    name = key_of(wanted, key=key)
    return next((at for at, item in enumerate(items) if item.get(key) == name), None)


def carry_out_directives(
    now: list[Any], patch: list[Any], *, key: str
) -> tuple[list[Any], list[Any]]:
    """Return the list without deleted items, and the items of the patch that hold no directive."""
    kept: list[Any] = []
    replaced = False
    for item in patch:
        match item.get(DIRECTIVE):
            case None if DIRECTIVE not in item:
                kept.append(item)
            case "delete":
                gone = key_of(item, key=key)
                now = [old for old in now if old.get(key, _MISSING) != gone]
            case "replace":
                replaced = True
            case "merge":
                raise refused("merging lists cannot yet be specified in the patch")
            case other:
                raise refused(f"unknown patch type: {plain(other)} in map: {plain(item)}")
    return (kept, []) if replaced else (now, kept)


_MISSING = object()


def check_order(patch: list[Any], order: list[Any], *, key: str | None) -> None:
    """Check that the items of the patch stand in the order that it asks for.

    Raises:
        ApiFailure: They do not, or one is not in the order at all.
    """
    if not patch or not order:
        return
    named = [_name(item, key) for item in order]
    following = iter(named)
    for item in patch:
        if isinstance(item, dict) and DIRECTIVE in item:
            continue
        if _name(item, key) not in following:
            raise refused(
                f"The order in patch list:\n{plain(patch)}\n doesn't match $setElementOrder list:"
                f"\n{plain(order)}\n"
            )


def ordered(items: list[Any], *, first: list[Any], then: list[Any], key: str | None) -> list[Any]:
    """Return the items in the order of `first`, those it does not name slipped in between.

    Args:
        items: What is to be ordered.
        first: An order that has to be kept.
        then: The order that stood so far, which places the rest.
        key: Field that tells objects apart; None for scalars.
    """
    asked = [_name(item, key) for item in first]
    stood = [_name(item, key) for item in then]
    named = sorted(
        (i for i in items if _name(i, key) in asked), key=lambda i: asked.index(_name(i, key))
    )
    rest = sorted(
        (i for i in items if _name(i, key) not in asked),
        key=lambda i: stood.index(_name(i, key)) if _name(i, key) in stood else len(stood),
    )
    result: list[Any] = []
    while named and rest:
        left, right = _name(rest[0], key), _name(named[0], key)
        goes_first = left in stood and right in stood and stood.index(left) < stood.index(right)
        result.append((rest if goes_first else named).pop(0))
    return [*result, *rest, *named]


def _name(item: Any, key: str | None) -> Any:
    return item if key is None else key_of(item, key=key)
