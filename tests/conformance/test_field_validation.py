"""Fields that a kind does not have: dropped, warned about or refused, as the caller wishes."""

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment


@pytest.fixture
def path(namespace: str) -> str:
    """Return the path of the test's ConfigMaps."""
    return CONFIG_MAPS.path(namespace=namespace)


async def test_unknown_fields_are_warned_about(api: Api, path: str) -> None:
    """That is what happens unless told otherwise."""
    answer = await api.post(path, {**config_map("a"), "colour": "red"})
    assert "colour" not in answer.ok(201)
    assert answer.headers["Warning"] == '299 - "unknown field \\"colour\\""'


async def test_unknown_fields_can_be_ignored(api: Api, path: str) -> None:
    """Without a word."""
    body = {**config_map("a"), "colour": "red"}
    answer = await api.post(path, body, fieldValidation="Ignore")
    assert "colour" not in answer.ok(201)
    assert "Warning" not in answer.headers


async def test_unknown_fields_can_be_refused(api: Api, path: str) -> None:
    """Kubectl asks for it."""
    body = {**config_map("a"), "colour": "red"}
    (await api.post(path, body, fieldValidation="Strict")).assert_refused(
        400,
        "BadRequest",
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'unknown field "colour"',
    )


async def test_unknown_fields_are_named_by_path(api: Api, namespace: str) -> None:
    """However deep, all of them, in the order of the body."""
    body = deployment("a")
    body["spec"]["replica"] = 1
    body["spec"]["template"]["spec"]["containers"][0]["img"] = "x"
    answer = await api.post(DEPLOYMENTS.path(namespace=namespace), body, fieldValidation="Strict")
    answer.assert_refused(
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.template.spec.containers[0].img", unknown field "spec.replica"',
    )


async def test_a_field_given_twice_is_refused(api: Api, path: str) -> None:
    """Which one is meant?"""
    twice = b'{"metadata": {"name": "a"}, "data": {"k": "v", "k": "w"}}'
    answer = await api.call("POST", path, twice, query={"fieldValidation": "Strict"})
    answer.assert_refused(
        400,
        "BadRequest",
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'duplicate field "data.k"',
    )


async def test_patches_are_validated_as_well(api: Api, path: str) -> None:
    """The result is read like a body."""
    (await api.post(path, config_map("a"))).ok(201)
    answer = await api.patch(f"{path}/a", {"colour": "red"}, fieldValidation="Strict")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"].endswith('strict decoding error: unknown field "colour"')


async def test_an_unknown_level_is_refused(api: Api, path: str) -> None:
    """There are three."""
    answer = await api.post(path, config_map("a"), fieldValidation="Severe")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueNotSupported",
            "message": 'Unsupported value: "Severe": supported values: "", "Ignore", "Strict", '
            '"Warn"',
            "field": "fieldValidation",
        }
    ]
