"""Durations as a field of pydantic models; apart from `durations`, which can do without them."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from towline_api.durations import format_duration, parse_duration


def _parse_field(value: object) -> object:
    """Parse text; pass a timedelta on; refuse numbers, which pydantic would take for seconds."""
    if isinstance(value, str):
        value = parse_duration(value)
    if isinstance(value, timedelta):
        # Not as a constraint: pydantic would let it replace a field's own `ge`.
        if value < timedelta():
            raise ValueError("a duration is not negative")
        return value
    raise ValueError(
        f"a duration is text with a unit, for example '90s' or '1h30m'; found {value!r}"
    )


Duration = Annotated[
    timedelta,
    BeforeValidator(_parse_field),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["90s", "1h30m"]}),
]
"""A pydantic field that reads and writes durations as text; never negative, may be zero."""
