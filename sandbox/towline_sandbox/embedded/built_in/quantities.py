"""Quantities of resources (`500m`, `1Gi`, `1e3`), in the one form Kubernetes writes each in."""

import re
from fractions import Fraction

_PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_PARTS = re.compile(_PATTERN)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_EXPONENT = re.compile(r"[eE]([+-]?\d{1,3})")  # more digits than that mean nothing in a cluster

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_NAMES = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY_NAMES = {power: suffix for suffix, power in _BINARY.items()}
_SMALLEST_POWER = -9


class QuantityError(ValueError):
    """The text is no quantity; says why in Kubernetes' words."""


def parse_quantity(text: str) -> Fraction:
    """Return the amount.

    Raises:
        QuantityError: The text is no quantity.
    """
    number, suffix = _split(text)
    return _amount(number, suffix)


def canonical_quantity(text: str) -> str:
    """Return the text as Kubernetes writes this quantity, in the suffixes it was written in.

    Raises:
        QuantityError: The text is no quantity.
    """
    number, suffix = _split(text)
    amount = _amount(number, suffix)
    if amount == 0:
        return "0"
    if suffix in _BINARY and abs(amount) >= 1024 and amount.denominator == 1:
        return _in_binary(amount.numerator)
    return _in_decimal(amount, exponent=_EXPONENT.fullmatch(suffix) is not None)


def _split(text: str) -> tuple[str, str]:
    parts = _PARTS.match(text)
    if parts is None or text.endswith("\n") or not _NUMBER.fullmatch(parts[1]):
        raise QuantityError(f"quantities must match the regular expression '{_PATTERN}'")
    number, suffix = parts.groups()
    if suffix in _DECIMAL or suffix in _BINARY or _EXPONENT.fullmatch(suffix):
        return number, suffix
    # Go's parser stops at the first letter that no suffix has there.
    if re.fullmatch(r"[eEinumkKMGTP]*[-+]?\d*", suffix) and not re.fullmatch(r"[A-Za-z]I", suffix):
        raise QuantityError("unable to parse quantity's suffix")
    raise QuantityError(f"quantities must match the regular expression '{_PATTERN}'")


def _amount(number: str, suffix: str) -> Fraction:
    value = Fraction(number if number[-1] != "." else number[:-1])
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent:
        return value * _ten_to_the(int(exponent[1]))
    if suffix in _BINARY:
        return value * Fraction(1024 ** _BINARY[suffix])
    return value * _ten_to_the(_DECIMAL[suffix])


def _ten_to_the(power: int) -> Fraction:
    return Fraction(10**power) if power >= 0 else Fraction(1, 10**-power)


def _in_binary(amount: int) -> str:
    power = 0
    while amount % 1024 == 0 and power + 1 in _BINARY_NAMES:
        amount //= 1024
        power += 1
    return f"{amount}{_BINARY_NAMES.get(power, '')}"


def _in_decimal(amount: Fraction, *, exponent: bool) -> str:
    # Nothing finer than a billionth is kept; what is lost counts as one more.
    smallest = amount * 10**-_SMALLEST_POWER
    steps = -(-abs(smallest.numerator) // smallest.denominator)
    power = _SMALLEST_POWER
    while steps % 1000 == 0 and (exponent or power + 3 in _DECIMAL_NAMES):
        steps //= 1000
        power += 3
    sign = "-" if amount < 0 else ""
    suffix = (f"e{power}" if power else "") if exponent else _DECIMAL_NAMES[power]
    return f"{sign}{steps}{suffix}"
