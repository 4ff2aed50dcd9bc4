"""Selectors in access reviews: rules do not look at them, but they have to make sense."""

from collections.abc import Callable, Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import forbidden_field, invalid_value, required
from towline_sandbox.embedded.queries.field_selectors import parse_field_selector
from towline_sandbox.embedded.queries.label_selectors import InvalidSelector, parse_label_selector
from towline_sandbox.embedded.queries.label_syntax import problems_of_key, problems_of_value

_PATH = "spec.resourceAttributes"
_NEED_VALUES = ("In", "NotIn")
_NEED_NO_VALUES = ("Exists", "DoesNotExist")


def problems_of_selectors(attributes: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with the selectors of a review's `resourceAttributes`."""
    for field, check in (("fieldSelector", _check_field), ("labelSelector", _check_label)):
        selector = attributes.get(field)
        if selector is None:
            continue
        path = f"{_PATH}.{field}"
        text, requirements = selector.get("rawSelector"), selector.get("requirements")
        if text and requirements:
            yield invalid_value(
                f"{path}.rawSelector", text, "may not specified at the same time as requirements"
            )
        if not text and not requirements:
            yield required(
                f"{path}.requirements",
                f"when {path} is specified, requirements or rawSelector is required",
            )
        for index, requirement in enumerate(requirements or ()):
            yield from check(requirement, f"{path}.requirements[{index}]")


def notes_on_selectors(attributes: KubeObject) -> Iterator[str]:
    """Say which selectors were not understood, and so not looked at."""
    for field, parse, understands in (
        ("fieldSelector", parse_field_selector, _understands_field),
        ("labelSelector", parse_label_selector, _understands_label),
    ):
        selector = attributes.get(field) or {}
        understood = [understands(each) for each in selector.get("requirements") or ()]
        text = selector.get("rawSelector")
        if text:
            understood.append(_can_parse(parse, text))
        if not all(understood):
            how = "partially ignored" if any(understood) else "ignored"
            yield f"{_PATH}.{field} {how} due to parse error"


def _can_parse(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except InvalidSelector:
        return False
    return True


def _understands_field(requirement: KubeObject) -> bool:
    return requirement.get("operator") in _NEED_VALUES and len(requirement["values"]) == 1


def _understands_label(requirement: KubeObject) -> bool:
    return requirement.get("operator") in (*_NEED_VALUES, *_NEED_NO_VALUES)


def _check_field(requirement: KubeObject, path: str) -> Iterator[Cause]:
    if not requirement.get("key"):
        yield required(f"{path}.key", "must be specified")
    yield from _check_operator(requirement, path)


def _check_label(requirement: KubeObject, path: str) -> Iterator[Cause]:
    yield from _check_operator(requirement, path)
    key = requirement.get("key", "")
    for problem in problems_of_key(key):
        yield invalid_value(f"{path}.key", key, problem)
    for index, value in enumerate(requirement.get("values") or ()):
        for problem in problems_of_value(value):
            yield invalid_value(f"{path}.values[{index}]", value, problem)


def _check_operator(requirement: KubeObject, path: str) -> Iterator[Cause]:
    # Operators of a Kubernetes to come are let through, as there.
    operator, values = requirement.get("operator"), requirement.get("values")
    if operator in _NEED_VALUES and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    if operator in _NEED_NO_VALUES and values:
        told = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield forbidden_field(f"{path}.values", told)
