"""Definitions and objects are judged word for word as a real API server judged them."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from support.recorded_answers import in_any_order, recorded
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject, Resource
from towline_sandbox.embedded.custom import check_crd, complete_crd, decode, fill_crd
from towline_sandbox.embedded.custom.embedded_objects import bad_types
from towline_sandbox.embedded.custom.lists import duplicates
from towline_sandbox.embedded.custom.rules import RuleCheck
from towline_sandbox.embedded.custom.validation import ValueCheck
from towline_sandbox.embedded.model.calls import SYSTEM, Call, FieldValidation
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import Schema

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THINGS = Resource("x.io", "v1", "things", "Thing", namespaced=False)
CREATING = Call(
    "create", Kind(CUSTOM_RESOURCE_DEFINITIONS, frozenset(), "", ""), SYSTEM, NOW, name="x"
)

VALUES = recorded("values")
VALUE_SCHEMA = Schema(VALUES["schema"])
VALUE_CHECK = ValueCheck(VALUE_SCHEMA)
RULES = recorded("rules")
RULE_SCHEMA = Schema(RULES["schema"])
DECLARED_RULES = recorded("declared_rules")


def causes_of(definition: KubeObject) -> list[dict[str, str]]:
    """Return what is wrong with a new definition."""
    crd = copy.deepcopy(definition)
    complete_crd(crd)
    fill_crd(CREATING, crd, None)
    return [cause.as_object() for cause in check_crd(CREATING, crd, None)]


def describe(case: Any) -> str:
    """Return how a case is shown."""
    return case.get("case") or str(case.get("rule") or case.get("spec") or case.get("new"))


@pytest.mark.parametrize("case", VALUES["cases"], ids=describe)
def test_an_object_is_pruned_defaulted_and_validated(case: KubeObject) -> None:
    """Clients go by reasons, people by messages, and both by the field that is named."""
    kind = Kind(THINGS, frozenset(), "thing", "ThingList", schema=VALUE_SCHEMA, custom=True)
    body = {
        "apiVersion": "x.io/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": case["spec"],
    }
    if "refused" in case:
        with pytest.raises(ApiFailure) as refused:
            decode(body, kind=kind, field_validation=FieldValidation.IGNORE, warnings=[])
        assert refused.value.message == case["refused"]
        return
    decoded = decode(body, kind=kind, field_validation=FieldValidation.IGNORE, warnings=[])
    causes = [
        *VALUE_CHECK.causes(decoded),
        *bad_types(decoded, schema=VALUE_SCHEMA),
        *duplicates(decoded, schema=VALUE_SCHEMA),
    ]
    found = in_any_order([cause.as_object() for cause in causes])
    assert found == in_any_order(case.get("causes", []))
    if "kept" in case:
        assert decoded["spec"] == case["kept"]


@pytest.mark.parametrize("case", recorded("definitions"), ids=describe)
def test_a_definition_is_accepted_or_refused(case: KubeObject) -> None:
    """A definition that the real server refuses must not work here either."""
    assert in_any_order(causes_of(case["definition"])) == in_any_order(case["causes"])


@pytest.mark.parametrize("case", DECLARED_RULES["cases"], ids=describe)
def test_a_rule_is_compiled_or_its_mistakes_are_told(case: KubeObject) -> None:
    """Mistakes in CEL are found where they stand, before any object is written."""
    definition = copy.deepcopy(DECLARED_RULES["definition"])
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["x-kubernetes-validations"] = [case["rule"]]
    assert causes_of(definition) == case["causes"]


@pytest.mark.parametrize("case", RULES["cases"], ids=describe)
def test_an_object_is_held_to_the_rules_of_its_schema(case: KubeObject) -> None:
    """Rules see the object before and after, and say what is wrong in their author's words."""
    new = {"spec": case["new"]}
    old = None if case["old"] is None else {"spec": case["old"]}
    causes = ValueCheck(RULE_SCHEMA).causes(new, old=old)
    causes += RuleCheck(RULE_SCHEMA).causes(new, old=old, found=causes)
    assert [cause.as_object() for cause in causes] == case["causes"]
