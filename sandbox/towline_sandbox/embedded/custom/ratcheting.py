"""Tolerance for what was wrong before: who changes one field need not repair another.

A schema may become stricter while objects are stored. The real server then lets an update pass
that leaves the offending value as it was; so a complaint about a value that did not change is
dropped.
"""

from collections.abc import Iterable
from typing import Any

from towline_sandbox.embedded.model.schema import ListType, Schema


def is_unchanged(
    path: Iterable[str | int],
    *,
    new: Any,
    old: Any,
    schema: Schema,
) -> bool:
    """Return whether the value at a path, or one that holds it, is what it was before.

    Items of a list are the same only if it is a `map` list, whose items have an identity.
    """
    node: Schema | None = schema
    if new == old:
        return True
    for step in path:
        if isinstance(step, int):
            old = same_item(new[step], old, node)
            node = None if node is None else node.items
        else:
            old = old.get(step) if isinstance(old, dict) else None
            node = None if node is None else node.child(step)
        new = new[step]
        if old is None:
            return False
        if new == old:
            return True
    return False


def same_item(item: Any, old: Any, schema: Schema | None) -> Any:
    """Return the item of an older list that is the same one, by the keys of a `map` list."""
    if schema is None or schema.list_type is not ListType.MAP or not isinstance(old, list):
        return None
    if not isinstance(item, dict):
        return None
    keys = schema.list_map_keys
    wanted = [item.get(key) for key in keys]
    found = (each for each in old if isinstance(each, dict))
    return next((each for each in found if [each.get(key) for key in keys] == wanted), None)
