"""CEL comes to what it comes to in Kubernetes, and mistakes are found before it runs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from towline_sandbox.embedded.expressions.program import (
    BadExpression,
    EvaluationFailed,
    Program,
)
from towline_sandbox.embedded.expressions.types import DYN
from towline_sandbox.embedded.expressions.values import cel_value

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = {
    "o": cel_value({"s": "abc", "n": 3, "l": [1, 2, 3], "m": {"a": None, "b": 1.0}, "t": NOW})
}


def run(expression: str) -> Any:
    return Program(expression, variables={"o": DYN}).evaluate(VALUES)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("o != null", True),
        ("o.m.a == null", True),
        ("o.n == 'x'", False),
        ("o.n == 3.0", True),
        ("o.n < 3.5", True),
        ("o.m.b == 1", True),
        ("o.n == true", False),
        ("has(o.s) && !has(o.x)", True),
        ("'a' in o.m && !('c' in o.m)", True),
        ("o.n in [1, 'x', 3]", True),
        ("o.x == 1 || true", True),
        ("false && o.x == 1", False),
        ("o.l.map(x, x > 1, x * 2)", [4, 6]),
        ("o.l.filter(x, x != 2).map(x, x + 1)", [2, 4]),
        ("o.l.all(x, x > 0) && o.l.exists(x, x == 2) && o.l.exists_one(x, x > 2)", True),
        ("o.m.all(k, k in ['a', 'b'])", True),
        ("'a,b,c'.split(',')", ["a", "b", "c"]),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("['a', 'b'].join('-')", "a-b"),
        ("'hello'.substring(1, 3) + 'X'.lowerAscii()", "elx"),
        ("'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3", True),
        ("'tacocat'.replace('a', 'o', 1)", "tococat"),
        ("' x '.trim()", "x"),
        ("'abc 123'.find('[0-9]+')", "123"),
        ("[1, 2, 3].sum() == 6 && [1, 2].isSorted() && [3, 1].max() == 3", True),
        ("url('https://a:8080/p?x=1').getPort()", "8080"),
        ("isURL('no url')", False),
        ("o.t + duration('1h') > timestamp('2026-01-01T00:30:00Z')", True),
        ("size(o.s) + o.l.size()", 6),
        ("o.n > 2 ? 'many' : 'few'", "many"),
        ("string(o.n) + '!'", "3!"),
        ("type(o.n) == int", True),
    ],
)
def test_an_expression_comes_to_a_value(expression: str, expected: object) -> None:
    """Rules of others are written for Go's implementation."""
    assert run(expression) == expected


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("o.x", "no such key: x"),
        ("has(o.x.y)", "no such key: x"),
        ("o.l[7]", "index out of bounds: 7"),
        ("1 / (o.n - 3)", "division by zero"),
        ("o.s + o.n", "no such overload"),
        ("o.s < o.n", "no such overload"),
    ],
)
def test_what_goes_wrong_is_told_in_known_words(expression: str, told: str) -> None:
    """The sentence ends up in the refusal that people read."""
    with pytest.raises(EvaluationFailed) as failed:
        run(expression)
    assert str(failed.value) == told


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("x.y", "1:1: undeclared reference to 'x' (in container '')\n | x.y\n | ^"),
        ("o.f()", "1:4: undeclared reference to 'f' (in container '')\n | o.f()\n | ...^"),
        ("'a' == 1", "1:5: found no matching overload for '_==_' applied to '(string, int)'"),
        ("'a'.startsWith(1)", "1:15: found no matching overload for 'startsWith' applied to"),
        ("!1", "1:1: found no matching overload for '!_' applied to '(int)'"),
        ("o.s.matches('[')", "1:13: invalid matches argument"),
        ("o ==", "1:5: Syntax error: mismatched input '<EOF>' expecting"),
    ],
)
def test_mistakes_are_found_before_anything_runs(expression: str, told: str) -> None:
    """Whoever writes a rule is there to correct it; whoever meets it is not."""
    with pytest.raises(BadExpression) as refused:
        Program(expression, variables={"o": DYN})
    assert str(refused.value).startswith(f"ERROR: <input>:{told}")


@pytest.mark.parametrize(
    "expression", ["quantity('1').isGreaterThan(quantity('2'))", "o.l.all(i, v, v > i)"]
)
def test_what_is_not_here_is_said_to_be_not_here(expression: str) -> None:
    """A rule that would work elsewhere must not look like a mistake of its author."""
    with pytest.raises(BadExpression, match="the embedded control plane does not"):
        Program(expression, variables={"o": DYN})


def test_an_expression_that_nests_too_deep_is_refused() -> None:
    """It must not take the server down with it."""
    with pytest.raises(BadExpression, match="does not evaluate expressions this deep"):
        Program("(" * 2000 + "true" + ")" * 2000, variables={})
