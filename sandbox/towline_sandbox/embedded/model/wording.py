"""Kubernetes' sentences about values that will not do."""

import json
from collections.abc import Iterable
from typing import Any

from towline_sandbox.embedded.model.failures import Cause


def as_json(value: Any) -> str:
    """Return a value as messages show it: JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


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


def unsupported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """The value is none of those there are."""
    choices = ", ".join(f'"{choice}"' for choice in supported)
    told = f"Unsupported value: {as_json(value)}: supported values: {choices}"
    return Cause("FieldValueNotSupported", told, field)


def duplicate(field: str, value: Any) -> Cause:
    """The value is in the list already."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {as_json(value)}", field)


def too_long(field: str, most: int) -> Cause:
    """The text is longer than `most` bytes."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", field)


def not_found_value(field: str, value: Any) -> Cause:
    """The value names something that is not there."""
    return Cause("FieldValueNotFound", f"Not found: {as_json(value)}", field)
