"""Defaults as data: what stands in a field when nobody said anything."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Complete

Defaults = Mapping[str, Any]
"""By field: a value to set where there is none; defaults for an object, where there is one; `Each`
for the items of a list; `Made` for an object that is made where there is none."""


@dataclass(frozen=True, slots=True)
class Each:
    """Defaults for every item of a list.

    Args:
        of: The defaults.
    """

    of: Defaults


@dataclass(frozen=True, slots=True)
class Made:
    """Defaults for an object that comes to be if it is not there.

    Args:
        of: The defaults.
    """

    of: Defaults


@dataclass(frozen=True, slots=True)
class Value:
    """A default that is an object or a list itself.

    Args:
        of: The value.
    """

    of: Any


def set_defaults(obj: KubeObject, defaults: Defaults) -> None:
    """Set, in place, what is missing."""
    for field, default in defaults.items():
        match default:
            case Each(of):
                for item in obj.get(field) or ():
                    set_defaults(item, of)
            case Made(of):
                set_defaults(obj.setdefault(field, {}), of)
            case Mapping():
                if isinstance(obj.get(field), dict):
                    set_defaults(obj[field], default)
            case Value(of):
                obj.setdefault(field, deepcopy(of))
            case _:
                obj.setdefault(field, default)


def defaulted(defaults: Defaults) -> Complete:
    """Return what sets these defaults in an object of the kind."""

    def complete(obj: KubeObject) -> None:
        set_defaults(obj, defaults)

    return complete
