"""Label and field selectors: what they match, and the sentences for what is none.

The sentences were taken from a real server's answers.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.queries.field_selectors import FieldTerm, parse_field_selector
from towline_sandbox.embedded.queries.label_selectors import InvalidSelector, parse_label_selector

_NO_INTEGER = (
    'unable to parse requirement: values[0]: Invalid value: "b": '
    "for 'Gt', 'Lt' operators, the value must be an integer"
)
WEB = {"app": "web", "tier": "front", "size": "7", "empty": ""}


def matches(selector: str, labels: dict[str, str]) -> bool:
    return all(requirement.matches(labels) for requirement in parse_label_selector(selector))


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "app",
        "app=web",
        "app==web",
        " app = web ",
        "app=web,tier=front",
        "app!=db",
        "other!=x",
        "!other",
        "app in (web,db)",
        "app in (,web)",
        "empty in ()",
        "empty=",
        "empty",
        "app notin (db)",
        "other notin (db)",
        "size>6",
        "size<8",
        "app in (in, web)",
    ],
)
def test_selector_matches(selector):
    """Each of these selects the labels above."""
    assert matches(selector, WEB)


@pytest.mark.parametrize(
    "selector",
    [
        "other",
        "app=db",
        "app=web,tier=back",
        "app!=web",
        "!app",
        "app in (db)",
        "other in (db)",
        "app notin (web)",
        "app in ()",
        "size>7",
        "size<7",
        "app>1",
        "other>1",
    ],
)
def test_selector_does_not_match(selector):
    """Each of these leaves the labels above out."""
    assert not matches(selector, WEB)


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("(", "found '(', expected: !, identifier, or 'end of string'"),
        ("=>", "found '=', expected: !, identifier, or 'end of string'"),
        (
            "x>b",
            _NO_INTEGER,
        ),
    ],
)
def test_what_is_no_label_selector_is_refused_in_kubernetes_words(selector, sentence):
    """People search the web for these sentences."""
    with pytest.raises(InvalidSelector) as caught:
        parse_label_selector(selector)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("selector", "beginning"),
    [
        ("-x", 'unable to parse requirement: <nil>: Invalid value: "-x": name part must consist'),
        ("x/y/z", 'unable to parse requirement: <nil>: Invalid value: "x/y/z": a valid label key'),
        ("x=-a", 'unable to parse requirement: values[0][x]: Invalid value: "-a": a valid label'),
        ("x in (-a,b-)", 'unable to parse requirement: [values[0][x]: Invalid value: "-a": '),
    ],
)
def test_keys_and_values_have_to_be_good_labels(selector, beginning):
    """No object has such labels, so the selector is a mistake."""
    with pytest.raises(InvalidSelector) as caught:
        parse_label_selector(selector)
    assert str(caught.value).startswith(beginning)


@given(st.text(alphabet="ab=!(),> <in-./", max_size=20))
def test_any_text_is_a_label_selector_or_refused(text):
    """Whatever callers send, the answer is not a crash."""
    try:
        requirements = parse_label_selector(text)
    except InvalidSelector:
        return
    for requirement in requirements:
        requirement.matches(WEB)


@pytest.mark.parametrize(
    ("selector", "terms"),
    [
        ("", ()),
        (",", ()),
        ("metadata.name=a", (FieldTerm("metadata.name", "a"),)),
        ("metadata.name==a", (FieldTerm("metadata.name", "a"),)),
        ("x!=a", (FieldTerm("x", "a", is_equal=False),)),
        (r"x=a\,b\=c\\d", (FieldTerm("x", r"a,b=c\d"),)),
        ("b=1,a=2", (FieldTerm("a", "2"), FieldTerm("b", "1"))),
    ],
)
def test_field_selectors_are_read(selector, terms):
    """Terms come sorted, values without their escapes."""
    assert parse_field_selector(selector) == terms


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        ("abc", "invalid selector: 'abc'; can't understand 'abc'"),
        (r"metadata.name=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("metadata.name=a\\", "invalid field selector: invalid escape sequence: \\"),
        ("metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_what_is_no_field_selector_is_refused_in_kubernetes_words(selector, sentence):
    """As a real server says it."""
    with pytest.raises(InvalidSelector) as caught:
        parse_field_selector(selector)
    assert str(caught.value) == sentence
