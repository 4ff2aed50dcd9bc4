"""ValidatingAdmissionPolicies and their bindings themselves: what a valid one is."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import (
    duplicate,
    invalid_value,
    required,
    unsupported,
)

if TYPE_CHECKING:
    from towline_sandbox.embedded.expressions.types import CelType

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
_ACTIONS = ("Audit", "Deny", "Warn")
_SCOPES = ("*", "Cluster", "Namespaced")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUALIFIED = re.compile(r"([a-z0-9.-]+/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_EMPTY = "expression is not specified"


def check_policy(new: KubeObject) -> Iterable[Cause]:
    """Name every rule that a ValidatingAdmissionPolicy breaks."""
    from towline_sandbox.embedded.admission.compiled import types_of_policy, with_variable
    from towline_sandbox.embedded.expressions.program import BadExpression, Program

    spec: KubeObject = new.get("spec") or {}
    if spec.get("failurePolicy") not in ("Fail", "Ignore"):
        yield unsupported("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    yield from _param_kind(spec.get("paramKind"))
    match = spec.get("matchConstraints")
    if match is None:
        yield required("spec.matchConstraints")
    else:
        if not match.get("resourceRules"):
            yield required("spec.matchConstraints.resourceRules")
        yield from _match(match, "spec.matchConstraints")
    types = types_of_policy(spec)
    yield from _match_conditions(spec.get("matchConditions") or (), types)
    for index, variable in enumerate(spec.get("variables") or ()):
        place, name = f"spec.variables[{index}]", variable.get("name") or ""
        expression = variable.get("expression") or ""
        if not name:
            yield required(f"{place}.name", "name is not specified")
        elif _IDENTIFIER.fullmatch(name) is None:
            yield invalid_value(f"{place}.name", name, "must be a valid CEL identifier")
        if not expression.strip():
            yield required(f"{place}.expression", _EMPTY)
            continue
        try:
            found = Program(expression, variables=types).type
        except BadExpression as error:
            yield invalid_value(f"{place}.expression", expression, f"compilation failed: {error}")
        else:
            types = with_variable(types, name, found)
    yield from _conclusions(spec, types, name=new["metadata"].get("name", ""))


def _param_kind(kind: KubeObject | None) -> Iterator[Cause]:
    if kind is None:
        return
    version = kind.get("apiVersion") or ""
    if not version:
        yield required("spec.paramKind.apiVersion")
    elif version.count("/") > 1:
        told = f"unexpected GroupVersion string: {version}"
        yield invalid_value("spec.paramKind.apiVersion", version, told)
    if not kind.get("kind"):
        yield required("spec.paramKind.kind")


def _match(match: KubeObject, path: str) -> Iterator[Cause]:
    policy = match.get("matchPolicy")
    if policy not in ("Equivalent", "Exact"):
        yield unsupported(f"{path}.matchPolicy", policy, ("Equivalent", "Exact"))
    for rules in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(rules) or ()):
            yield from _resource_rule(rule, f"{path}.{rules}[{index}]")


def _resource_rule(rule: KubeObject, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, name in enumerate(rule.get("resourceNames") or ()):
        if name in seen:
            yield duplicate(f"{path}.resourceNames[{index}]", name)
        seen.add(name)
    yield from _choices(rule, "operations", "operations", path)
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            yield unsupported(f"{path}.operations[{index}]", operation, _OPERATIONS)
    yield from _choices(rule, "apiGroups", "API groups", path)
    yield from _choices(rule, "apiVersions", "API versions", path)
    yield from _resources(rule.get("resources") or [], f"{path}.resources")
    if rule.get("scope") not in _SCOPES:
        yield unsupported(f"{path}.scope", rule.get("scope"), _SCOPES)


def _choices(rule: KubeObject, field: str, called: str, path: str) -> Iterator[Cause]:
    found = rule.get(field) or []
    if not found:
        yield required(f"{path}.{field}")
    elif len(found) > 1 and "*" in found:
        told = f"if '*' is present, must not specify other {called}"
        yield invalid_value(f"{path}.{field}", found, told)


def _resources(resources: list[str], path: str) -> Iterator[Cause]:
    if not resources:
        yield required(path)
    whole = {each.removesuffix("/*") for each in resources if each.endswith("/*")} - {"*"}
    for index, resource in enumerate(resources):
        plural, _, subresource = resource.partition("/")
        if not resource:
            yield required(f"{path}[{index}]")
        elif subresource and subresource != "*" and plural in whole:
            told = f"if '{plural}/*' is present, must not specify {resource}"
            yield invalid_value(f"{path}[{index}]", resource, told)
    if "*/*" in resources and len(resources) > 1:
        told = "if '*/*' is present, must not specify other resources"
        yield invalid_value(path, resources, told)
    elif "*" in resources and any("/" not in each for each in resources if each != "*"):
        told = "if '*' is present, must not specify other resources without subresources"
        yield invalid_value(path, resources, told)


def _match_conditions(
    conditions: Sequence[KubeObject], types: "Mapping[str, CelType]"
) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        place = f"spec.matchConditions[{index}]"
        name, expression = condition.get("name") or "", condition.get("expression") or ""
        if not expression.strip():
            yield required(f"{place}.expression")
        else:
            yield from _expression(expression, f"{place}.expression", types, wanted=("bool",))
        if not name:
            yield required(f"{place}.name")
        elif _QUALIFIED.fullmatch(name) is None:
            yield invalid_value(f"{place}.name", name, _QUALIFIED_RULE)
        elif name in seen:
            yield duplicate(f"{place}.name", name)
        seen.add(name)


def _conclusions(spec: KubeObject, types: "Mapping[str, CelType]", *, name: str) -> Iterator[Cause]:
    validations = spec.get("validations") or []
    annotations = spec.get("auditAnnotations") or []
    if not validations and not annotations:
        told = "validations or auditAnnotations must contain at least one item"
        yield required("spec.validations", told)
        yield required("spec.auditAnnotations", told)
    for index, validation in enumerate(validations):
        yield from _validation(validation, f"spec.validations[{index}]", types)
    seen: set[str] = set()
    for index, annotation in enumerate(annotations):
        place = f"spec.auditAnnotations[{index}]"
        key, expression = annotation.get("key") or "", annotation.get("valueExpression") or ""
        if _QUALIFIED.fullmatch(f"{name}/{key}") is None:
            yield invalid_value(f"{place}.key", f"{name}/{key}", _QUALIFIED_RULE)
        elif key in seen:
            yield duplicate(f"{place}.key", key)
        seen.add(key)
        if not expression.strip():
            told = "valueExpression is not specified"
            yield required(f"{place}.valueExpression", told)
        else:
            field = f"{place}.valueExpression"
            yield from _expression(expression, field, types, wanted=("string", "null_type"))


def _validation(
    validation: KubeObject, path: str, types: "Mapping[str, CelType]"
) -> Iterator[Cause]:
    from towline_sandbox.embedded.admission.variables import WITHOUT_AUTHORIZER

    expression = validation.get("expression") or ""
    if not expression.strip():
        yield required(f"{path}.expression", _EMPTY)
    else:
        yield from _expression(expression, f"{path}.expression", types, wanted=("bool",))
    made = validation.get("messageExpression") or ""
    if made and not made.strip():
        yield invalid_value(f"{path}.messageExpression", made, "must be non-empty if specified")
    elif made:
        visible = {name: each for name, each in types.items() if name not in WITHOUT_AUTHORIZER}
        yield from _expression(made, f"{path}.messageExpression", visible, wanted=("string",))
    message = validation.get("message") or ""
    if message and not message.strip():
        yield invalid_value(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid_value(f"{path}.message", message, "must not contain line breaks")
    reason = validation.get("reason")
    if reason is not None and reason not in _REASONS:
        yield unsupported(f"{path}.reason", reason, _REASONS)


def _expression(
    expression: str, field: str, types: "Mapping[str, CelType]", *, wanted: Sequence[str]
) -> Iterator[Cause]:
    from towline_sandbox.embedded.expressions.program import BadExpression, Program

    try:
        found = Program(expression, variables=types).type
    except BadExpression as error:
        yield invalid_value(field, expression, f"compilation failed: {error}")
        return
    name = "null_type" if found.name == "null" else found.name
    if name not in wanted:
        what = wanted[0] if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
        yield invalid_value(field, expression, f"must evaluate to {what} but got {found}")


def check_binding(new: KubeObject) -> Iterable[Cause]:
    """Name every rule that a ValidatingAdmissionPolicyBinding breaks."""
    spec: KubeObject = new.get("spec") or {}
    if not spec.get("policyName"):
        yield required("spec.policyName")
    reference = spec.get("paramRef")
    if reference is not None:
        yield from _param_reference(reference)
    if spec.get("matchResources") is not None:
        yield from _match(spec["matchResources"], "spec.matchResources")
    actions = spec.get("validationActions") or []
    if not actions:
        yield required("spec.validationActions")
    seen: set[str] = set()
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            yield unsupported(f"spec.validationActions[{index}]", action, _ACTIONS)
        if action in seen:
            yield duplicate(f"spec.validationActions[{index}]", action)
        seen.add(action)
    if {"Deny", "Warn"} <= seen:
        yield invalid_value(
            "spec.validationActions",
            actions,
            "must not contain both Deny and Warn (repeating the same validation failure "
            "information in the API response and headers serves no purpose)",
        )


def _param_reference(reference: KubeObject) -> Iterator[Cause]:
    name, selector = reference.get("name"), reference.get("selector")
    if bool(name) == (selector is not None):
        told = (
            "name or selector must be specified"
            if not name
            else ("name and selector are mutually exclusive")
        )
        yield required("spec.paramRef.name", told)
    action = reference.get("parameterNotFoundAction")
    if not action:
        yield required("spec.paramRef.parameterNotFoundAction")
    elif action not in ("Allow", "Deny"):
        field = "spec.paramRef.parameterNotFoundAction"
        yield unsupported(field, action, ("Deny", "Allow"))
