"""Rules: what one allows, and whether some rules hold all that others grant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.rules import EVERYTHING, Rule, find_missing

PODS = Rule(verbs=("get", "list"), groups=("",), resources=("pods", "pods/log"))

_some = st.sampled_from


def _few(*values: str, at_least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(_some(values), min_size=at_least, max_size=2, unique=True).map(tuple)


_verbs = _few("get", "list", "*")
_resource_rules = st.builds(
    Rule,
    verbs=_verbs,
    groups=_few("", "apps", "*"),
    resources=_few("pods", "pods/log", "*/log", "*"),
    names=_few("a", "b", at_least=0),
)
_url_rules = st.builds(Rule, verbs=_verbs, urls=_few("/a", "/a/*", "/a/b", "*"))
_rules = st.lists(_resource_rules | _url_rules, max_size=3)
_attributes = st.builds(
    Attributes,
    verb=_some(["get", "list", "watch"]),
    group=_some(["", "apps", "batch"]),
    resource=_some(["pods", "nodes"]),
    subresource=_some(["", "log", "exec"]),
    name=_some(["", "a", "b", "c"]),
) | st.builds(
    Attributes,
    verb=_some(["get", "list", "watch"]),
    path=_some(["/a", "/a/b", "/a/b/c", "/b"]),
    is_resource=st.just(False),
)


@pytest.mark.parametrize(
    ("rule", "wanted", "expected"),
    [
        pytest.param(PODS, Attributes("get", resource="pods"), True, id="exact"),
        pytest.param(PODS, Attributes("watch", resource="pods"), False, id="other-verb"),
        pytest.param(PODS, Attributes("get", "apps", resource="pods"), False, id="other-group"),
        pytest.param(
            PODS, Attributes("get", resource="pods", subresource="log"), True, id="subresource"
        ),
        pytest.param(
            PODS,
            Attributes("get", resource="pods", subresource="exec"),
            False,
            id="a-resource-is-not-its-subresources",
        ),
        pytest.param(
            Rule(("get",), ("",), ("*/log",)),
            Attributes("get", resource="pods", subresource="log"),
            True,
            id="subresource-of-anything",
        ),
        pytest.param(
            Rule(("get",), ("",), ("*/log",)),
            Attributes("get", resource="log"),
            False,
            id="subresource-of-anything-is-no-resource",
        ),
        pytest.param(
            Rule(("get",), ("",), ("pods/*",)),
            Attributes("get", resource="pods", subresource="log"),
            False,
            id="no-wildcard-for-subresources",
        ),
        pytest.param(
            Rule(("*",), ("*",), ("*",), ("a",)),
            Attributes("list", resource="pods"),
            False,
            id="a-named-object-is-not-the-list",
        ),
        pytest.param(
            Rule(("*",), ("*",), ("*",), ("a",)),
            Attributes("list", resource="pods", name="a"),
            True,
            id="a-list-of-the-named-object",
        ),
        pytest.param(
            Rule(("get",), urls=("/api/*",)),
            Attributes("get", path="/api/v1", is_resource=False),
            True,
            id="path-below",
        ),
        pytest.param(
            Rule(("get",), urls=("/api/*",)),
            Attributes("get", path="/api", is_resource=False),
            False,
            id="path-above",
        ),
        pytest.param(
            Rule(("get",), urls=("/a*/b",)),
            Attributes("get", path="/ax/b", is_resource=False),
            False,
            id="a-star-in-the-middle-is-a-star",
        ),
        pytest.param(
            EVERYTHING[0],
            Attributes("get", path="/api", is_resource=False),
            False,
            id="all-resources-are-no-path",
        ),
    ],
)
def test_a_rule_allows_what_kubernetes_says_it_does(
    rule: Rule, wanted: Attributes, expected: bool
) -> None:
    """Each of these was found the other way round in somebody's cluster."""
    assert rule.allows(wanted) is expected


@given(held=_rules, granted=_rules, wanted=_attributes)
def test_nobody_gains_anything_from_rules_that_are_covered(
    held: list[Rule], granted: list[Rule], wanted: Attributes
) -> None:
    """If nothing is missing, whatever the new rules allow was allowed before."""
    if not find_missing(held, granted) and any(rule.allows(wanted) for rule in granted):
        assert any(rule.allows(wanted) for rule in held)


@given(granted=_rules)
def test_everything_covers_everything(granted: list[Rule]) -> None:
    """An administrator may grant what they like."""
    assert find_missing(EVERYTHING, granted) == ()


@given(granted=_rules)
def test_rules_cover_themselves(granted: list[Rule]) -> None:
    """Passing on exactly what one holds is allowed."""
    assert find_missing(granted, granted) == ()


def test_missing_rules_are_told_with_their_verbs_together_but_paths_apart() -> None:
    """The sentence of a refusal lists them so, and people compare it with that of a real server."""
    granted = [
        Rule(("get", "list"), ("", "apps"), ("pods",), ("p1", "p2")),
        Rule(("get", "post"), urls=("/x/*",)),
    ]
    held = [Rule(("get",), ("",), ("pods",), ("p1",))]
    assert sorted(rule.describe() for rule in find_missing(held, granted)) == [
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["p1"], Verbs:["list"]}',
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["p2"], Verbs:["get" "list"]}',
        '{APIGroups:["apps"], Resources:["pods"], ResourceNames:["p1"], Verbs:["get" "list"]}',
        '{APIGroups:["apps"], Resources:["pods"], ResourceNames:["p2"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/x/*"], Verbs:["get"]}',
        '{NonResourceURLs:["/x/*"], Verbs:["post"]}',
    ]
