"""OpenAPI: the shapes of what is served, as kubectl reads them."""

import json

import pytest

from conformance.api import Api
from conformance.crds import widgets
from support.waiting import until
from towline_api.resources import KubeObject

GVK = "x-kubernetes-group-version-kind"


async def index(api: Api) -> KubeObject:
    """Return where the document of each group version is (sent as plain text, though JSON)."""
    answer = await api.get("/openapi/v3")
    assert answer.status == 200
    paths: KubeObject = json.loads(answer.text)["paths"]
    return paths


async def document(api: Api, part: str) -> KubeObject:
    """Return the OpenAPI v3 document of one group version."""
    url: str = (await index(api))[part]["serverRelativeURL"]
    assert url.startswith(f"/openapi/v3/{part}?hash=")
    body = (await api.get(url.partition("?")[0])).ok()
    assert body["openapi"].startswith("3.0")
    return body


def schema_of(body: KubeObject, *, group: str, kind: str) -> KubeObject:
    """Return the schema of a kind."""
    (found,) = (
        schema
        for schema in body["components"]["schemas"].values()
        if {"group": group, "version": "v1", "kind": kind} in schema.get(GVK, ())
    )
    return dict(found)


@pytest.mark.parametrize(
    "part",
    [
        "api/v1",
        "apis/apps/v1",
        "apis/coordination.k8s.io/v1",
        "apis/certificates.k8s.io/v1",
        "apis/rbac.authorization.k8s.io/v1",
        "apis/apiextensions.k8s.io/v1",
    ],
)
async def test_every_group_version_has_a_document(api: Api, part: str) -> None:
    """The index names it with a digest, by which clients cache it."""
    body = await document(api, part)
    assert body["paths"]
    assert body["components"]["schemas"]


async def test_a_kind_is_described(api: Api) -> None:
    """`kubectl explain lease.spec`."""
    body = await document(api, "apis/coordination.k8s.io/v1")
    lease = schema_of(body, group="coordination.k8s.io", kind="Lease")
    assert lease["type"] == "object"
    assert set(lease["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    spec = body["components"]["schemas"]["io.k8s.api.coordination.v1.LeaseSpec"]
    assert spec["properties"]["leaseDurationSeconds"]["type"] == "integer"
    assert spec["properties"]["leaseDurationSeconds"]["format"] == "int32"


async def test_merge_keys_are_told(api: Api) -> None:
    """What a client needs for a strategic merge patch of its own."""
    body = await document(api, "apis/apps/v1")
    pod = body["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]
    containers = pod["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-type"] == "map"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]


async def test_operations_are_told(api: Api) -> None:
    """Kubectl looks here whether a server takes `fieldValidation` and dry runs."""
    body = await document(api, "api/v1")
    item = body["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]
    assert {"get", "put", "patch", "delete"} <= set(item)
    assert item["get"]["x-kubernetes-action"] == "get"
    assert item["get"][GVK] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    parameters = {parameter["name"] for parameter in item["patch"]["parameters"]}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= parameters


async def test_a_definition_is_described(api: Api, widget_group: str) -> None:
    """By its own schema, with the metadata of every object."""
    part = f"apis/{widgets(widget_group).group}/v1"

    async def known() -> bool:
        return part in await index(api)

    await until(known, what=lambda: f"{part} to be described")
    body = await document(api, part)
    widget = schema_of(body, group=widgets(widget_group).group, kind="Widget")
    assert widget["properties"]["spec"]["properties"]["size"]["maximum"] == 9
    assert {"apiVersion", "kind", "metadata", "spec", "status"} == set(widget["properties"])


async def test_an_unknown_part_is_not_found(api: Api) -> None:
    """Not an empty document."""
    assert (await api.get("/openapi/v3/apis/nothing.example.com/v1")).status == 404
