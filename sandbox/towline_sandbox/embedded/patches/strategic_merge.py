"""Strategic merge patch: a merge patch that knows which lists are keyed by what.

Besides fields a patch may hold directives: `$patch` (`replace`, `delete`) in an object or an item,
`$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>` and `$retainKeys`.
"""

from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import bad_request
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import ANYTHING, Schema
from towline_sandbox.embedded.patches import keyed_lists
from towline_sandbox.embedded.patches.go_words import plain, type_name
from towline_sandbox.embedded.patches.keyed_lists import DIRECTIVE, refused
from towline_sandbox.embedded.patches.media_types import not_accepted
from towline_sandbox.embedded.patches.reading import cannot_read, parse_json
from towline_sandbox.embedded.patches.values import private

_DELETE_FROM = "$deleteFromPrimitiveList"
_ORDER = "$setElementOrder"
_RETAIN = "$retainKeys"


def apply(current: KubeObject, patch: bytes, *, kind: Kind) -> KubeObject:
    """Return the object with the patch merged into it.

    Raises:
        ApiFailure: The kind is a custom one, or the patch cannot be read or contradicts itself.
    """
    if kind.custom:
        raise not_accepted(kind)
    wanted = parse_json(patch)
    if wanted is None:
        wanted = {}
    if not isinstance(wanted, dict):
        raise bad_request(cannot_read(wanted))
    return _merged(private(current), wanted, kind.schema)


def merged_words(patch: bytes) -> str:
    """Return a patch as refusals of what it led to show it."""
    return plain(parse_json(patch))


def _merged(target: KubeObject, patch: KubeObject, schema: Schema) -> KubeObject:
    """Merge `patch` into `target`, both of which are used up."""
    match patch.get(DIRECTIVE, _merged):
        case "replace":
            del patch[DIRECTIVE]
            return patch
        case "delete":
            return {}
        case other if DIRECTIVE in patch:
            raise refused(f"unknown patch type: {plain(other)} in map: {plain(patch)}")
    _retain_keys(target, patch)
    _merge_ordered_lists(target, patch, schema)
    _delete_scalars(target, patch)
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            _merge_field(target, key, value, schema.child(key) or ANYTHING)
    return target


def _merge_field(target: KubeObject, key: str, value: Any, schema: Schema) -> None:
    now = target.get(key)
    if isinstance(value, dict) and isinstance(now, dict):
        replaced = "replace" in schema.patch_strategies
        target[key] = value if replaced else _merged(now, value, schema)
    elif isinstance(value, list) and isinstance(now, list):
        target[key] = _merged_list(now, value, schema)
    elif (kept := _without_directives(_without_nulls(value))) is _NOTHING:
        target.pop(key, None)
    else:
        target[key] = kept


def _merged_list(now: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    if "merge" not in schema.patch_strategies:
        return patch
    if not now and not patch:
        return now
    if not keyed_lists.holds_objects(now, patch):
        both = [*now, *(item for item in patch if item not in now)]
        return keyed_lists.ordered(both, first=patch, then=now, key=None)
    if schema.merge_key is None:
        raise refused("cannot merge lists without merge key for struct")
    now, patch = keyed_lists.carry_out_directives(now, patch, key=schema.merge_key)
    merged = list(now)
    for item in patch:
        at = keyed_lists.position(merged, item, key=schema.merge_key)
        if at is None:
            merged.append(item)
        else:
            merged[at] = _merged(merged[at], item, schema.items or ANYTHING)
    return keyed_lists.ordered(merged, first=patch, then=now, key=schema.merge_key)


def _merge_ordered_lists(target: KubeObject, patch: KubeObject, schema: Schema) -> None:
    """Merge the lists that come with a `$setElementOrder`, and take them out of the patch."""
    trouble = "invalid patch format of setElementOrder list"
    for directive in [key for key in patch if key.startswith(_ORDER)]:
        order = patch.pop(directive)
        if not isinstance(order, list):
            raise refused(f"expected a []interface {{}}, but received a {type_name(order)}")
        field = _field_of(directive, _ORDER, trouble)
        shape = schema.child(field) or ANYTHING
        now, change = target.get(field), patch.get(field)
        for part in (now, change):
            if part is not None and not isinstance(part, list):
                raise refused(f"expected a []interface {{}}, but received a {type_name(part)}")
        keyed_lists.check_order(change or [], order, key=shape.merge_key)
        if field in patch and field in target:
            merged = _merged_list(now or [], change or [], shape)
        elif field in patch:
            merged = _without_directives(change)
        elif field in target:
            merged = now or []
        else:
            continue
        keyed_lists.holds_objects(now or [], change or [])
        target[field] = keyed_lists.ordered(
            merged, first=order, then=now or [], key=shape.merge_key
        )
        patch.pop(field, None)


def _delete_scalars(target: KubeObject, patch: KubeObject) -> None:
    """Carry out each `$deleteFromPrimitiveList`, and take it out of the patch."""
    for directive in [key for key in patch if key.startswith(_DELETE_FROM)]:
        gone = patch.pop(directive)
        field = _field_of(directive, _DELETE_FROM, "invalid patch format of primitive list")
        if gone is None:
            target.pop(field, None)
        elif isinstance(gone, list) and isinstance(target.get(field), list):
            target[field] = [item for item in target[field] if item not in gone]


def _retain_keys(target: KubeObject, patch: KubeObject) -> None:
    if _RETAIN not in patch:
        return
    kept = patch.pop(_RETAIN)
    ill_formed = bad_request("invalid patch format of retainKeys")
    if not isinstance(kept, list):
        raise ill_formed
    for key, value in patch.items():
        if value is not None and not key.startswith((_DELETE_FROM, _ORDER)) and key not in kept:
            raise ill_formed
    for key in [key for key in target if key not in kept]:
        del target[key]


def _field_of(directive: str, prefix: str, trouble: str) -> str:
    """Return the field that a directive such as `$setElementOrder/ports` is about."""
    name, slash, field = directive.partition("/")
    if not slash or name != prefix:
        raise bad_request(trouble)
    return field


class _Nothing:
    """Stands for a value that is nothing but a directive."""


_NOTHING = _Nothing()


def _without_directives(value: Any) -> Any:
    """Return a value that is new to the object: there is nothing its directives could act on."""
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return _NOTHING
        kept = {key: _without_directives(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not _NOTHING}
    if isinstance(value, list):
        items = [_without_directives(item) for item in value]
        return [item for item in items if item is not _NOTHING]
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
