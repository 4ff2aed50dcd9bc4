"""Bodies of requests, and what a caller is told about one that cannot be read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.resources import CONFIG_MAPS
from towline_sandbox.embedded.model.calls import FieldValidation
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.serving.answers import JSON, YAML
from towline_sandbox.embedded.serving.bodies import (
    check_readable,
    media_type_of,
    parse_object,
    parse_options,
)

KIND = Kind(CONFIG_MAPS, frozenset(), "configmap", "ConfigMapList")


def parse(
    body: bytes, media_type: str = JSON, validation: FieldValidation = FieldValidation.WARN
) -> tuple[object, list[str]]:
    warnings: list[str] = []
    found = parse_object(
        body, media_type=media_type, kind=KIND, field_validation=validation, warnings=warnings
    )
    return found, warnings


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{bad", "invalid character 'b' looking for beginning of object key string ({bad)"),
        (b"", "unexpected end of JSON input (<empty>)"),
        (b'{"a', 'unexpected end of JSON input ({"a)'),
        (b'{"a":', 'unexpected end of JSON input ({"a":)'),
        (b"{} {}", "invalid character '{' after top-level value ({} {})"),
        (b'{"a" 1}', "invalid character '1' after object key ({\"a\" 1})"),
        (b'{"a":1 2}', "invalid character '2' after object key:value pair ({\"a\":1 2})"),
    ],
)
def test_broken_json_is_told_in_the_words_of_go(body: bytes, why: str) -> None:
    """Seen from a real server, letter by letter."""
    with pytest.raises(ApiFailure) as refused:
        parse(body)
    assert refused.value.code == 400
    assert refused.value.message == (
        "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
        f"version/kind; json parse error: {why}"
    )


def test_what_is_no_object_is_refused() -> None:
    """A list is fine JSON and nothing to store."""
    with pytest.raises(ApiFailure, match=r"cannot unmarshal array into Go value .* \(5b5d\)"):
        parse(b"[]")


def test_null_is_an_empty_object() -> None:
    """What is missing in it is another matter."""
    assert parse(b"null") == ({}, [])


def test_yaml_is_read_as_json_would_be() -> None:
    """Dates stay text: JSON has none."""
    assert parse(b"a: 2026-01-01\nb: [1, yes]", YAML) == (
        {"a": "2026-01-01", "b": [1, True]},
        [],
    )
    with pytest.raises(ApiFailure, match="mapping values are not allowed in this context"):
        parse(b"a: b: c\n", YAML)


def test_a_field_that_is_there_twice_is_told() -> None:
    """The last one counts, which its writer may not have meant."""
    twice = b'{"data":{"a":"1","a":"2"}}'
    assert parse(twice) == ({"data": {"a": "2"}}, ['duplicate field "data.a"'])
    assert parse(twice, validation=FieldValidation.IGNORE) == ({"data": {"a": "2"}}, [])
    with pytest.raises(ApiFailure, match=r'strict decoding error: duplicate field "data\.a"'):
        parse(twice, validation=FieldValidation.STRICT)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_other_formats_are_not_read(content_type: str) -> None:
    """What curl says by default is one of them."""
    with pytest.raises(ApiFailure) as refused:
        check_readable(content_type)
    assert refused.value.code == 415


def test_a_format_is_known_without_its_parameters() -> None:
    """Nothing said means JSON."""
    assert media_type_of("Application/JSON; charset=utf-8") == JSON
    assert media_type_of(None) == JSON


def test_options_of_another_kind_are_refused() -> None:
    """A whole object sent with a delete is a mistake."""
    assert parse_options(b"", media_type=JSON) == {}
    assert parse_options(b'{"kind":"DeleteOptions","dryRun":["All"]}', media_type=JSON)
    with pytest.raises(ApiFailure, match='no kind "Pod" is registered'):
        parse_options(b'{"kind":"Pod","apiVersion":"v1"}', media_type=JSON)


@given(body=st.binary(max_size=60), media_type=st.sampled_from([JSON, YAML]))
def test_whatever_is_sent_is_an_object_or_refused(body: bytes, media_type: str) -> None:
    """Nobody brings the server down with a body."""
    code = 200
    try:
        found, _ = parse(body, media_type)
    except ApiFailure as refused:
        found, code = {}, refused.code
    assert isinstance(found, dict)
    assert code in (200, 400)


def test_the_kind_is_named_as_the_path_has_it() -> None:
    """The caller may not have said a kind at all."""
    other = replace(KIND, resource=replace(CONFIG_MAPS, kind="Other"))
    with pytest.raises(ApiFailure, match="must be of type Other"):
        parse_object(
            b"{",
            media_type=JSON,
            kind=other,
            field_validation=FieldValidation.WARN,
            warnings=[],
        )
