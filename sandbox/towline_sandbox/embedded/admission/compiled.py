"""A ValidatingAdmissionPolicy, its expressions compiled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from celpy import celtypes

from towline_api.resources import KubeObject
from towline_sandbox.embedded.admission.variables import (
    POLICY_TYPES,
    WITHOUT_AUTHORIZER,
)
from towline_sandbox.embedded.expressions.operators import failure
from towline_sandbox.embedded.expressions.program import EvaluationFailed, Program
from towline_sandbox.embedded.expressions.types import DYN, CelType


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule of a policy that does not hold.

    Args:
        message: What is wrong.
        reason: `Forbidden`, `Invalid` or another of Kubernetes' words.
    """

    message: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation.

    Args:
        program: Has to come to true.
        message: Said when it does not; empty for none.
        message_program: Makes the message, if it can.
        reason: Reason of the refusal.
    """

    program: Program
    message: str
    message_program: Program | None
    reason: str


Values = dict[str, Any]


class CompiledPolicy:
    """A policy that can judge calls.

    Args:
        policy: A valid ValidatingAdmissionPolicy.
    """

    def __init__(self, policy: KubeObject) -> None:
        spec: KubeObject = policy["spec"]
        self.name: str = policy["metadata"]["name"]
        self.constraints: KubeObject = spec.get("matchConstraints") or {}
        self.param_kind: KubeObject | None = spec.get("paramKind")
        self.fails_closed = spec.get("failurePolicy", "Fail") == "Fail"
        types = types_of_policy(spec)
        self._conditions = tuple(
            Program(condition["expression"], variables=types)
            for condition in spec.get("matchConditions") or ()
        )
        self._variables: list[tuple[str, Program]] = []
        for variable in spec.get("variables") or ():
            program = Program(variable["expression"], variables=types)
            self._variables.append((variable["name"], program))
            types = with_variable(types, variable["name"], program.type)
        self._rules = tuple(_rules(spec, types))
        programs = [*self._conditions, *(program for _, program in self._variables)]
        for rule in self._rules:
            programs += [rule.program, *([rule.message_program] if rule.message_program else [])]
        self.names = frozenset(name for program in programs for name in program.names)
        """Which variables its expressions name."""

    def findings(self, values: Values) -> Iterator[Finding]:
        """Return what the policy finds wrong with a call that matches its constraints."""
        problems: list[str] = []
        for condition in self._conditions:
            try:
                if not condition.evaluate(values):
                    return
            except EvaluationFailed as error:
                problems.append(_error(condition, error))
        if problems:
            if self.fails_closed:
                told = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
                yield Finding(told, "")
            return
        values = {**values, "variables": self._computed(values)}
        for rule in self._rules:
            try:
                holds = rule.program.evaluate(values)
            except EvaluationFailed as error:
                if self.fails_closed:
                    yield Finding(_error(rule.program, error), rule.reason)
                continue
            if not holds:
                yield Finding(_message(rule, values), rule.reason)

    def _computed(self, values: Values) -> Any:
        computed = celtypes.MapType()
        values = {**values, "variables": computed}
        for name, program in self._variables:
            try:
                found = program.evaluate_to_cel(values)
            except EvaluationFailed as error:
                # It counts only where the variable is used.
                found = failure(f"composited variable {name!r} fails to evaluate: {error}")
            computed[celtypes.StringType(name)] = found
        return computed


def types_of_policy(spec: KubeObject) -> Mapping[str, CelType]:
    """Return what rules may name: parameters only where the policy has a kind for them."""
    return {**POLICY_TYPES, "params": DYN} if spec.get("paramKind") else POLICY_TYPES


def with_variable(types: Mapping[str, CelType], name: str, found: CelType) -> Mapping[str, CelType]:
    """Return what rules may name once a variable is declared."""
    before = types.get("variables")
    fields = {**((before and before.fields) or {}), name: found}
    return {**types, "variables": CelType("object", fields)}


def _rules(spec: KubeObject, types: Mapping[str, CelType]) -> Iterator[Rule]:
    message_types = {name: each for name, each in types.items() if name not in WITHOUT_AUTHORIZER}
    for validation in spec.get("validations") or ():
        expression = validation.get("messageExpression")
        yield Rule(
            Program(validation["expression"], variables=types),
            (validation.get("message") or "").strip(),
            Program(expression, variables=message_types) if expression else None,
            validation.get("reason") or "",
        )


def _error(program: Program, error: EvaluationFailed) -> str:
    return f"expression '{program.expression}' resulted in error: {error}"


def _message(rule: Rule, values: Values) -> str:
    made = rule.message_program.message(values) if rule.message_program is not None else ""
    return made or rule.message or f"failed expression: {rule.program.expression.strip()}"
