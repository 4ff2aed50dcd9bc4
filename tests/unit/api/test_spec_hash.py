"""The spec hash agrees byte for byte with the one Go programs compute."""

import hashlib
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.spec_hash import go_json, spec_hash


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ({}, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
        (
            {"spec": {"test": 1}},
            "af144391b79b4b07bd7c579980ae9ed42dc8e34f7babebbf3fd08cacb578fba4",
        ),
        (
            {"data": {"test": 1}},
            "766dd25b5177d7bd3673d1bc2d015b74f9fefec024319e5b6a49eef9236bbfa1",
        ),
    ],
)
def test_the_hash_is_the_one_of_ocm(obj, expected):
    """If these differ, no configuration ever counts as applied."""
    assert spec_hash(obj) == expected
    around = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "status": {"a": 1}}
    assert spec_hash(around | obj) == expected


def test_everything_else_at_the_top_counts():
    """Kinds differ in where they keep their content."""
    assert spec_hash({"immutable": True, "data": {}}) != spec_hash({"data": {}})
    assert spec_hash({"spec": {"status": {}, "kind": "x"}}) != spec_hash({"spec": {}})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        ([], "[]"),
        ({}, "{}"),
        ([1, [2], {}], "[1,[2],{}]"),
        ({"b": 1, "a": {"d": 2, "c": 3}}, '{"a":{"c":3,"d":2},"b":1}'),
        ({"B": 1, "a": 2, "é": 3, "z": 4}, '{"B":1,"a":2,"z":4,"é":3}'),
        ("<a href='x'>&", "\"\\u003ca href='x'\\u003e\\u0026\""),
        ({"a<b": 1}, '{"a\\u003cb":1}'),
        ("line\u2028paragraph\u2029end", '"line\\u2028paragraph\\u2029end"'),
        ('tab\t newline\n quote" slash/ back\\', '"tab\\t newline\\n quote\\" slash/ back\\\\"'),
        ("\b\f\x00\x1f\x7f", '"\\b\\f\\u0000\\u001f\x7f"'),
        ("grüße 😀", '"grüße 😀"'),
        ("\ud800", '"\ufffd"'),
        ("\ud83d\ude00", '"😀"'),
        ({"\ufffdb": 1, "\udc00a": 2}, '{"\ufffda":2,"\ufffdb":1}'),
    ],
)
def test_json_is_written_as_go_writes_it(value, expected):
    """Go escapes more than Python in strings, and nothing of what Python could."""
    assert go_json(value) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100.25, "100.25"),
        (1e-6, "0.000001"),
        (1.5e-6, "0.0000015"),
        (9.99e-7, "9.99e-7"),
        (1e-7, "1e-7"),
        (1e-10, "1e-10"),
        (1e16, "10000000000000000"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (-1.25e25, "-1.25e+25"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        (2**63, "9223372036854776000"),
        (10**21, "1e+21"),
    ],
)
def test_numbers_have_gos_form(number, expected):
    """A float such as 0.000001 is written differently by Python."""
    assert go_json(number) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_their_value_and_shortest_digits(number: float):
    """Same digits as Python's shortest form, which is as unique as Go's."""
    text = go_json(number)
    assert struct.pack("d", float(text)) == struct.pack("d", number)

    def significant(digits: str) -> str:
        mantissa = digits.lower().partition("e")[0]
        return mantissa.replace(".", "").lstrip("-0").rstrip("0")

    assert significant(text) == significant(repr(number))
    with_exponent = number != 0 and not 1e-6 <= abs(number) < 1e21
    assert ("e" in text) is with_exponent


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_without_floats_it_is_pythons_json_with_five_characters_escaped(value):
    """The independent recipe for everything but floats."""
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        expected = expected.replace(character, f"\\u{ord(character):04x}")
    assert go_json(value) == expected
    assert json.loads(go_json(value)) == value


def test_the_order_of_keys_does_not_count():
    """Two API servers may list the same object in another order."""
    assert spec_hash({"data": {"a": 1, "b": 2}}) == spec_hash({"data": {"b": 2, "a": 1}})
    assert spec_hash({}) == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400])
def test_what_is_no_json_number_is_refused(number: float):
    """Python would write NaN, which nobody can read."""
    with pytest.raises(ValueError, match="number"):
        spec_hash({"spec": {"n": number}})


@pytest.mark.parametrize("value", [{1: 2}, {"a": {2, 3}}, b"x", object()])
def test_what_is_no_json_is_a_type_error(value: object):
    """It cannot have come from an API server."""
    with pytest.raises(TypeError):
        go_json(value)
