"""Building blocks of table columns: where a cell's value stands and how it is worded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Column
from towline_sandbox.embedded.views.durations import Since, parse_moment

NONE = "<none>"
UNSET = "<unset>"


def find(value: Any, *path: str | int, default: Any = None) -> Any:
    """Return what stands at a path of keys and indexes; `default` where it ends or is null."""
    for step in path:
        match value:
            case dict() if step in value:
                value = value[step]
            case list() if isinstance(step, int) and step < len(value):
                value = value[step]
            case _:
                return default
    return default if value is None else value


def cell(
    heading: str,
    value: Callable[[KubeObject], object],
    *,
    type_: str = "string",
    format_: str = "",
    wide: bool = False,
) -> Column:
    """Return a column; a `wide` one is shown only with `-o wide`."""
    return Column(heading, type_, value, format=format_, priority=1 if wide else 0)


def text(heading: str, *path: str | int, missing: str = "", wide: bool = False) -> Column:
    """Return a column of what stands at a path; `missing` also takes the place of empty text."""
    return cell(heading, lambda each: find(each, *path) or missing, wide=wide)


def number(heading: str, *path: str, missing: int = 0, type_: str = "integer") -> Column:
    """Return a column of a number at a path."""
    return cell(heading, lambda each: find(each, *path, default=missing), type_=type_)


def flag(heading: str, *path: str, missing: bool = False, type_: str = "boolean") -> Column:
    """Return a column of a boolean at a path."""
    return cell(heading, lambda each: find(each, *path, default=missing), type_=type_)


def length(heading: str, *path: str, type_: str = "string") -> Column:
    """Return a column that counts the entries of the list or map at a path."""
    return cell(heading, lambda each: len(find(each, *path, default=())), type_=type_)


def age(heading: str = "Age", *path: str) -> Column:
    """Return a column that says how long ago the moment at a path was; by default, creation."""
    where = path or ("metadata", "creationTimestamp")
    return cell(heading, lambda each: Since(parse_moment(find(each, *where))))


NAME = cell("Name", lambda each: find(each, "metadata", "name", default=""), format_="name")
"""The object's name, marked as such for kubectl."""

AGE = age()
CREATED_AT = cell(
    "Created At", lambda each: find(each, "metadata", "creationTimestamp"), type_="date"
)
"""What kinds without columns of their own show: the moment itself, not how long ago."""


def comma_separated(parts: Iterable[object], *, missing: str = "") -> str:
    """Return the parts with commas between them."""
    return ",".join(str(part) for part in parts) or missing


def first_few(parts: Sequence[str], *, limit: int = 3, missing: str = "") -> str:
    """Return the first parts, and how many more there are."""
    shown = comma_separated(parts[:limit], missing=missing)
    return f"{shown} + {len(parts) - limit} more..." if len(parts) > limit else shown


def labels(found: Mapping[str, str] | None) -> str:
    """Return labels as `a=b,c=d`."""
    return comma_separated(
        (f"{name}={value}" for name, value in sorted((found or {}).items())), missing=NONE
    )


def selector(found: Mapping[str, Any] | None, *, missing: str = NONE) -> str:
    """Return a label selector in the one-line form that kubectl also reads."""
    wanted = [(name, f"={value}") for name, value in find(found, "matchLabels", default={}).items()]
    for each in find(found, "matchExpressions", default=()):
        values = f"({comma_separated(sorted(find(each, 'values', default=())))})"
        match each.get("operator"):
            case "In":
                wanted.append((each["key"], f" in {values}"))
            case "NotIn":
                wanted.append((each["key"], f" notin {values}"))
            case "Exists":
                wanted.append((each["key"], ""))
            case "DoesNotExist":
                wanted.append((each["key"], "!"))
    wanted.sort(key=lambda pair: pair[0])
    return comma_separated(
        (f"!{key}" if rest == "!" else f"{key}{rest}" for key, rest in wanted), missing=missing
    )


def containers(*path: str) -> tuple[Column, Column]:
    """Return the columns of the containers of the pod template at a path: names, images."""
    where = (*path, "spec", "containers")

    def each_of(field: str) -> Callable[[KubeObject], object]:
        return lambda workload: comma_separated(
            find(container, field, default="") for container in find(workload, *where, default=())
        )

    return (
        cell("Containers", each_of("name"), wide=True),
        cell("Images", each_of("image"), wide=True),
    )
