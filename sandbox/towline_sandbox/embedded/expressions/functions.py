"""Functions of CEL and those that Kubernetes adds, with the types they take and give.

Only what is listed can be used: a rule that names another function is refused when it is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

from celpy import celtypes

from towline_sandbox.embedded.expressions.operators import are_equal, failure
from towline_sandbox.embedded.expressions.patterns import compile_pattern
from towline_sandbox.embedded.expressions.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    CelType,
    list_of,
    map_of,
    optional_of,
)

URL = CelType("kubernetes.URL")
AUTHORIZER = CelType("kubernetes.authorization.Authorizer")
PATH_CHECK = CelType("kubernetes.authorization.PathCheck")
GROUP_CHECK = CelType("kubernetes.authorization.GroupCheck")
RESOURCE_CHECK = CelType("kubernetes.authorization.ResourceCheck")
DECISION = CelType("kubernetes.authorization.Decision")
ANY_LIST = list_of(DYN)
ANY_OPTIONAL = optional_of(DYN)
ANY_MAP = map_of(DYN, key=DYN)


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function.

    Args:
        arguments: Types it takes.
        result: Type it gives.
        receiver: Type before the dot; None if it is called by itself.
    """

    arguments: tuple[CelType, ...]
    result: CelType
    receiver: CelType | None = None


def _method(receiver: CelType, result: CelType, *arguments: CelType) -> Overload:
    return Overload(arguments, result, receiver)


def _function(result: CelType, *arguments: CelType) -> Overload:
    return Overload(arguments, result)


def _of_time(result: CelType = INT) -> tuple[Overload, ...]:
    return _method(TIMESTAMP, result), _method(TIMESTAMP, result, STRING)


_SIZED = (STRING, BYTES, ANY_LIST, ANY_MAP)

OVERLOADS: Mapping[str, Sequence[Overload]] = {
    "size": [
        *(_function(INT, kind) for kind in _SIZED),
        *(_method(kind, INT) for kind in _SIZED),
    ],
    "dyn": [_function(DYN, DYN)],
    "type": [_function(TYPE, DYN)],
    "int": [_function(INT, kind) for kind in (INT, UINT, DOUBLE, STRING, TIMESTAMP)],
    "uint": [_function(UINT, kind) for kind in (UINT, INT, DOUBLE, STRING)],
    "double": [_function(DOUBLE, kind) for kind in (DOUBLE, INT, UINT, STRING)],
    "bool": [_function(BOOL, kind) for kind in (BOOL, STRING)],
    "string": [
        _function(STRING, kind)
        for kind in (STRING, BOOL, INT, UINT, DOUBLE, BYTES, TIMESTAMP, DURATION)
    ],
    "bytes": [_function(BYTES, kind) for kind in (BYTES, STRING)],
    "timestamp": [_function(TIMESTAMP, kind) for kind in (TIMESTAMP, STRING, INT)],
    "duration": [_function(DURATION, kind) for kind in (DURATION, STRING)],
    "contains": [_method(STRING, BOOL, STRING)],
    "startsWith": [_method(STRING, BOOL, STRING)],
    "endsWith": [_method(STRING, BOOL, STRING)],
    "matches": [_method(STRING, BOOL, STRING), _function(BOOL, STRING, STRING)],
    "getDate": _of_time(),
    "getDayOfMonth": _of_time(),
    "getDayOfWeek": _of_time(),
    "getDayOfYear": _of_time(),
    "getFullYear": _of_time(),
    "getMonth": _of_time(),
    "getHours": [*_of_time(), _method(DURATION, INT)],
    "getMinutes": [*_of_time(), _method(DURATION, INT)],
    "getSeconds": [*_of_time(), _method(DURATION, INT)],
    "getMilliseconds": [*_of_time(), _method(DURATION, INT)],
    # Strings.
    "charAt": [_method(STRING, STRING, INT)],
    "indexOf": [
        _method(STRING, INT, STRING),
        _method(STRING, INT, STRING, INT),
        _method(ANY_LIST, INT, DYN),
    ],
    "lastIndexOf": [
        _method(STRING, INT, STRING),
        _method(STRING, INT, STRING, INT),
        _method(ANY_LIST, INT, DYN),
    ],
    "lowerAscii": [_method(STRING, STRING)],
    "upperAscii": [_method(STRING, STRING)],
    "replace": [
        _method(STRING, STRING, STRING, STRING),
        _method(STRING, STRING, STRING, STRING, INT),
    ],
    "split": [
        _method(STRING, list_of(STRING), STRING),
        _method(STRING, list_of(STRING), STRING, INT),
    ],
    "substring": [_method(STRING, STRING, INT), _method(STRING, STRING, INT, INT)],
    "trim": [_method(STRING, STRING)],
    "reverse": [_method(STRING, STRING)],
    "join": [_method(list_of(STRING), STRING), _method(list_of(STRING), STRING, STRING)],
    "find": [_method(STRING, STRING, STRING)],
    "findAll": [
        _method(STRING, list_of(STRING), STRING),
        _method(STRING, list_of(STRING), STRING, INT),
    ],
    # Lists.
    "isSorted": [_method(ANY_LIST, BOOL)],
    "sum": [_method(list_of(kind), kind) for kind in (INT, UINT, DOUBLE, DURATION)],
    "max": [_method(ANY_LIST, DYN)],
    # URLs.
    "url": [_function(URL, STRING)],
    "isURL": [_function(BOOL, STRING)],
    "getScheme": [_method(URL, STRING)],
    "getHost": [_method(URL, STRING)],
    "getHostname": [_method(URL, STRING)],
    "getPort": [_method(URL, STRING)],
    "getEscapedPath": [_method(URL, STRING)],
    "getQuery": [_method(URL, map_of(list_of(STRING)))],
    # Optional values.
    "hasValue": [_method(ANY_OPTIONAL, BOOL)],
    "value": [_method(ANY_OPTIONAL, DYN)],
    "orValue": [_method(ANY_OPTIONAL, DYN, DYN)],
    # Authorization.
    "path": [_method(AUTHORIZER, PATH_CHECK, STRING)],
    "group": [_method(AUTHORIZER, GROUP_CHECK, STRING)],
    "serviceAccount": [_method(AUTHORIZER, AUTHORIZER, STRING, STRING)],
    "resource": [_method(GROUP_CHECK, RESOURCE_CHECK, STRING)],
    "subresource": [_method(RESOURCE_CHECK, RESOURCE_CHECK, STRING)],
    "namespace": [_method(RESOURCE_CHECK, RESOURCE_CHECK, STRING)],
    "name": [_method(RESOURCE_CHECK, RESOURCE_CHECK, STRING)],
    "check": [_method(RESOURCE_CHECK, DECISION, STRING), _method(PATH_CHECK, DECISION, STRING)],
    "allowed": [_method(DECISION, BOOL)],
    "reason": [_method(DECISION, STRING)],
    "error": [_method(DECISION, STRING)],
    "errored": [_method(DECISION, BOOL)],
}
"""The functions there are, each with the ways to call it."""

