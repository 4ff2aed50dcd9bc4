"""Complaints about types in strategic merge patches; each was read off a real server."""

import pytest

from towline_sandbox.embedded.patches.restoring import restoring_words


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        ("string", "int32", "unrecognized type: int32"),
        ("bool", "int32", "unrecognized type: int32"),
        ("number 1.5", "int32", "cannot convert float64 to int32"),
        ("number", "string", "cannot convert int64 to string"),
        ("number", "v1.PullPolicy", "cannot convert int64 to v1.PullPolicy"),
        ("object", "v1.PullPolicy", "unrecognized type: string"),
        ("bool", "string", "unrecognized type: string"),
        ("string", "bool", "unrecognized type: bool"),
        ("array", "string", "unrecognized type: string"),
        ("string", "v1.PodTemplateSpec", "cannot restore struct from: string"),
        ("array", "v1.PodTemplateSpec", "cannot restore struct from: slice"),
        ("string", "[]v1.Container", "cannot restore slice from string"),
        ("string", "map[string]string", "cannot restore map from string"),
    ],
)
def test_types_are_told_as_go_restores_objects(found: str, wanted: str, told: str) -> None:
    """Not as it decodes JSON, which is how everybody else is told."""
    complaint = f"json: cannot unmarshal {found} into Go struct field Pod.spec.x of type {wanted}"
    assert restoring_words(complaint) == told


def test_other_complaints_stay_as_they_are() -> None:
    """Such as those of types that read themselves."""
    assert restoring_words("quantities must match") == "quantities must match"
