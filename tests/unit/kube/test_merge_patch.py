"""Differences as merge patches: applied, they give exactly what was wanted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_kube.merge_patch import is_applied, merge_patch

_LEAVES = st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"])
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3)


def apply_patch(target: Any, patch: Any) -> Any:
    """RFC 7386 section 2, letter by letter."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_patch(result.get(name), value)
    return result


def exactly(value: Any) -> Any:
    """Return a form in which true differs from 1."""
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return (type(value), value)


@given(OBJECTS, OBJECTS)
def test_applied_the_patch_gives_the_new_object(old: dict[str, Any], new: dict[str, Any]) -> None:
    """The server applies it; what we wanted has to come out there."""
    assert exactly(apply_patch(old, merge_patch(old, new))) == exactly(new)


@given(OBJECTS)
def test_an_object_does_not_differ_from_itself(obj: dict[str, Any]) -> None:
    """An empty patch is what tells a reconciler to send nothing."""
    assert merge_patch(obj, obj) == {}
    assert is_applied(obj, obj)


@given(OBJECTS, OBJECTS)
def test_only_what_differs_is_in_the_patch(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Fields that others write at the same time must not be written back."""
    for key in merge_patch(old, new):
        assert key not in old or key not in new or exactly(old[key]) != exactly(new[key])


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({}, {"a": None}, {}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": "x"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": None}, {}, {"a": None}),
    ],
)
def test_patches_of_the_odd_cases(
    old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]
) -> None:
    """Nulls mean absence on both sides; lists are replaced whole."""
    assert merge_patch(old, new) == patch


@pytest.mark.parametrize(
    ("desired", "live", "applied"),
    [
        ({"a": 1}, {"a": 1, "default": 2}, True),
        ({"a": 1}, {}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": 1}, False),
        ({"rules": [{"verbs": ["get"]}]}, {"rules": [{"verbs": ["get"], "x": 1}]}, True),
        ({"subjects": [{"name": "a"}]}, {"subjects": [{"name": "a"}, {"name": "b"}]}, False),
        ({"subjects": []}, {"subjects": [{"name": "b"}]}, False),
        ({"verbs": ["get", "list"]}, {"verbs": ["list", "get"]}, False),
    ],
)
def test_whether_something_is_applied(desired: object, live: object, *, applied: bool) -> None:
    """What servers add is fine, except to lists: one subject more is somebody else's access."""
    assert is_applied(desired, live) is applied
