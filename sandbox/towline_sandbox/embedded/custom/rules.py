"""Rules in CEL that a schema states about its values (`x-kubernetes-validations`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.ratcheting import same_item
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Node, Schema
from towline_sandbox.embedded.model.wording import as_json, keys_in_order

if TYPE_CHECKING:
    from towline_sandbox.embedded.expressions.program import Program
    from towline_sandbox.embedded.expressions.types import CelType

_BLOCKING = frozenset(
    {
        *("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong"),
        *("FieldValueTooMany", "FieldValueTypeInvalid"),
    }
)
_NOT_CHECKED = Cause(
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
    "<nil>",
)
_TOLD_WITH_VALUE = ("string", "integer", "number", "boolean")


class RuleCheck:
    """Checks values against the rules of one schema.

    CEL is loaded when the first schema with a rule is.

    Args:
        schema: A valid structural schema.
    """

    def __init__(self, schema: Schema) -> None:
        self._root = _ruled(schema, is_resource=True) if states_rules(schema.node) else None

    def causes(
        self, new: KubeObject, *, old: KubeObject | None, found: Sequence[Cause]
    ) -> list[Cause]:
        """Return a cause for each rule that is broken.

        Args:
            new: The object.
            old: The object before, if it was there.
            found: What else is wrong with the object: with some mistakes, rules make no sense.
        """
        if self._root is None:
            return []
        if any(cause.reason in _BLOCKING for cause in found):
            return [_NOT_CHECKED]
        return list(_walk(self._root, new, old, ""))


def states_rules(node: Node) -> bool:
    """Return whether a schema has rules anywhere."""
    below = [*(node.get("properties") or {}).values()]
    below += [each for each in (node.get("items"), node.get("additionalProperties")) if each]
    return bool(node.get("x-kubernetes-validations")) or any(
        states_rules(child) for child in below if isinstance(child, Mapping)
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule, compiled."""

    program: "Program"
    is_transition: bool
    takes_no_old: bool
    message: str
    message_program: "Program | None"
    reason: str
    field_path: str


@dataclass(frozen=True, slots=True)
class _Ruled:
    """A schema that has rules, or has them below."""

    schema: Schema
    is_resource: bool
    rules: tuple[_Rule, ...]
    properties: "dict[str, _Ruled]" = field(default_factory=dict)
    additional: "_Ruled | None" = None
    items: "_Ruled | None" = None


def _ruled(schema: Schema, *, is_resource: bool = False) -> _Ruled | None:
    properties = {name: _ruled(child) for name, child in schema.properties.items()}
    additional = None if schema.additional is None else _ruled(schema.additional)
    items = None if schema.items is None else _ruled(schema.items)
    rules = tuple(_compiled(schema, is_resource=is_resource))
    kept = {name: child for name, child in properties.items() if child is not None}
    if not (rules or kept or additional or items):
        return None
    return _Ruled(schema, is_resource, rules, kept, additional, items)


def _compiled(schema: Schema, *, is_resource: bool) -> Iterator[_Rule]:
    declared = schema.node.get("x-kubernetes-validations") or ()
    if not declared:
        return
    from towline_sandbox.embedded.expressions.program import Program
    from towline_sandbox.embedded.expressions.types import type_of_schema

    self_type = type_of_schema(schema, is_resource=is_resource)
    for rule in declared:
        takes_no_old = bool(rule.get("optionalOldSelf"))
        types = rule_types(self_type, takes_no_old=takes_no_old)
        expression = rule.get("messageExpression")
        program = Program(rule["rule"], variables=types)
        yield _Rule(
            program,
            "oldSelf" in program.names,
            takes_no_old,
            (rule.get("message") or "").strip(),
            Program(expression, variables=types) if expression else None,
            rule.get("reason") or "FieldValueInvalid",
            rule.get("fieldPath") or "",
        )


def rule_types(self_type: "CelType", *, takes_no_old: bool) -> "Mapping[str, CelType]":
    """Return what a rule may name.

    Args:
        self_type: Type of the value that the rule is about.
        takes_no_old: Whether the rule is asked about new values too, with an optional old one.
    """
    from towline_sandbox.embedded.expressions.types import optional_of

    return {
        "self": self_type,
        "oldSelf": optional_of(self_type) if takes_no_old else self_type,
    }


def _walk(ruled: _Ruled, value: Any, old: Any, path: str) -> Iterator[Cause]:
    if value is None:
        return
    is_same = old is not None and value == old
    for rule in ruled.rules:
        if is_same and not rule.is_transition:
            # Who leaves the value as it was need not repair it.
            continue
        if rule.is_transition and not rule.takes_no_old and old is None:
            continue
        yield from _judge(rule, ruled, value, old, path)
    match value:
        case dict():
            before = old if isinstance(old, dict) else {}
            for name, part in value.items():
                child = ruled.properties.get(name)
                if child is None and name not in ruled.schema.properties:
                    child = ruled.additional
                if child is not None:
                    below = f"{path}.{name}" if path else name
                    yield from _walk(child, part, before.get(name), below)
        case list() if ruled.items is not None:
            for index, item in enumerate(value):
                before_item = same_item(item, old, ruled.schema)
                yield from _walk(ruled.items, item, before_item, f"{path}[{index}]")


def _judge(rule: _Rule, ruled: _Ruled, value: Any, old: Any, path: str) -> Iterator[Cause]:
    from towline_sandbox.embedded.expressions.program import EvaluationFailed

    values = _values(rule, ruled, value, old)
    kind = ruled.schema.type
    try:
        holds = rule.program.evaluate(values)
    except EvaluationFailed as error:
        told = rule.message or rule.program.expression
        yield Cause(
            "FieldValueInvalid",
            f'Invalid value: "{kind}": {error} evaluating rule: {told}',
            path or "<nil>",
        )
        return
    if not holds:
        shown = as_json(keys_in_order(value)) if kind in _TOLD_WITH_VALUE else None
        yield _cause(rule, path + rule.field_path, _message(rule, values), shown=shown)


def _values(rule: _Rule, ruled: _Ruled, value: Any, old: Any) -> dict[str, Any]:
    from towline_sandbox.embedded.expressions.optionals import Optional
    from towline_sandbox.embedded.expressions.values import cel_value_of

    schema, is_resource = ruled.schema, ruled.is_resource
    values = {"self": cel_value_of(value, schema=schema, is_resource=is_resource)}
    if rule.is_transition:
        before = None if old is None else cel_value_of(old, schema=schema, is_resource=is_resource)
        values["oldSelf"] = (
            Optional(before, is_there=old is not None) if rule.takes_no_old else before
        )
    return values


def _message(rule: _Rule, values: dict[str, Any]) -> str:
    made = rule.message_program.message(values) if rule.message_program is not None else ""
    return made or rule.message or f"failed rule: {rule.program.expression.strip()}"


def _cause(rule: _Rule, path: str, told: str, *, shown: str | None) -> Cause:
    place = path.removeprefix(".") or "<nil>"
    match rule.reason:
        case "FieldValueForbidden":
            return Cause(rule.reason, f"Forbidden: {told}", place)
        case "FieldValueRequired":
            return Cause(rule.reason, f"Required value: {told}", place)
        case "FieldValueDuplicate":
            message = "Duplicate value" if shown is None else f"Duplicate value: {shown}"
            return Cause(rule.reason, message, place)
        case _:
            value = "" if shown is None else f"{shown}: "
            return Cause("FieldValueInvalid", f"Invalid value: {value}{told}", place)
