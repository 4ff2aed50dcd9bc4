"""Reading a configuration object of the hub into the model its developer gave. Pure.

What does not fit is told field by field: which object, which field, what was expected, what was
found. The contents of a Secret are never quoted.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from towline_agent.configuration.plan import Problem
from towline_api.errors import ConfigError
from towline_api.resources import SECRETS, KubeObject, Resource
from towline_kube.redaction import quotable

M = TypeVar("M", bound=BaseModel)

_HAVE_DATA = frozenset({"configmaps", "secrets"})
_LONGEST_FOUND = 80
_MOST_PROBLEMS = 10


class InvalidConfigurationError(ConfigError):
    """A configuration cannot be used as it stands on the hub; the last good one stays in force.

    Handlers may raise it, too. It is not tried again before the configuration changes.

    Args:
        message: What is wrong, what was expected and what to do.
        field: Path of the field to change, for example `spec.retries`; empty if it is not one.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


def content_field(resource: Resource) -> str:
    """Return the field of a kind that configures: `data` of ConfigMaps and Secrets, else `spec`."""
    is_core = resource.group == ""
    return "data" if is_core and resource.plural in _HAVE_DATA else "spec"


def read_model(obj: KubeObject, model: type[M], *, resource: Resource, source: str) -> M:
    """Return a configuration object as a model.

    Args:
        obj: The object.
        model: What its `content_field` has to fit; a field that is missing there counts as empty.
        resource: Its kind.
        source: How messages name the object.

    Raises:
        InvalidConfigurationError: It does not fit; names every field that is wrong.
    """
    field = content_field(resource)
    try:
        return model.model_validate(obj.get(field) or {})
    except ValidationError as error:
        is_quotable = resource.qualified != SECRETS.qualified
        problems = [
            Problem(source, _path(field, detail["loc"]), _message(detail, is_quotable=is_quotable))
            for detail in error.errors(include_url=False, include_context=False)
        ]
        raise InvalidConfigurationError(_joined(problems)) from None


def _path(field: str, location: Sequence[int | str]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return field + "".join(parts)


def _message(detail: ErrorDetails, *, is_quotable: bool) -> str:
    if detail["type"] == "missing":
        return "is needed and not there"
    if detail["type"] == "extra_forbidden":
        return "is not known; remove it, or correct its name"
    expected = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    expected = expected.removeprefix("Input should be ")
    found = _shown(detail["input"]) if is_quotable else "something else, which is not shown"
    return f"expected {quotable(expected)}, found {found}"


def _shown(found: Any) -> str:
    return quotable(repr(found), longest=_LONGEST_FOUND)


def _joined(problems: Sequence[Problem]) -> str:
    shown = "; ".join(str(problem) for problem in problems[:_MOST_PROBLEMS])
    more = len(problems) - _MOST_PROBLEMS
    return f"{shown}; and {more} more" if more > 0 else shown
