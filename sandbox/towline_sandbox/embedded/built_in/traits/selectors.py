"""Label selectors as fields of objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import label_value, qualified_name
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import forbidden_field, invalid_value, required

_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")


def check_selector(where: str, selector: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with a selector that stands at this path."""
    for key in sorted(selector.get("matchLabels") or {}):
        for problem in qualified_name(key):
            yield invalid_value(f"{where}.matchLabels", key, problem)
        for problem in label_value(selector["matchLabels"][key]):
            yield invalid_value(f"{where}.matchLabels", selector["matchLabels"][key], problem)
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        yield from _check_requirement(f"{where}.matchExpressions[{index}]", requirement)


def selects(selector: KubeObject, labels: Mapping[str, str]) -> bool:
    """Return whether a selector picks something with these labels."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def is_empty(selector: KubeObject) -> bool:
    """Return whether a selector picks everything."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _check_requirement(where: str, requirement: KubeObject) -> Iterator[Cause]:
    operator, values = requirement.get("operator", ""), requirement.get("values")
    if operator in _WITH_VALUES:
        if not values:
            told = "must be specified when `operator` is 'In' or 'NotIn'"
            yield required(f"{where}.values", told)
    elif operator in _WITHOUT_VALUES:
        if values:
            told = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield forbidden_field(f"{where}.values", told)
    else:
        yield invalid_value(f"{where}.operator", operator, "not a valid selector operator")
    for problem in qualified_name(requirement.get("key", "")):
        yield invalid_value(f"{where}.key", requirement.get("key", ""), problem)
    for index, value in enumerate(values or ()):
        for problem in label_value(value):
            yield invalid_value(f"{where}.values[{index}]", value, problem)


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement.get("key", ""), requirement.get("values") or ()
    match requirement.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
