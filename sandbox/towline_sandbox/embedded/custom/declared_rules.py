"""Rules in CEL as a CustomResourceDefinition declares them: do they compile, do they fit?"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from towline_sandbox.embedded.custom.rules import rule_types, states_rules
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Node, Schema
from towline_sandbox.embedded.model.wording import invalid_value, required, unsupported

if TYPE_CHECKING:
    from towline_sandbox.embedded.expressions.types import CelType

_REASONS = (
    *("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"),
)
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def rule_causes(node: Node, *, path: str, is_resource: bool = True) -> Iterator[Cause]:
    """Name what is wrong with the rules of a structural schema, and of those inside it."""
    if not states_rules(node):
        return
    yield from _own(node, path, is_resource=is_resource)
    for name, child in sorted((node.get("properties") or {}).items()):
        yield from rule_causes(child, path=f"{path}.properties[{name}]", is_resource=False)
    for word in ("items", "additionalProperties"):
        child = node.get(word)
        if isinstance(child, Mapping):
            yield from rule_causes(child, path=f"{path}.{word}", is_resource=False)


def _own(node: Node, path: str, *, is_resource: bool) -> Iterator[Cause]:
    declared = node.get("x-kubernetes-validations") or ()
    if not declared:
        return
    from towline_sandbox.embedded.expressions.types import type_of_schema

    schema = Schema(node)
    self_type = type_of_schema(schema, is_resource=is_resource)
    for index, rule in enumerate(declared):
        place = f"{path}.x-kubernetes-validations[{index}]"
        yield from _rule(rule, place, schema, self_type)


def _rule(
    rule: Mapping[str, object], path: str, schema: Schema, self_type: "CelType"
) -> Iterator[Cause]:
    from towline_sandbox.embedded.expressions.program import BadExpression, Program

    expression = str(rule.get("rule") or "")
    types = rule_types(self_type, takes_no_old=bool(rule.get("optionalOldSelf")))
    names: frozenset[str] = frozenset()
    if not expression.strip():
        yield required(f"{path}.rule", "rule is not specified")
    else:
        try:
            program = Program(expression, variables=types)
            names = program.names
            if program.type.name != "bool":
                yield _bad(rule, f"{path}.rule", "cel expression must evaluate to a bool")
        except BadExpression as error:
            yield _bad(rule, f"{path}.rule", f"compilation failed: {error}")
    yield from _message(rule, path)
    made = rule.get("messageExpression")
    if isinstance(made, str) and made:
        if not made.strip():
            told = "messageExpression must be non-empty if specified"
            yield required(f"{path}.messageExpression", told)
        else:
            try:
                if Program(made, variables=types).type.name != "string":
                    told = "messageExpression must evaluate to a string"
                    yield _bad(rule, f"{path}.messageExpression", told)
            except BadExpression as error:
                told = f"messageExpression compilation failed: {error}"
                yield _bad(rule, f"{path}.messageExpression", told)
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield unsupported(f"{path}.reason", reason, _REASONS)
    field_path = rule.get("fieldPath")
    if field_path and not _is_field(str(field_path), schema):
        yield invalid_value(f"{path}.fieldPath", field_path, "must be a valid path")
    if rule.get("optionalOldSelf") is not None and "oldSelf" not in names:
        yield invalid_value(
            f"{path}.optionalOldSelf",
            rule["optionalOldSelf"],
            "may not be set if oldSelf is not used in rule",
        )


def _message(rule: Mapping[str, object], path: str) -> Iterator[Cause]:
    message = rule.get("message")
    if not isinstance(message, str) or not message:
        return
    if not message.strip():
        yield invalid_value(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid_value(f"{path}.message", message, "must not contain line breaks")


def _is_field(field_path: str, schema: Schema) -> bool:
    if not field_path.startswith("."):
        return False
    found: Schema | None = schema
    for step in field_path[1:].split("."):
        found = None if found is None else found.child(step)
    return found is not None


def _bad(rule: Mapping[str, object], field: str, told: str) -> Cause:
    """Return a complaint that shows the whole rule, in the real server's own form of it."""
    shown = {
        "Rule": rule.get("rule") or "",
        "Message": rule.get("message") or "",
        "MessageExpression": rule.get("messageExpression") or "",
        "Reason": rule.get("reason"),
        "FieldPath": rule.get("fieldPath") or "",
        "OptionalOldSelf": rule.get("optionalOldSelf"),
    }
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False).translate(_HTML)
    return Cause("FieldValueInvalid", f"Invalid value: {text}: {told}", field)
