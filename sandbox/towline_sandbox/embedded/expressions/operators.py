"""CEL's operators where celpy sees them too narrowly.

Values whose type is not known beforehand may be compared with anything: what differs in type is
not equal, and numbers of different types are compared as numbers. celpy refuses both.
"""

from collections.abc import Callable
from typing import Any

from celpy import celtypes
from celpy.evaluation import CELEvalError

_NUMBERS = (celtypes.IntType, celtypes.UintType, celtypes.DoubleType, int, float)


def failure(message: str) -> CELEvalError:
    """Return an error as a value, which `||` and `&&` may still overrule."""
    return CELEvalError(message)


def are_equal(left: Any, right: Any) -> bool:
    """Return whether two values are equal; values of different types are not."""
    if left is None or right is None:
        return left is right
    if isinstance(left, celtypes.BoolType | bool) or isinstance(right, celtypes.BoolType | bool):
        return (
            isinstance(left, celtypes.BoolType | bool)
            and isinstance(right, celtypes.BoolType | bool)
            and bool(left) == bool(right)
        )
    if isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS):
        return _number(left) == _number(right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(are_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            are_equal(part, right[key]) for key, part in left.items()
        )
    if isinstance(left, str) and isinstance(right, str):
        return str(left) == str(right)
    if type(left) is type(right):
        return bool(left == right)
    return False


def _number(value: Any) -> int | float:
    return float(value) if isinstance(value, float) else int(value)


def _errors(*values: Any) -> CELEvalError | None:
    return next((value for value in values if isinstance(value, CELEvalError)), None)


def _equals(left: Any, right: Any) -> Any:
    return _errors(left, right) or celtypes.BoolType(are_equal(left, right))


def _differs(left: Any, right: Any) -> Any:
    return _errors(left, right) or celtypes.BoolType(not are_equal(left, right))


def _is_in(item: Any, container: Any) -> Any:
    error = _errors(item, container)
    if error is not None:
        return error
    if not isinstance(container, list | dict):
        return failure("no such overload")
    return celtypes.BoolType(any(are_equal(item, each) for each in container))


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def ordered(left: Any, right: Any) -> Any:
        error = _errors(left, right)
        if error is not None:
            return error
        if isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS):
            return celtypes.BoolType(compare(_number(left), _number(right)))
        for kind in (str, bytes, celtypes.TimestampType, celtypes.DurationType):
            if isinstance(left, kind) and isinstance(right, kind):
                if kind is str:
                    return celtypes.BoolType(compare(str(left), str(right)))
                return celtypes.BoolType(compare(left, right))
        return failure("no such overload")

    return ordered


def _add(left: Any, right: Any) -> Any:
    error = _errors(left, right)
    if error is not None:
        return error
    if isinstance(left, str) and isinstance(right, str):
        return celtypes.StringType(str(left) + str(right))
    if isinstance(left, list) and isinstance(right, list):
        return celtypes.ListType([*left, *right])
    return left + right


def _item(container: Any, index: Any) -> Any:
    error = _errors(container, index)
    if error is not None:
        return error
    if isinstance(container, list):
        at = int(index)
        return container[at] if 0 <= at < len(container) else failure(f"index out of bounds: {at}")
    if isinstance(container, dict):
        return container[index] if index in container else failure(f"no such key: {index}")
    return failure("no such overload")


OPERATORS: dict[str, Callable[..., Any]] = {
    "_==_": _equals,
    "_!=_": _differs,
    "_in_": _is_in,
    "_<_": _ordered(lambda left, right: left < right),
    "_<=_": _ordered(lambda left, right: left <= right),
    "_>_": _ordered(lambda left, right: left > right),
    "_>=_": _ordered(lambda left, right: left >= right),
    "_+_": _add,
    "_[_]": _item,
}
"""By celpy's names."""
