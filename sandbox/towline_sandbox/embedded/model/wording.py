"""Kubernetes' sentences about values that will not do."""

import json
from collections.abc import Iterable
from typing import Any

from towline_sandbox.embedded.model.failures import Cause


def as_json(value: Any) -> str:
    """Return a value as messages show it: JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def keys_in_order(value: Any) -> Any:
    """Return a value with the keys of all maps sorted, as those of custom objects are shown.

    What has a Go type behind it is shown with its fields as they are declared.
    """
    match value:
        case dict():
            return {key: keys_in_order(value[key]) for key in sorted(value)}
        case list():
            return [keys_in_order(item) for item in value]
    return value


def invalid_value(field: str, value: Any, told: str) -> Cause:
    """The value breaks a rule, which `told` states."""
    return Cause("FieldValueInvalid", f"Invalid value: {as_json(value)}: {told}", field)


def immutable(field: str, value: Any) -> Cause:
    """The value is not the one that was there, and should be."""
    return invalid_value(field, value, "field is immutable")


def required(field: str, told: str = "") -> Cause:
    """The field is not there."""
    return Cause(
        "FieldValueRequired", f"Required value: {told}" if told else "Required value", field
    )


def forbidden_field(field: str, told: str) -> Cause:
    """The field may not be there, or not be changed."""
    return Cause("FieldValueForbidden", f"Forbidden: {told}", field)


def wrong_type(field: str, found: str, told: str) -> Cause:
    """The value is of the type `found`, and should not be."""
    return Cause("FieldValueTypeInvalid", f'Invalid value: "{found}": {told}', field)


def unsupported(field: str, value: Any, supported: Iterable[Any]) -> Cause:
    """The value is none of those there are."""
    choices = ", ".join(f'"{_as_text(choice)}"' for choice in supported)
    told = f"Unsupported value: {as_json(value)}: supported values: {choices}"
    return Cause("FieldValueNotSupported", told, field)


def duplicate(field: str, value: Any) -> Cause:
    """The value is in the list already."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {as_json(value)}", field)


def too_many(field: str, found: int, most: int) -> Cause:
    """The list or map holds more than `most` entries."""
    return Cause("FieldValueTooMany", f"Too many: {found}: must have at most {most} items", field)


def too_long(field: str, most: int) -> Cause:
    """The text is longer than `most` bytes."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", field)


def not_found_value(field: str, value: Any) -> Cause:
    """The value names something that is not there."""
    return Cause("FieldValueNotFound", f"Not found: {as_json(value)}", field)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)
