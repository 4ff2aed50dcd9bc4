"""Sentences about values of custom objects, as far as they differ from those about others.

The values are JSON of any shape, and their keys are shown in order: a map has none of its own.
"""

import json
from collections.abc import Iterable
from typing import Any

from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import forbidden_field, required, too_long

__all__ = [
    "as_json",
    "duplicate",
    "forbidden_field",
    "invalid_value",
    "required",
    "too_long",
    "too_many",
    "unsupported",
    "wrong_type",
]


def as_json(value: Any) -> str:
    """Return a value as messages show it: JSON without blanks, keys sorted."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def invalid_value(field: str, value: Any, told: str) -> Cause:
    """The value breaks a rule, which `told` states."""
    return Cause("FieldValueInvalid", f"Invalid value: {as_json(value)}: {told}", field)


def wrong_type(field: str, found: str, told: str) -> Cause:
    """The value is of the type `found`, and should not be."""
    return Cause("FieldValueTypeInvalid", f'Invalid value: "{found}": {told}', field)


def unsupported(field: str, value: Any, supported: Iterable[Any]) -> Cause:
    """The value is none of those there are."""
    choices = ", ".join(f'"{choice}"' for choice in map(_as_text, supported))
    return Cause(
        "FieldValueNotSupported",
        f"Unsupported value: {as_json(value)}: supported values: {choices}",
        field,
    )


def duplicate(field: str, value: Any) -> Cause:
    """The value is in the list already."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {as_json(value)}", field)


def too_many(field: str, found: int, most: int) -> Cause:
    """The list or map holds more than `most` entries."""
    return Cause("FieldValueTooMany", f"Too many: {found}: must have at most {most} items", field)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)
