"""Custom objects come in pruned, with defaults, and with metadata as Kubernetes reads it."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.custom import decode
from towline_sandbox.embedded.model.calls import FieldValidation
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import Schema

SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "default": 1},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "items": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"a": {"type": "string", "default": "A"}},
                        },
                    },
                },
            }
        },
    }
)
KIND = Kind(
    Resource("x.io", "v1", "things", "Thing", namespaced=True),
    frozenset(),
    "thing",
    "ThingList",
    schema=SCHEMA,
    custom=True,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["size", "free", "items", "a", "b"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def thing(spec: Any, **metadata: Any) -> KubeObject:
    return {
        "apiVersion": "x.io/v1",
        "kind": "Thing",
        "metadata": {"name": "t", **metadata},
        "spec": spec,
    }


def read(
    body: KubeObject, validation: FieldValidation = FieldValidation.WARN
) -> tuple[KubeObject, list[str]]:
    warnings: list[str] = []
    return decode(body, kind=KIND, field_validation=validation, warnings=warnings), warnings


def test_unknown_fields_are_left_out_with_a_warning() -> None:
    """People misspell fields; the warning is all they get to see of it."""
    body = thing({"size": 2, "sise": 3, "items": [{"b": 1}], "free": {"x": {"y": 1}}}, foo=1)
    found, warnings = read({**body, "other": 1})
    assert found == thing({"size": 2, "items": [{"a": "A"}], "free": {"x": {"y": 1}}})
    assert warnings == [
        'unknown field "metadata.foo"',
        'unknown field "other"',
        'unknown field "spec.items[0].b"',
        'unknown field "spec.sise"',
    ]


def test_unknown_fields_can_be_ignored() -> None:
    """Old clients ask for nothing and are told nothing."""
    assert read(thing({"x": 1}), FieldValidation.IGNORE) == (thing({"size": 1}), [])


def test_unknown_fields_can_be_refused() -> None:
    """What kubectl asks for."""
    with pytest.raises(ApiFailure) as refused:
        read(thing({"x": 1, "items": [{"y": 1}]}), FieldValidation.STRICT)
    assert refused.value.code == 400
    assert refused.value.message == (
        'Thing in version "v1" cannot be handled as a Thing: strict decoding error: '
        'unknown field "spec.items[0].y", unknown field "spec.x"'
    )


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"labels": {"a": 5}}, "number into Go struct field ObjectMeta.labels of type string"),
        ({"labels": 5}, "number into Go struct field ObjectMeta.labels of type map[string]string"),
        (
            {"finalizers": ["a", 5]},
            "number into Go struct field ObjectMeta.finalizers of type string",
        ),
        ({"generation": "x"}, "string into Go struct field ObjectMeta.generation of type int64"),
    ],
)
def test_metadata_of_a_wrong_type_is_refused(metadata: KubeObject, told: str) -> None:
    """Metadata has its own shape, whatever the schema says."""
    with pytest.raises(ApiFailure) as refused:
        read(thing({}, **metadata))
    prefix = 'Thing in version "v1" cannot be handled as a Thing: json: cannot unmarshal'
    assert refused.value.message == f"{prefix} {told}"


@given(json_values)
def test_reading_changes_nothing_that_is_given(spec: Any) -> None:
    """Patches and retries read the same object again."""
    body = thing(spec)
    before = copy.deepcopy(body)
    read(body)
    assert body == before


@given(json_values)
def test_what_was_read_once_is_read_the_same_again(spec: Any) -> None:
    """Objects go through this at every update."""
    once, _ = read(thing(spec))
    assert read(once) == (once, [])
