"""OpenAPI v2 says what a validator looks for, in JSON and as the protobuf that kubectl reads."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from towline_api.resources import Resource
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.model.kinds import Catalog, Kind
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.protobuf.wire import read_fields
from towline_sandbox.embedded.views.openapi import OpenApi
from towline_sandbox.embedded.views.openapi_protobuf import ASKED_FOR, PROTOBUF

SPEC = {
    "type": "object",
    "required": ["n"],
    "properties": {
        "n": {"type": "integer", "description": "how many"},
        "port": {"x-kubernetes-int-or-string": True},
        "maybe": {"type": "string", "nullable": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "notes": {"type": "object", "additionalProperties": {"type": "string"}},
        "list": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
    },
}
ZEBRAS = Kind(
    Resource("ex.com", "v2", "zebras", "Zebra", namespaced=True),
    frozenset({"create", "get", "list", "patch"}),
    "zebra",
    "ZebraList",
    schema=Schema({"type": "object", "properties": {"spec": SPEC}}),
    custom=True,
)


@pytest.fixture
def catalog() -> Catalog:
    """Return a catalog with all built-in kinds and a custom one."""
    catalog = Catalog()
    catalog.put("built-in", built_in.kinds())
    catalog.put("zebras.ex.com", [ZEBRAS])
    return catalog


@pytest.fixture
def openapi(catalog: Catalog) -> OpenApi:
    """Return the documents of that catalog."""
    return OpenApi(catalog, definitions=built_in.definitions(), version="v1.37.2")


def swagger(openapi: OpenApi) -> Any:
    """Return the document as JSON."""
    document = openapi.answer("/openapi/v2")
    assert document is not None
    return json.loads(document.body)


def only(data: bytes, *path: int) -> bytes:
    """Return what is in a field of a field: the last one, where there are several."""
    for number in path:
        *_, data = (
            value
            for found, value in read_fields(data)
            if found == number and isinstance(value, bytes)
        )
    return data


def named(data: Iterable[tuple[int, int | bytes]], number: int) -> dict[str, bytes]:
    """Return the messages of a list of named ones."""
    messages = [value for found, value in data if found == number and isinstance(value, bytes)]
    return {only(message, 1).decode(): only(message, 2) for message in messages}


def test_schemas_are_put_as_version_2_can(openapi: OpenApi) -> None:
    """It knows neither null nor alternatives, and what is free is free of a type."""
    spec = swagger(openapi)["definitions"]["com.ex.v2.Zebra"]["properties"]["spec"]
    assert spec == {
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": {"type": "integer", "description": "how many"},
            "port": {"type": "string", "format": "int-or-string"},
            "maybe": {},
            "free": {},
            "notes": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        },
    }


def test_references_lead_to_definitions(openapi: OpenApi) -> None:
    """Each of them is there."""
    document = swagger(openapi)
    definitions = document["definitions"]
    text = json.dumps(document)
    targets = {part.split('"')[0] for part in text.split('"$ref": "#/definitions/')[1:]}
    assert targets <= set(definitions)
    assert "components" not in text
    assert definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] == {"type": "string"}


def test_who_can_be_patched_takes_validation(openapi: OpenApi) -> None:
    """That is how kubectl finds out whether the server validates."""
    paths = swagger(openapi)["paths"]
    patch = paths["/apis/ex.com/v2/namespaces/{namespace}/zebras/{name}"]["patch"]
    assert [parameter["name"] for parameter in patch["parameters"]] == ["fieldValidation"]
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "ex.com",
        "version": "v2",
        "kind": "Zebra",
    }
    assert "/api/v1/namespaces/{name}" in paths


@pytest.mark.parametrize("accept", ASKED_FOR)
def test_kubectl_gets_protobuf(openapi: OpenApi, accept: str) -> None:
    """The same document, in numbered fields."""
    answer = openapi.answer("/openapi/v2", accept=accept)
    assert answer is not None
    assert answer.content_type == PROTOBUF
    assert only(answer.body, 1) == b"2.0"
    definitions = named(read_fields(only(answer.body, 9)), 1)
    assert set(definitions) == set(swagger(openapi)["definitions"])
    zebra = definitions["com.ex.v2.Zebra"]
    extensions = named(read_fields(zebra), 31)
    (identity,) = json.loads(only(extensions["x-kubernetes-group-version-kind"], 2))
    assert identity["kind"] == "Zebra"
    spec = named(read_fields(only(zebra, 25)), 1)["spec"]
    assert only(spec, 19) == b"n"
    fields = named(read_fields(only(spec, 25)), 1)
    assert only(fields["n"], 22, 1) == b"integer"
    assert only(fields["notes"], 21, 1, 22, 1) == b"string"
    assert only(fields["list"], 23, 1, 22, 1) == b"string"
    assert only(fields["list"], 23, 1, 20, 2) == b'"b"'


def test_it_changes_with_the_kinds(catalog: Catalog, openapi: OpenApi) -> None:
    """Whoever knows the old one is told; whoever knows the new one is not sent it again."""
    before = openapi.answer("/openapi/v2")
    catalog.put("zebras.ex.com", [replace(ZEBRAS, schema=Schema({"type": "object"}))])
    after = openapi.answer("/openapi/v2")
    assert before is not None
    assert after is not None
    assert before.headers["ETag"] != after.headers["ETag"]
    again = openapi.answer("/openapi/v2", if_none_match=after.headers["ETag"])
    assert again is not None
    assert (again.status, again.body) == (304, b"")


def test_other_forms_are_not_to_be_had(openapi: OpenApi) -> None:
    """As on a real server."""
    answer = openapi.answer("/openapi/v2", accept="text/html")
    assert answer is not None
    assert answer.status == 406
