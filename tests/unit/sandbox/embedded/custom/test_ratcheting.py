"""Who changes one field need not repair another that a new schema forbids."""

from typing import Any

import pytest

from towline_sandbox.embedded.custom.validation import ValueCheck
from towline_sandbox.embedded.model.schema import Schema

SHORT = {"type": "string", "maxLength": 1}
CHECK = ValueCheck(
    Schema(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["must"],
                    "properties": {
                        "s": SHORT,
                        "t": SHORT,
                        "plain": {"type": "array", "items": SHORT},
                        "keyed": {
                            "type": "array",
                            "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["k"],
                            "items": {
                                "type": "object",
                                "properties": {"k": {"type": "string"}, "v": SHORT},
                            },
                        },
                    },
                },
                "status": {"type": "object", "properties": {"x": SHORT}},
            },
        }
    )
)


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        pytest.param({"s": "long"}, {"s": "long", "t": "a"}, ["spec.must"], id="other-field"),
        pytest.param({"s": "long"}, {"s": "longer"}, ["spec.must", "spec.s"], id="same-field"),
        pytest.param({"s": "long"}, {"s": "long"}, [], id="nothing-changed"),
        pytest.param(
            {"plain": ["long"], "must": 1},
            {"plain": ["long", "a"], "must": 1},
            ["spec.plain[0]"],
            id="items-without-identity",
        ),
        pytest.param(
            {"keyed": [{"k": "1", "v": "long"}], "must": 1},
            {"keyed": [{"k": "2", "v": "a"}, {"k": "1", "v": "long"}], "must": 1},
            [],
            id="items-with-identity",
        ),
        pytest.param(
            {"keyed": [{"k": "1", "v": "long"}], "must": 1},
            {"keyed": [{"k": "1", "v": "longer"}], "must": 1},
            ["spec.keyed[0].v"],
            id="changed-item-with-identity",
        ),
    ],
)
def test_what_did_not_change_is_tolerated(old: Any, new: Any, fields: list[str]) -> None:
    """Otherwise a stricter schema would lock everybody out of stored objects."""
    found = CHECK.causes({"spec": new}, old={"spec": old})
    assert sorted(cause.field for cause in found) == fields


def test_a_status_can_be_written_although_the_spec_is_invalid_by_now() -> None:
    """Controllers report problems in the status of just such objects."""
    spec = {"s": "long"}
    old, new = {"spec": spec, "status": {"x": "a"}}, {"spec": spec, "status": {"x": "b"}}
    assert CHECK.causes(new, old=old) == []
    assert [cause.field for cause in CHECK.causes({**new, "status": {"x": "bb"}}, old=old)] == [
        "status.x"
    ]
