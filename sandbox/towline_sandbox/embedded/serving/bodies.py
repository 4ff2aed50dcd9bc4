"""Bodies of requests: read as JSON, YAML or protobuf, or refused in Kubernetes' words."""

import json

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.duplicates import duplicate_fields
from towline_sandbox.embedded.model.calls import FieldValidation
from towline_sandbox.embedded.model.failures import (
    ApiFailure,
    bad_request,
    unsupported_media_type,
)
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.protobuf import PROTOBUF, decode_object
from towline_sandbox.embedded.serving.answers import JSON, YAML

LARGEST_BODY = 3 * 1024 * 1024
_FORMATS = (JSON, YAML, PROTOBUF)
_SHOWN = 30
_TYPE_STRUCT = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)


def too_large() -> ApiFailure:
    """The body is larger than is read."""
    return ApiFailure(
        413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST_BODY}"
    )


def media_type_of(content_type: str | None) -> str:
    """Return a media type without its parameters; JSON if none is given."""
    return (content_type or JSON).partition(";")[0].strip().lower() or JSON


def check_readable(content_type: str | None) -> str:
    """Return the media type of a body.

    Raises:
        ApiFailure: It is not read here.
    """
    found = media_type_of(content_type)
    if found not in _FORMATS:
        raise unsupported_media_type(_FORMATS)
    return found


def parse_object(
    body: bytes,
    *,
    media_type: str,
    kind: Kind,
    field_validation: FieldValidation,
    warnings: list[str],
) -> KubeObject:
    """Return the object that a create or update was sent with.

    Args:
        body: What was sent.
        media_type: Its format.
        kind: What it has to be.
        field_validation: What happens to fields that are there twice.
        warnings: Gets what the caller is to be told.

    Raises:
        ApiFailure: It is no object.
    """
    name = kind.resource.kind
    try:
        found = _parse(body, media_type)
    except ValueError as error:
        raise _unrecognized(name, str(error), body) from None
    if found is None:
        found = {}
    if not isinstance(found, dict):
        raise _unrecognized(name, _no_object(found), body)
    if media_type == JSON and field_validation is not FieldValidation.IGNORE:
        _tell_duplicates(body, field_validation, warnings, kind=kind, found=found)
    return found


def parse_options(body: bytes, *, media_type: str) -> KubeObject:
    """Return the DeleteOptions that a delete was sent with; empty if it was sent with none.

    Raises:
        ApiFailure: They are no options.
    """
    if not body.strip():
        return {}
    try:
        found = _parse(body, media_type)
    except ValueError as error:
        raise bad_request(str(error)) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(_no_object(found))
    kind, version = found.get("kind", ""), found.get("apiVersion", "")
    if kind and kind != "DeleteOptions":
        raise bad_request(
            f'no kind "{kind}" is registered for version "{version}" in scheme '
            '"pkg/runtime/scheme.go:111"'
        )
    return found


def _parse(body: bytes, media_type: str) -> object:
    if media_type == YAML:
        return _parse_yaml(body)
    if media_type == PROTOBUF:
        return decode_object(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError(
            f"couldn't get version/kind; json parse error: {_json_problem(body)}"
        ) from None


def _parse_yaml(body: bytes) -> object:
    import yaml

    from towline_sandbox.embedded.patches.reading import PlainLoader

    try:
        return yaml.load(body, Loader=PlainLoader)  # noqa: S506 - a SafeLoader underneath
    except yaml.YAMLError as error:
        problem = str(getattr(error, "problem", None) or error)
        raise ValueError(f"yaml: {problem.replace('here', 'in this context')}") from None


def _json_problem(body: bytes) -> str:
    """Return what is wrong with JSON text, in the words of Go."""
    text = body.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            return "unexpected end of JSON input"
        found = text[error.pos]
        place = {
            "Expecting property name enclosed in double quotes": (
                "looking for beginning of object key string"
            ),
            "Expecting ':' delimiter": "after object key",
            "Extra data": "after top-level value",
            "Expecting value": "looking for beginning of value",
        }.get(error.msg)
        if place is None:
            before = text[: error.pos].rstrip()
            in_array = before.rfind("[") > before.rfind("{")
            place = "after array element" if in_array else "after object key:value pair"
        return f"invalid character '{found}' {place}"
    return "unexpected end of JSON input"


def _no_object(found: object) -> str:
    what = {list: "array", str: "string", bool: "bool"}.get(type(found), "number")
    return (
        "couldn't get version/kind; json parse error: json: cannot unmarshal "
        f"{what} into Go value of type {_TYPE_STRUCT}"
    )


def _unrecognized(kind: str, why: str, body: bytes) -> ApiFailure:
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind}): {why} ({_summary(body)})"
    )


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    start = body[:_SHOWN]
    shown = start.decode(errors="replace") if body[:1] == b"{" else start.hex()
    return f"{shown} ..." if len(body) > _SHOWN else shown


def _tell_duplicates(
    body: bytes,
    field_validation: FieldValidation,
    warnings: list[str],
    *,
    kind: Kind,
    found: KubeObject,
) -> None:
    told = [f'duplicate field "{path}"' for path in duplicate_fields(body)]
    if not told:
        return
    if field_validation is FieldValidation.WARN:
        warnings.extend(told)
        return
    version = found.get("apiVersion") or kind.resource.api_version
    raise bad_request(
        f'{kind.resource.kind} in version "{version.rpartition("/")[2]}" cannot be handled as a '
        f"{kind.resource.kind}: strict decoding error: {', '.join(told)}"
    )
