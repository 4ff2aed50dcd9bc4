"""Objects in protobuf, read as the JSON that the same client would have sent."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from towline_api.resources import KubeObject
from towline_api.timestamps import format_micro_time, format_time
from towline_sandbox.embedded.built_in.data_files import definitions, go_types
from towline_sandbox.embedded.protobuf.messages import Message, MessageField, find_message
from towline_sandbox.embedded.protobuf.wire import Value, floating, read_fields, signed

PROTOBUF = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_TYPE_META, _RAW = 1, 2
_API_VERSION, _KIND = 1, 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MACHINERY = "io.k8s.apimachinery.pkg"
_SCHEMAS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
_DELETE_OPTIONS = f"{_MACHINERY}.apis.meta.v1.DeleteOptions"


def decode_object(body: bytes) -> KubeObject:
    """Return the object that a body holds.

    Raises:
        ValueError: It is no object, or of a kind that nobody here knows.
    """
    if not body.startswith(_MAGIC):
        raise ValueError("provided data does not appear to be a protobuf message")
    envelope = dict(read_fields(body[len(_MAGIC) :]))
    about = dict(read_fields(_as_bytes(envelope.get(_TYPE_META, b""))))
    api_version, kind = (_as_text(about.get(number, b"")) for number in (_API_VERSION, _KIND))
    name = _DELETE_OPTIONS if kind == "DeleteOptions" else _names().get((api_version, kind))
    if name is None:
        raise ValueError(f'no kind "{kind}" is registered for version "{api_version}"')
    found = _decode(_as_bytes(envelope.get(_RAW, b"")), name)
    return {"apiVersion": api_version, "kind": kind, **found}


@cache
def _names() -> Mapping[tuple[str, str], str]:
    return {
        (f"{each['group']}/{each['version']}".lstrip("/"), each["kind"]): name
        for name, node in definitions().items()
        for each in node.get("x-kubernetes-group-version-kind", ())
    }


def _decode(data: bytes, name: str) -> Any:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(dict(read_fields(data)))
    message = find_message(name)
    if message is None:
        raise ValueError(f"messages of type {name} are not read here")
    if _is_list(name, message):
        return [_as_text(value) for _number, value in read_fields(data)]
    return _decode_fields(data, message, known=go_types().get(name, {}))


def _decode_fields(data: bytes, message: Message, *, known: Mapping[str, str]) -> KubeObject:
    found: KubeObject = {}
    for number, value in read_fields(data):
        field = message.get(number)
        if field is None:
            continue
        if field.is_map:
            key, element = _decode_entry(_as_bytes(value), field)
            found.setdefault(field.name, {})[key] = element
        elif field.is_list:
            found.setdefault(field.name, []).append(_decode_value(value, field.element))
        elif not field.name:
            embedded = find_message(field.element) or {}
            found |= _decode_fields(_as_bytes(value), embedded, known=known)
        else:
            element = _decode_value(value, field.element)
            if not _is_left_out(element, go_type=known.get(field.name, "")):
                found[field.name] = element
    return found


def _is_left_out(value: Any, *, go_type: str) -> bool:
    # Go writes every plain field, also one that is not set; JSON has those only if they must be.
    if go_type.startswith("*"):
        return False
    if value is None or isinstance(value, dict):
        return not value and "omitzero" in go_type
    return not value and "omitempty" in go_type


def _decode_entry(data: bytes, field: MessageField) -> tuple[str, Any]:
    entry = dict(read_fields(data))
    default: Value = 0 if field.element in ("bool", "int32", "int64") else b""
    return _as_text(entry.get(1, b"")), _decode_value(entry.get(2, default), field.element)


def _decode_value(value: Value, element: str) -> Any:
    match element:
        case "string":
            return _as_text(value)
        case "bytes":
            return base64.b64encode(_as_bytes(value)).decode()
        case "bool":
            return bool(value)
        case "int32" | "int64":
            return signed(_as_number(value))
        case "double":
            return floating(_as_bytes(value))
        case _:
            return _decode(_as_bytes(value), element)


def _is_list(name: str, message: Message) -> bool:
    # Protobuf has no lists of lists, nor maps to lists, so Kubernetes wraps the inner ones.
    return name not in definitions() and [field.name for field in message.values()] == ["items"]


def _as_bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ValueError("proto: wrong wireType")


def _as_number(value: Value) -> int:
    if isinstance(value, int):
        return value
    raise ValueError("proto: wrong wireType")


def _as_text(value: Value) -> str:
    return _as_bytes(value).decode()


def _moment(fields: Mapping[int, Value], *, word: Callable[[datetime], str]) -> Any:
    seconds, nanos = (signed(_as_number(fields.get(number, 0))) for number in (1, 2))
    if not fields:
        return None
    return word(_EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000))


def _int_or_string(fields: Mapping[int, Value]) -> Any:
    if fields.get(1):
        return _as_text(fields.get(3, b""))
    return signed(_as_number(fields.get(2, 0)))


def _json(fields: Mapping[int, Value]) -> Any:
    raw = _as_bytes(fields.get(1, b""))
    return orjson.loads(raw) if raw else None


def _schema_or_boolean(fields: Mapping[int, Value]) -> Any:
    if 2 in fields:
        return _decode(_as_bytes(fields[2]), f"{_SCHEMAS}.JSONSchemaProps")
    return bool(fields.get(1))


def _one_schema(fields: Mapping[int, Value]) -> Any:
    # Lists of schemas, and of names, may stand here in JSON, but are refused by Kubernetes.
    return _decode(_as_bytes(fields.get(1, b"")), f"{_SCHEMAS}.JSONSchemaProps")


_SPECIAL: Mapping[str, Callable[[Mapping[int, Value]], Any]] = {
    f"{_MACHINERY}.apis.meta.v1.Time": lambda fields: _moment(fields, word=format_time),
    f"{_MACHINERY}.apis.meta.v1.MicroTime": lambda fields: _moment(fields, word=format_micro_time),
    f"{_MACHINERY}.apis.meta.v1.FieldsV1": _json,
    f"{_MACHINERY}.api.resource.Quantity": lambda fields: _as_text(fields.get(1, b"")),
    f"{_MACHINERY}.runtime.RawExtension": _json,
    f"{_MACHINERY}.util.intstr.IntOrString": _int_or_string,
    f"{_SCHEMAS}.JSON": _json,
    f"{_SCHEMAS}.JSONSchemaPropsOrArray": _one_schema,
    f"{_SCHEMAS}.JSONSchemaPropsOrBool": _schema_or_boolean,
}
"""Messages that stand in JSON for something simpler."""
