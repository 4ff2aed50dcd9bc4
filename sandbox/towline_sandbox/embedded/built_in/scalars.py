"""Readers of single values: what they take, and in which form they hand it on."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from towline_sandbox.embedded.built_in.quantities import QuantityError, canonical_quantity
from towline_sandbox.embedded.built_in.readings import (
    MisfitError,
    Place,
    Reading,
    UnreadableError,
    json_type,
)
from towline_sandbox.embedded.built_in.timestamps import (
    Precision,
    TimestampError,
    canonical_timestamp,
)

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_NEWLINES = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Text:
    """A string.

    Args:
        go_type: What the server calls its type.
    """

    go_type: str = "string"
    empty = ""

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> str:
        """Return the value as it is."""
        if type(value) is not str:
            raise MisfitError(json_type(value), self.go_type)
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false.

    Args:
        go_type: What the server calls its type.
    """

    go_type: str = "bool"
    empty = False

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> bool:
        """Return the value as it is."""
        if type(value) is not bool:
            raise MisfitError(json_type(value), self.go_type)
        return value


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number.

    Args:
        bits: How large it may be.
        go_type: What the server calls its type.
    """

    bits: int = 64
    go_type: str = "int64"
    empty = 0

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> int:
        """Return the value as it is; `2.0` is no whole number to Kubernetes."""
        if type(value) is int:
            if -(1 << (self.bits - 1)) <= value < 1 << (self.bits - 1):
                return value
            raise MisfitError(f"number {value}", self.go_type)
        found = f"number {value}" if type(value) is float else json_type(value)
        raise MisfitError(found, self.go_type)


@dataclass(frozen=True, slots=True)
class Number:
    """Any number."""

    go_type: str = "float64"
    empty = 0

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> float:
        """Return the value as it is."""
        if type(value) is not int and type(value) is not float:
            raise MisfitError(json_type(value), self.go_type)
        return value


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes, as base64.

    Args:
        go_type: What the server calls its type.
        empty: What is written where there are none.
    """

    go_type: str = "[]uint8"
    empty: str | None = None

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> str:
        """Return the value without line ends."""
        if type(value) is not str:
            raise MisfitError(json_type(value), self.go_type)
        text = _NEWLINES.sub("", value)
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error:
            wrong_at = _wrong_base64(text)
            raise UnreadableError(f"illegal base64 data at input byte {wrong_at}") from None
        return text


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time.

    Args:
        precision: How finely it is told.
    """

    precision: Precision
    empty = None

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> str:
        """Return the value in UTC."""
        if type(value) is not str:
            raise MisfitError(json_type(value), "string")
        try:
            return canonical_timestamp(value, precision=self.precision)
        except TimestampError as error:
            raise UnreadableError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount of a resource."""

    empty = "0"

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> str:
        """Return the value in its canonical form; a plain number will do as well."""
        try:
            return canonical_quantity(str(value))
        except QuantityError as error:
            raise UnreadableError(str(error)) from None


@dataclass(frozen=True, slots=True)
class IntOrText:
    """A whole number or a string, for example a port or its name."""

    empty = 0

    def read(self, value: Any, place: Place | None, reading: Reading) -> int | str:
        """Return the value as it is."""
        if type(value) is str:
            return value
        return Integer(32, "int32").read(value, place, reading)


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever JSON there is.

    Args:
        empty: What stands for nothing.
    """

    empty: Any = None

    def read(self, value: Any, _place: Place | None, _reading: Reading) -> Any:
        """Return the value as it is."""
        return value


def _wrong_base64(text: str) -> int:
    """Return where Go gives up on the text."""
    body = text.rstrip("=")
    strange = _NOT_BASE64.search(body)
    if strange:
        # Padding in the middle ends the data; what follows is too much.
        at = strange.start()
        ends = text[at] == "=" and at % 4 >= 2
        return (at + 3) // 4 * 4 if ends else at
    if len(text) % 4 == 0 or "=" in text:
        return len(text)
    # Too short: Go names the beginning of the group that is not whole.
    return len(text) // 4 * 4
