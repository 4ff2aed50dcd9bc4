"""The hash by which hub and agent agree that a configuration was applied.

SHA-256 over the object as the API server returned it, without `apiVersion`, `kind`, `metadata`
and `status`, written as Go writes JSON: compact, keys in order, a few characters escaped that
need no escape, numbers in Go's form. Both sides compute it on their own, so every byte counts.
Hash the plain dictionary as it came: a typed model would add empty members.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

from towline_api.resources import KubeObject

_NOT_HASHED = frozenset({"apiVersion", "kind", "metadata", "status"})

# Go escapes what could end a script element or a JavaScript string. None of these characters can
# stand outside a string, so they may be replaced in the finished text.
_GO_ESCAPES = str.maketrans(
    {
        "<": r"\u003c",
        ">": r"\u003e",
        "&": r"\u0026",
        "\u2028": r"\u2028",
        "\u2029": r"\u2029",
    }
)
_SMALLEST_INT, _LARGEST_INT = -(2**63), 2**63 - 1


def spec_hash(obj: KubeObject) -> str:
    """Return the lower-case hex SHA-256 of everything that configures, as OCM computes it.

    Args:
        obj: The configuration as read from the API, defaults included.

    Raises:
        ValueError: A number is NaN, infinite, or too large for a float.
        TypeError: A key is no text, or a value is of a type JSON does not have.
    """
    kept = {key: value for key, value in obj.items() if key not in _NOT_HASHED}
    return hashlib.sha256(go_json(kept).encode()).hexdigest()


def go_json(value: object) -> str:
    r"""Return a JSON value as Go's `encoding/json` writes it after reading it as untyped data.

    Keys sorted by code point (the same order as Go's by UTF-8 bytes), no white space, `<`, `>`,
    `&`, U+2028 and U+2029 as `\uXXXX`, half a surrogate pair as U+FFFD.

    Raises:
        ValueError: A number is NaN, infinite, or too large for a float.
        TypeError: A key is no text, or a value is of a type JSON does not have.
    """
    return "".join(_pieces(value)).translate(_GO_ESCAPES)


def _pieces(value: Any) -> Iterator[str]:
    match value:
        case None:
            yield "null"
        case bool():
            yield "true" if value else "false"
        case str():
            yield json.dumps(_mended(value), ensure_ascii=False)
        case int():
            yield _go_int(value)
        case float():
            yield _go_float(value)
        case dict():
            yield from _object_pieces(value)
        case list() | tuple():
            for index, item in enumerate(value):
                yield "," if index else "["
                yield from _pieces(item)
            yield "]" if value else "[]"
        case _:
            raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _object_pieces(value: dict[Any, Any]) -> Iterator[str]:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"JSON keys are text; found {key!r}")
    mended = {_mended(key): item for key, item in value.items()}
    for index, key in enumerate(sorted(mended)):
        yield "," if index else "{"
        yield json.dumps(key, ensure_ascii=False)
        yield ":"
        yield from _pieces(mended[key])
    yield "}" if mended else "{}"


def _mended(text: str) -> str:
    """Replace halves of surrogate pairs, which have no UTF-8 form, as Go does when it reads."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _go_int(number: int) -> str:
    # Kubernetes keeps what fits 64 bits as an integer and reads the rest as a float.
    if _SMALLEST_INT <= number <= _LARGEST_INT:
        return str(number)
    try:
        return _go_float(float(number))
    except OverflowError as error:
        raise ValueError("JSON number is too large for a float") from error


def _go_float(number: float) -> str:
    """Write the shortest digits that read back the same, with an exponent only at the extremes."""
    if not math.isfinite(number):
        raise ValueError(f"JSON cannot hold the number {number!r}")
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent_text = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    # digits * 10**exponent, without zeros at either end
    exponent = int(exponent_text or 0) - len(fraction)
    digits = (whole + fraction).lstrip("0")
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    digits = stripped
    point = len(digits) + exponent
    if abs(number) < 1e-6 or abs(number) >= 1e21:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if point <= 0 else '+'}{abs(point - 1)}"
    if exponent >= 0:
        return f"{sign}{digits}{'0' * exponent}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[:point]}.{digits[point:]}"
