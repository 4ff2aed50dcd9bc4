"""JSON values as CEL sees them, and back."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any

from celpy import celtypes

from towline_sandbox.embedded.expressions.types import names_in_rules
from towline_sandbox.embedded.model.schema import Schema

_OBJECT_FIELDS = ("apiVersion", "kind", "metadata")


def cel_value(value: Any) -> Any:
    """Return a JSON value for CEL, with nothing known about its shape."""
    match value:
        case None:
            return None
        case bool():
            return celtypes.BoolType(value)
        case int():
            return celtypes.IntType(value)
        case float():
            return celtypes.DoubleType(value)
        case str():
            return celtypes.StringType(value)
        case list() | tuple():
            return celtypes.ListType([cel_value(item) for item in value])
        case dict():
            return celtypes.MapType(
                {celtypes.StringType(key): cel_value(part) for key, part in value.items()}
            )
        case datetime():
            return celtypes.TimestampType(value)
        case _:
            return value


def cel_value_of(value: Any, *, schema: Schema, is_resource: bool = False) -> Any:
    """Return a JSON value for CEL as its schema says: dates are instants, field names escaped.

    Fields that the schema does not know are not visible to rules.
    """
    match value:
        case dict():
            return _object(value, schema, is_resource=is_resource or schema.embeds_resource)
        case list() if schema.items is not None:
            items = schema.items
            return celtypes.ListType([cel_value_of(item, schema=items) for item in value])
        case str():
            return _text(value, schema.node.get("format", ""))
        case int() if schema.type == "number" and not isinstance(value, bool):
            return celtypes.DoubleType(value)
        case _:
            return cel_value(value)


def _object(value: dict[str, Any], schema: Schema, *, is_resource: bool) -> Any:
    if schema.additional is not None and not schema.properties:
        additional = schema.additional
        return celtypes.MapType(
            {
                celtypes.StringType(key): cel_value_of(part, schema=additional)
                for key, part in value.items()
            }
        )
    found = {}
    for name, part in value.items():
        if is_resource and name in _OBJECT_FIELDS:
            found[celtypes.StringType(name)] = cel_value(part)
        elif name in schema.properties:
            seen = cel_value_of(part, schema=schema.properties[name])
            for written in names_in_rules(name):
                found[celtypes.StringType(written)] = seen
    return celtypes.MapType(found)


def _text(value: str, form: str) -> Any:
    try:
        match form:
            case "date-time":
                return celtypes.TimestampType(value)
            case "date":
                return celtypes.TimestampType(f"{value}T00:00:00Z")
            case "duration":
                return celtypes.DurationType(value)
            case "byte":
                return celtypes.BytesType(base64.b64decode(value))
    except (ValueError, binascii.Error):
        # Validation has already said that the text does not have its format.
        pass
    return celtypes.StringType(value)


def plain_value(value: Any) -> Any:
    """Return what an expression came to as plain Python."""
    match value:
        case celtypes.BoolType():
            return bool(value)
        case celtypes.TimestampType():
            return value.astimezone(UTC)
        case celtypes.DurationType():
            return timedelta(seconds=value.total_seconds())
        case celtypes.StringType() | str():
            return str(value)
        case celtypes.DoubleType():
            return float(value)
        case celtypes.IntType() | celtypes.UintType():
            return int(value)
        case list():
            return [plain_value(item) for item in value]
        case dict():
            return {plain_value(key): plain_value(part) for key, part in value.items()}
        case _:
            return value
