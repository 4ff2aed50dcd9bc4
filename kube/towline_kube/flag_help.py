"""What `--help` says of a flag: values as a person types them, not as Python spells them."""

import argparse
import types
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from towline_api.durations import format_duration
from towline_kube.listen_address import ListenAddress


def describe_flags(parser: argparse.ArgumentParser, settings_class: type[BaseModel]) -> None:
    """Rewrite what a parser made by pydantic-settings shows of each flag's values and default.

    The library shows the types' Python names, and the members' names of enumerations where it takes
    their values. Nothing about parsing changes.
    """
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        field = settings_class.model_fields.get(action.dest.replace("-", "_"))
        if field is None:
            field = _by_alias(settings_class, action.dest)
        if field is None:
            continue
        # A positional's metavar is its name in messages too, and a switch takes no value.
        if action.option_strings and action.nargs != 0:
            action.metavar = _placeholder(field.annotation)
        shown = _shown(field.default if field.default_factory is None else None)
        text = " ".join((field.description or "").split()).replace("%", "%%")
        action.help = f"{text} (default: {shown})" if shown else text


def allowed_types(annotation: Any) -> set[Any]:
    """Return the bare types that an annotation allows: of `tuple[str, ...] | None`, both."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return allowed_types(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return set().union(*(allowed_types(option) for option in get_args(annotation)))
    return {origin or annotation}


def _by_alias(settings_class: type[BaseModel], name: str) -> FieldInfo | None:
    for field in settings_class.model_fields.values():
        if name in getattr(field.validation_alias, "choices", [field.validation_alias]):
            return field
    return None


_PLACEHOLDERS = (
    (timedelta, "DURATION"),
    (Path, "FILE"),
    (int, "NUMBER"),
    (str, "TEXT"),
    (ListenAddress, "HOST:PORT"),
)


def _placeholder(annotation: Any) -> str:
    kinds = allowed_types(annotation) - {type(None)}
    if dict in kinds:
        return "KEY=VALUE"
    if kinds & {tuple, list, set, frozenset}:
        items = [item for item in get_args(annotation) if item is not Ellipsis]
        return f"{_placeholder(items[0])},..." if items else "VALUE,..."
    kind = next(iter(kinds), str)
    if not isinstance(kind, type):
        return "VALUE"
    if issubclass(kind, Enum):
        return "{" + ",".join(str(member.value) for member in kind) + "}"
    return next((word for base, word in _PLACEHOLDERS if issubclass(kind, base)), "VALUE")


def _shown(default: object) -> str:
    """Return a default as one would type it; empty if there is nothing to show."""
    match default:
        case timedelta():
            return format_duration(default)
        case Enum():
            return str(default.value)
        case tuple() | list() | set() | frozenset():
            return ",".join(_shown(item) for item in default)
        case None | Mapping():
            return ""
        case bool():
            return ""
        case _ if repr(default) == "PydanticUndefined":
            return ""
        case _:
            return str(default)
