"""Columns that CustomResourceDefinitions declare, each cell found by a JSONPath.

Kubernetes' dialect of JSONPath is older than the standard: paths begin with a dot instead of `$`,
names may hold dashes and slashes, and a backslash takes away a dot's meaning. So names are put
between quotes first; the rest (indexes, slices, filters) means the same in both.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Column
from towline_sandbox.embedded.views.durations import INVALID, Since, parse_moment

if TYPE_CHECKING:
    from jsonpath import CompoundJSONPath, JSONPath

_NO_VALUE = "<no value>"

log = logging.getLogger(__name__)

_ESCAPED, _PLAIN = re.compile(r"\\(.)"), r"\1"
_STEP = re.compile(
    r"""
      (?P<deep>\.\.)
    | \.?(?P<name>(?:\\.|[^\s.,\[\]$@{}\\])+)
    | \['(?P<quoted>[^']*)'\]
    | (?P<bracket>\[(?:'[^']*'(?:,'[^']*')+|[-0-9,:*]*|\?\((?:[^()'"]|'[^']*'|"[^"]*")*\))\])
    | (?P<nothing>\.)
    | (?P<here>\$)
    """,
    re.VERBOSE,
)


def standard_path(path: str) -> str:
    """Return Kubernetes' JSONPath in the form of the standard.

    Raises:
        ValueError: It is none.
    """
    return f"${''.join(_steps(path))}"


def _steps(path: str) -> Iterator[str]:
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"invalid JSONPath {path!r} at {path[position:]!r}")
        position = found.end()
        if found["deep"]:
            yield ".."
        elif found["name"] == "*" or found["bracket"] == "[]":
            yield "[*]"
        elif found["name"]:
            yield f"[{json.dumps(_ESCAPED.sub(_PLAIN, found['name']))}]"
        elif found["quoted"] is not None:
            # Quotes take nothing away from the meaning of dots here.
            yield from _steps(f".{found['quoted']}")
        elif found["bracket"]:
            yield found["bracket"]
        elif found["nothing"]:
            yield '[""]'


def printer_column(declared: KubeObject) -> Column | None:
    """Return the column that one of `additionalPrinterColumns` declares.

    As in Kubernetes, one whose path cannot be read is left out, and nobody is told but the log.
    """
    # Here, since a plane can start without it.
    import jsonpath

    path: str = declared["jsonPath"]
    type_: str = declared["type"]
    try:
        compiled = jsonpath.compile(standard_path(path))
    except (ValueError, jsonpath.JSONPathError) as error:
        log.warning("printer column left out", extra={"path": path, "error": str(error)})
        return None
    return Column(
        declared["name"],
        type_,
        _value_of(compiled, type_),
        format=declared.get("format", ""),
        priority=declared.get("priority", 0),
        description=declared.get("description")
        or f"Custom resource definition column (in JSONPath format): {path}",
    )


def _value_of(
    compiled: "JSONPath | CompoundJSONPath", type_: str
) -> Callable[[KubeObject], object]:
    from jsonpath import JSONPathError

    def value(each: KubeObject) -> object:
        try:
            match = compiled.match(each)
        except JSONPathError:  # a comparison of what cannot be compared
            return None
        return None if match is None else _cell(match.obj, type_)

    return value


def _cell(value: Any, type_: str) -> object:
    # What does not fit the column's type is left out; text takes anything.
    if type_ == "string":
        return _as_text(value)
    if type_ == "date":
        return _as_moment(value)
    if isinstance(value, bool):
        return value if type_ == "boolean" else None
    if isinstance(value, int | float):
        return int(value) if type_ == "integer" else value if type_ == "number" else None
    return None


def _as_text(value: Any) -> str:
    match value:
        case None:
            return _NO_VALUE
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _as_moment(value: Any) -> object:
    if not isinstance(value, str):
        return None
    moment = parse_moment(value)
    return INVALID if moment is None else Since(moment)
