"""OpenAPI documents hold what kubectl looks for in them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from towline_api.resources import Resource
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.model.kinds import Catalog, Kind, Subresource
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.views.documents import Document
from towline_sandbox.embedded.views.openapi import OpenApi

ZEBRAS = Kind(
    Resource("ex.com", "v2", "zebras", "Zebra", namespaced=True),
    frozenset({"create", "get", "list", "patch", "update", "delete"}),
    "zebra",
    "ZebraList",
    schema=Schema(
        {
            "type": "object",
            "description": "a striped one",
            "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        }
    ),
    subresources={"status": Subresource("status", frozenset({"get", "patch", "update"}))},
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


def fetch(openapi: OpenApi, url: str, **headers: str) -> Document:
    """Return the answer to a request."""
    path, _, digest = url.partition("?hash=")
    found = openapi.answer(path, digest=digest or None, **headers)
    assert found is not None
    return found


def index(openapi: OpenApi) -> dict[str, str]:
    """Return the addresses of all documents."""
    paths = json.loads(fetch(openapi, "/openapi/v3").body)["paths"]
    return {name: entry["serverRelativeURL"] for name, entry in paths.items()}


def references(node: Any) -> set[str]:
    """Return every schema that is referred to."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_every_group_version_has_a_document_without_loose_ends(openapi: OpenApi) -> None:
    """Kubectl follows every reference, and stops at the first it does not find."""
    addresses = index(openapi)
    assert {"api/v1", "apis/apps/v1", "apis/ex.com/v2"} <= addresses.keys()
    for address in addresses.values():
        document = json.loads(fetch(openapi, address).body)
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert references(document) <= known


def test_kinds_are_found_by_path_and_by_identity(openapi: OpenApi) -> None:
    """`kubectl explain` goes from a plural to a path, from there to the kind and its schema."""
    document = json.loads(fetch(openapi, index(openapi)["apis/apps/v1"]).body)
    item = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    identity = {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert item["get"]["x-kubernetes-group-version-kind"] == identity
    schema = document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert schema["x-kubernetes-group-version-kind"] == [identity]


@pytest.mark.parametrize("name", ["fieldValidation", "dryRun"])
def test_patches_are_seen_to_be_validated_and_tried(openapi: OpenApi, name: str) -> None:
    """Kubectl asks for no strict validation, and no dry run, where patches do not list it."""
    for group_version, plural in (("ex.com/v2", "zebras"), ("coordination.k8s.io/v1", "leases")):
        document = json.loads(fetch(openapi, index(openapi)[f"apis/{group_version}"]).body)
        path = f"/apis/{group_version}/namespaces/{{namespace}}/{plural}/{{name}}"
        patch = document["paths"][path]["patch"]
        assert name in {parameter["name"] for parameter in patch["parameters"]}


def test_a_custom_kind_keeps_its_own_words(openapi: OpenApi) -> None:
    """Its author wrote them for `kubectl explain`."""
    document = json.loads(fetch(openapi, index(openapi)["apis/ex.com/v2"]).body)
    schema = document["components"]["schemas"]["com.ex.v2.Zebra"]
    assert schema["description"] == "a striped one"
    assert schema["properties"]["spec"]["properties"] == {"n": {"type": "integer"}}
    assert schema["properties"]["metadata"] == {
        "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]
    }
    assert "com.ex.v2.ZebraList" in document["components"]["schemas"]


def test_an_address_lasts_as_long_as_its_document(catalog: Catalog, openapi: OpenApi) -> None:
    """Kubectl keeps documents by address for good; another one must have another address."""
    before = index(openapi)
    current = fetch(openapi, before["apis/ex.com/v2"])
    assert current.headers["Cache-Control"] == "public, immutable"
    catalog.put("zebras.ex.com", [replace(ZEBRAS, schema=Schema({"type": "object"}))])
    after = index(openapi)
    assert after["apis/ex.com/v2"] != before["apis/ex.com/v2"]
    assert after["apis/apps/v1"] == before["apis/apps/v1"]
    moved = fetch(openapi, before["apis/ex.com/v2"])
    assert (moved.status, moved.headers["Location"]) == (301, after["apis/ex.com/v2"])


def test_other_requests_are_answered_as_a_real_plane_does(openapi: OpenApi) -> None:
    """Nothing found, nothing acceptable, nothing new."""
    assert fetch(openapi, "/openapi/v3/apis/nope/v1").status == 404
    assert fetch(openapi, "/openapi/v3/version").status == 404
    assert fetch(openapi, "/openapi/v3/api/v1", accept="text/html").status == 406
    tag = fetch(openapi, "/openapi/v3/api/v1").headers["ETag"]
    assert fetch(openapi, "/openapi/v3/api/v1", if_none_match=tag).status == 304
    assert openapi.answer("/openapi/v1") is None