NOT_HERE = frozenset(
    {
        *("quantity", "isQuantity", "isGreaterThan", "isLessThan", "compareTo", "asInteger"),
        *("isInteger", "asApproximateFloat", "sign", "add", "sub"),
        *("ip", "isIP", "cidr", "isCIDR", "family", "isCanonical", "isUnspecified", "isLoopback"),
        *("isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast", "containsIP"),
        *("containsCIDR", "prefixLength", "masked", "format", "quote", "semver", "isSemver"),
        *("none", "of", "ofNonZeroValue", "or", "optMap"),
        *("optFlatMap", "equivalent", "intersects", "validate", "named", "min", "bind", "slice"),
        *("distinct", "flatten", "sort", "sortBy", "range", "transformList", "transformMap"),
        *("fieldSelector", "labelSelector", "includes"),
    }
)
"""Functions that Kubernetes has and this server has not, so that refusals can say so."""


def _text(value: str) -> Any:
    return celtypes.StringType(value)


def _texts(values: Sequence[str]) -> Any:
    return celtypes.ListType([celtypes.StringType(value) for value in values])


def _matches(text: str, pattern: str) -> Any:
    return celtypes.BoolType(compile_pattern(str(pattern)).search(str(text)) is not None)


def _char_at(text: str, index: int) -> Any:
    if not 0 <= index <= len(text):
        return failure(f"index out of range: {index}")
    return _text(text[index : index + 1])


def _index_of(where: Any, what: Any, start: int = 0) -> Any:
    if isinstance(where, str):
        return celtypes.IntType(str(where).find(str(what), int(start)))
    found = (at for at, item in enumerate(where) if are_equal(item, what))
    return celtypes.IntType(next(found, -1))


