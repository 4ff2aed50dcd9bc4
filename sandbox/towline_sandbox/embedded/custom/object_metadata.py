"""`metadata` inside custom objects: read as Kubernetes' `ObjectMeta`, whatever the schema says.

What `ObjectMeta` does not have is dropped, what is empty is left out, and a value of the wrong type
is refused in the words of the decoder that the real server uses.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request

_GO_NAMES = {str: "string", bool: "bool", float: "number", int: "number", list: "array"}


class WrongType(Exception):  # noqa: N818  # becomes an answer to a call
    """A value cannot be read as what its field is."""


Read = Callable[[Any, str], Any]
"""Returns the value as its field holds it; gets the field's Go name for complaints."""


def read_object_metadata(value: Any, *, unknown: list[str], path: str) -> KubeObject:
    """Return `value` as an `ObjectMeta`.

    Args:
        value: What stands under `metadata`.
        unknown: Grows by the paths of fields that are dropped.
        path: Path of the metadata, for those.

    Raises:
        WrongType: The value, or one of its fields, has the wrong type.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongType(
            f"json: cannot unmarshal {_go_name(value)} into Go value of type v1.ObjectMeta"
        )
    return _read_fields(value, _OBJECT_META, struct="ObjectMeta", unknown=unknown, path=path)


def refuse_wrong_type(kind: str, version: str, complaint: str) -> ApiFailure:
    """Return the refusal of an object that cannot be decoded."""
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {complaint}')


def _go_name(value: Any) -> str:
    return _GO_NAMES.get(type(value), "object")


def _read_fields(
    value: KubeObject,
    fields: dict[str, Read],
    *,
    struct: str,
    unknown: list[str],
    path: str,
) -> KubeObject:
    found: KubeObject = {}
    for name, part in value.items():
        read = fields.get(name)
        if read is None:
            unknown.append(f"{path}.{name}")
        elif part is not None:
            kept = read(part, f"{struct}.{name}")
            if kept not in ("", {}, []):
                found[name] = kept
    return found


def _wrong(value: Any, field: str, wanted: str) -> WrongType:
    return WrongType(
        f"json: cannot unmarshal {_go_name(value)} into Go struct field {field} of type {wanted}"
    )


def _string(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise _wrong(value, field, "string")
    return value


def _integer(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(value, field, "int64")
    return value


def _boolean(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, field, "bool")
    return value


def _instant(value: Any, field: str) -> str:
    text = _string(value, field)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise WrongType(
            f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        ) from None
    return text


def _string_map(value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong(value, field, "map[string]string")
    return {key: _string("" if part is None else part, field) for key, part in value.items()}


def _strings(value: Any, field: str) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(value, field, "[]string")
    return ["" if part is None else _string(part, field) for part in value]


def _anything(value: Any, _field: str) -> Any:
    return value


def _owners(value: Any, field: str) -> list[KubeObject]:
    if not isinstance(value, list):
        raise _wrong(value, field, "[]v1.OwnerReference")
    owners: list[KubeObject] = []
    for owner in value:
        if not isinstance(owner, dict):
            raise _wrong(owner, field, "v1.OwnerReference")
        kept = _read_fields(owner, _OWNER, struct=field, unknown=[], path=field)
        # These are written out even when empty: they are not optional in an owner reference.
        owners.append({"apiVersion": "", "kind": "", "name": "", "uid": "", **kept})
    return owners


_OWNER: dict[str, Read] = {
    "apiVersion": _string,
    "kind": _string,
    "name": _string,
    "uid": _string,
    "controller": _boolean,
    "blockOwnerDeletion": _boolean,
}
_OBJECT_META: dict[str, Read] = {
    "name": _string,
    "generateName": _string,
    "namespace": _string,
    "selfLink": _string,
    "uid": _string,
    "resourceVersion": _string,
    "generation": _integer,
    "creationTimestamp": _instant,
    "deletionTimestamp": _instant,
    "deletionGracePeriodSeconds": _integer,
    "labels": _string_map,
    "annotations": _string_map,
    "ownerReferences": _owners,
    "finalizers": _strings,
    # Field ownership is checked by those who keep it.
    "managedFields": _anything,
}
