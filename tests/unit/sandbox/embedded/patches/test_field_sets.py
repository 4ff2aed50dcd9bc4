"""Sets of fields, as `managedFields` holds them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.patches.field_sets import (
    FieldSet,
    difference,
    in_order,
    intersection,
    of_paths,
    parse,
    path_words,
    paths,
    union,
    without_below,
)

STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"z"', "v:2", "v:10"])
PATHS = st.lists(STEPS, min_size=1, max_size=3).map(tuple)
SETS = st.lists(PATHS, max_size=6).map(of_paths)


def members(fields: FieldSet) -> set[tuple[str, ...]]:
    """Return the members of a set."""
    return set(paths(fields))


@given(SETS)
def test_a_set_survives_being_written(fields: FieldSet) -> None:
    """What is read back from an object is the same set, in the same order."""
    assert parse(fields) == fields
    assert repr(parse(fields)) == repr(fields)
    assert of_paths(paths(fields)) == fields


@given(SETS, SETS)
def test_trees_do_what_sets_do(left: FieldSet, right: FieldSet) -> None:
    """A tree is only a way to write down a set of paths."""
    assert members(union(left, right)) == members(left) | members(right)
    assert members(difference(left, right)) == members(left) - members(right)
    assert members(intersection(left, right)) == members(left) & members(right)


@given(SETS, SETS)
def test_what_is_below_goes_too(left: FieldSet, right: FieldSet) -> None:
    """A field that is not reached is not reached in any of its parts."""
    gone = members(right)
    assert members(without_below(left, right)) == {
        path for path in members(left) if not any(path[: len(g)] == g for g in gone)
    }


@given(SETS, SETS)
def test_no_operation_changes_its_sets(left: FieldSet, right: FieldSet) -> None:
    """Sets are shared by all objects they were ever part of."""
    before = repr((left, right))
    for operation in (union, difference, intersection, without_below):
        operation(left, right)
    assert repr((left, right)) == before


@given(SETS)
def test_what_stays_the_same_is_the_same_object(fields: FieldSet) -> None:
    """That makes most renewals cheap."""
    assert union(fields, fields) is fields
    assert difference(fields, of_paths([("f:other", "f:field")])) is fields


def test_steps_stand_in_the_order_of_kubernetes() -> None:
    """Fields, then keyed items, then values; numbers by size."""
    mixed: dict[str, Any] = {
        key: {} for key in ("v:10", "v:2", 'v:"z"', 'k:{"id":10}', 'k:{"id":2}')
    }
    mixed.update({"f:b": {}, "f:a": {}, ".": {}})
    assert list(in_order(mixed)) == [
        *(".", "f:a", "f:b", 'k:{"id":2}', 'k:{"id":10}', "v:2", "v:10", 'v:"z"')
    ]


def test_what_others_spell_differently_is_the_same_field() -> None:
    """Clients may write entries too, with blanks and keys in any order."""
    sent: dict[str, Any] = {'k:{"b": 1, "a": "x"}': {".": {}}, 'v: "a&b"': {}, "x:later": {}}
    assert parse(sent) == {'k:{"a":"x","b":1}': {}, 'v:"a\\u0026b"': {}}


@pytest.mark.parametrize("sent", [[], {"a": {}}, {"f:a": 1}, {"k:{": {}}], ids=repr)
def test_what_is_no_set_is_not_read(sent: object) -> None:
    """The entry is dropped, and with it the others that came along."""
    with pytest.raises(ValueError, match=r"."):
        parse(sent)


def test_fields_are_named_as_people_know_them() -> None:
    """From messages about conflicts."""
    path = ("f:spec", "f:containers", 'k:{"name":"web","port":80}', "f:args", 'v:"-v"')
    assert path_words(path) == '.spec.containers[name="web",port=80].args[="-v"]'