def _last_index_of(where: Any, what: Any, end: int | None = None) -> Any:
    if isinstance(where, str):
        stop = len(where) if end is None else int(end) + len(what)
        return celtypes.IntType(str(where).rfind(str(what), 0, stop))
    found = [at for at, item in enumerate(where) if are_equal(item, what)]
    return celtypes.IntType(found[-1] if found else -1)


def _ascii_case(change: Callable[[str], str]) -> Callable[[str], Any]:
    def changed(text: str) -> Any:
        return _text("".join(change(each) if each.isascii() else each for each in str(text)))

    return changed


def _replace(text: str, old: str, new: str, most: int = -1) -> Any:
    return _text(str(text).replace(str(old), str(new), int(most)))


def _split(text: str, separator: str, most: int = -1) -> Any:
    plain, most = str(text), int(most)
    if most == 0:
        return _texts([])
    if not separator:
        letters = list(plain)
        return _texts(letters if most < 0 else [*letters[: most - 1], "".join(letters[most - 1 :])])
    return _texts(plain.split(str(separator), most - 1 if most > 0 else -1))


def _substring(text: str, start: int, end: int | None = None) -> Any:
    stop = len(text) if end is None else int(end)
    if not 0 <= start <= stop <= len(text):
        return failure(f"index out of range: {start if start > len(text) else stop}")
    return _text(str(text)[int(start) : stop])


def _join(items: Sequence[str], separator: str = "") -> Any:
    return _text(str(separator).join(map(str, items)))


def _find(text: str, pattern: str) -> Any:
    found = compile_pattern(str(pattern)).search(str(text))
    return _text("" if found is None else found.group())


def _find_all(text: str, pattern: str, most: int = -1) -> Any:
    found = [each.group() for each in compile_pattern(str(pattern)).finditer(str(text))]
    return _texts(found if most < 0 else found[: int(most)])


def _is_sorted(items: Sequence[Any]) -> Any:
    pairs = pairwise(items)
    return celtypes.BoolType(all(bool(first <= second) for first, second in pairs))


def _sum(items: Sequence[Any]) -> Any:
    if not items:
        return celtypes.IntType(0)
    total = items[0]
    for item in items[1:]:
        total = total + item
    return total


def _max(items: Sequence[Any]) -> Any:
    return max(items) if items else failure("max called on empty list")


def _is_url(text: str) -> bool:
    parts = urlsplit(str(text))
    return bool(parts.scheme) or str(text).startswith("/")


def _url(text: str) -> Any:
    if not _is_url(text):
        return failure(
            "URL parse error during conversion from string: "
            f'parse "{text}": invalid URI for request'
        )
    return urlsplit(str(text))


def _port(parts: Any) -> Any:
    return _text("" if parts.port is None else str(parts.port))


def _query(parts: Any) -> Any:
    return celtypes.MapType(
        {
            celtypes.StringType(key): _texts(values)
            for key, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
    )


def _asks(method: str) -> Callable[..., Any]:
    """Return a function that calls the method of an authorizer, or of what one gives."""

    def ask(receiver: Any, *arguments: Any) -> Any:
        return getattr(receiver, method)(*map(str, arguments))

    return ask


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "matches": _matches,
    "charAt": _char_at,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "lowerAscii": _ascii_case(str.lower),
    "upperAscii": _ascii_case(str.upper),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda text: _text(str(text).strip()),
    "reverse": lambda text: _text(str(text)[::-1]),
    "join": _join,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
    "sum": _sum,
    "max": _max,
    "url": _url,
    "isURL": lambda text: celtypes.BoolType(_is_url(text)),
    "getScheme": lambda parts: _text(parts.scheme),
    "getHost": lambda parts: _text(parts.netloc.rpartition("@")[2]),
    "getHostname": lambda parts: _text(parts.hostname or ""),
    "getPort": _port,
    "getEscapedPath": lambda parts: _text(parts.path),
    "getQuery": _query,
    "hasValue": lambda each: celtypes.BoolType(each.is_there),
    "value": lambda each: each.value(),
    "orValue": lambda each, other: each.value_or(other),
    "path": _asks("path"),
    "group": _asks("group"),
    "serviceAccount": _asks("service_account"),
    "resource": _asks("resource"),
    "subresource": _asks("subresource"),
    "namespace": _asks("namespace"),
    "name": _asks("name"),
    "check": _asks("check"),
    "allowed": lambda decision: celtypes.BoolType(decision.allowed),
    "reason": lambda decision: _text(decision.reason),
    "error": lambda _decision: _text(""),
    "errored": lambda _decision: celtypes.BoolType(False),
}
"""What celpy does not bring itself, or does otherwise."""
