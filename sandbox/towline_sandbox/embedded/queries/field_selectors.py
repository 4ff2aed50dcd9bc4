"""Selecting objects by a few of their fields: `metadata.name=c1,status.phase!=Running`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from towline_sandbox.embedded.queries.label_selectors import InvalidSelector


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One thing that is asked of an object's fields.

    Args:
        field: Which field.
        value: The value.
        is_equal: Whether the field has to have this value, or any other.
    """

    field: str
    value: str
    is_equal: bool = True


@lru_cache(maxsize=512)
def parse_field_selector(text: str) -> tuple[FieldTerm, ...]:
    """Return what a selector asks; all of it has to hold.

    Raises:
        InvalidSelector: The text is no selector.
    """
    found = []
    for part in sorted(_parts(text)):
        if not part:
            continue
        split = _split(part)
        if split is None:
            raise InvalidSelector(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = split
        found.append(FieldTerm(field, _unescaped(value), is_equal=operator != "!="))
    return tuple(found)


def _parts(text: str) -> Iterator[str]:
    start = 0
    escaped = False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _split(part: str) -> tuple[str, str, str] | None:
    for at in range(len(part)):
        for operator in ("!=", "==", "="):
            if part.startswith(operator, at):
                return part[:at], operator, part[at + len(operator) :]
    return None


def _unescaped(value: str) -> str:
    plain = ""
    characters = iter(value)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if escaped not in ("\\", ",", "="):
                raise InvalidSelector(
                    f"invalid field selector: invalid escape sequence: \\{escaped}"
                )
            plain += escaped
        elif character in ",=":
            raise InvalidSelector(
                f"invalid field selector: unescaped character in value: {ord(character)}"
            )
        else:
            plain += character
    return plain
