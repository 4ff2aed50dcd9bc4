"""Kubernetes quantities (`250m`, `16Gi`, `1e3`): read, summed, and written as Kubernetes does."""

import re
from collections.abc import Iterable
from decimal import Decimal

from towline_api.errors import WireError

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?P<suffix>[eE][+-]?[0-9]{1,2}|[KMGTPE]i|[numkMGTPE]|)",
    re.ASCII,
)
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LONGEST = 64


def sum_quantities(texts: Iterable[str]) -> str:
    """Return the sum, written in the family (binary or decimal) of the first quantity.

    Like Kubernetes, it uses the largest suffix that leaves a whole number; no quantities make `0`.

    Raises:
        WireError: One of the texts is not a quantity.
    """
    total, binary = Decimal(0), None
    for text in texts:
        value, is_binary = _parse(text)
        total += value
        # A zero says nothing about the family, in Kubernetes neither.
        if binary is None and value:
            binary = is_binary
    return _format(total, binary=bool(binary))


def _parse(text: str) -> tuple[Decimal, bool]:
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise WireError(
            f"{text[:_LONGEST]!r} is not a Kubernetes quantity such as 250m or 16Gi",
            field="status.capacity",
        )
    number, suffix = Decimal(match["number"]), match["suffix"]
    if suffix in _BINARY:
        return number * 1024 ** _BINARY[suffix], True
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix]), False
    return number.scaleb(int(suffix[1:])), False


def _format(value: Decimal, *, binary: bool) -> str:
    if not value:
        return "0"
    if binary and abs(value) >= 1024 and value == value.to_integral_value():
        whole, suffix = int(value), ""
        for larger in _BINARY:
            if whole % 1024:
                break
            whole, suffix = whole // 1024, larger
        return f"{whole}{suffix}"
    for suffix, exponent in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-exponent)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    # Finer than a billionth: Kubernetes rounds up as well.
    return f"{int(value.scaleb(9).to_integral_value(rounding='ROUND_CEILING'))}n"
