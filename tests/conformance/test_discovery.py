"""How clients find out what is served: the documents of each group, and all of them in one."""

import pytest

from conformance.api import Api
from conformance.callers import Callers
from conformance.crds import install, widget_crd
from support.waiting import until
from towline_api.resources import KubeObject

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def resources_of(api: Api, path: str) -> dict[str, KubeObject]:
    """Return the resources of a group version by name."""
    body = (await api.get(path)).ok()
    assert body["kind"] == "APIResourceList"
    return {item["name"]: item for item in body["resources"]}


async def test_the_core_versions(api: Api) -> None:
    """The group without a name has a document of its own kind."""
    body = (await api.get("/api")).ok()
    assert body["kind"] == "APIVersions"
    assert body["versions"] == ["v1"]
    assert body["serverAddressByClientCIDRs"][0]["clientCIDR"] == "0.0.0.0/0"


async def test_the_list_of_groups(api: Api) -> None:
    """Each group with its versions and the one preferred."""
    body = (await api.get("/apis")).ok()
    assert (body["kind"], body["apiVersion"]) == ("APIGroupList", "v1")
    groups = {item["name"]: item for item in body["groups"]}
    assert {
        "apps",
        "batch",
        "coordination.k8s.io",
        "events.k8s.io",
        "certificates.k8s.io",
        "rbac.authorization.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "apiextensions.k8s.io",
        "admissionregistration.k8s.io",
    } <= set(groups)
    assert groups["apps"] == {
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }


async def test_one_group(api: Api) -> None:
    """The same entry as in the list, as a document."""
    body = (await api.get("/apis/coordination.k8s.io")).ok()
    assert body["kind"] == "APIGroup"
    assert body["preferredVersion"] == {
        "groupVersion": "coordination.k8s.io/v1",
        "version": "v1",
    }


async def test_a_namespaced_resource_with_short_name(api: Api) -> None:
    """Everything kubectl has to know to take `kubectl get cm`."""
    found = (await resources_of(api, "/api/v1"))["configmaps"]
    found.pop("storageVersionHash")
    assert found == {
        "name": "configmaps",
        "singularName": "configmap",
        "namespaced": True,
        "kind": "ConfigMap",
        "verbs": [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ],
        "shortNames": ["cm"],
    }


async def test_subresources_are_resources(api: Api) -> None:
    """Some speak another kind than the object they belong to."""
    core = await resources_of(api, "/api/v1")
    assert core["nodes/status"] == {
        "name": "nodes/status",
        "singularName": "",
        "namespaced": False,
        "kind": "Node",
        "verbs": ["get", "patch", "update"],
    }
    assert core["serviceaccounts/token"] == {
        "name": "serviceaccounts/token",
        "singularName": "",
        "namespaced": True,
        "group": "authentication.k8s.io",
        "version": "v1",
        "kind": "TokenRequest",
        "verbs": ["create"],
    }


async def test_categories_are_told(api: Api) -> None:
    """`kubectl get all` asks for the category `all`."""
    apps = await resources_of(api, "/apis/apps/v1")
    assert apps["deployments"]["categories"] == ["all"]
    assert apps["deployments"]["shortNames"] == ["deploy"]
    assert apps["deployments/scale"]["kind"] == "Scale"


async def test_reviews_can_only_be_created(api: Api) -> None:
    """A client that believed it could list them would fail later."""
    found = await resources_of(api, "/apis/authorization.k8s.io/v1")
    assert {name: item["verbs"] for name, item in found.items()} == {
        "localsubjectaccessreviews": ["create"],
        "selfsubjectaccessreviews": ["create"],
        "selfsubjectrulesreviews": ["create"],
        "subjectaccessreviews": ["create"],
    }


async def test_requests_have_their_subresources(api: Api) -> None:
    """The two that approvers and signers write."""
    found = await resources_of(api, "/apis/certificates.k8s.io/v1")
    assert {
        "certificatesigningrequests",
        "certificatesigningrequests/approval",
        "certificatesigningrequests/status",
    } <= set(found)
    assert found["certificatesigningrequests"]["shortNames"] == ["csr"]
    assert found["certificatesigningrequests"]["namespaced"] is False


@pytest.mark.parametrize(
    ("path", "group", "resource"),
    [
        pytest.param("/api", "", "configmaps", id="core"),
        pytest.param("/apis", "apps", "deployments", id="groups"),
    ],
)
async def test_everything_comes_in_one_document(
    api: Api, path: str, group: str, resource: str
) -> None:
    """Aggregated discovery: kubectl asks for it first."""
    answer = await api.get(path, accept=AGGREGATED)
    assert answer.headers["Content-Type"] == AGGREGATED
    body = answer.ok()
    assert (body["kind"], body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    groups = {item["metadata"].get("name", ""): item for item in body["items"]}
    version = groups[group]["versions"][0]
    assert (version["version"], version["freshness"]) == ("v1", "Current")
    resources = {item["resource"]: item for item in version["resources"]}
    assert resources[resource]["scope"] == "Namespaced"
    assert resources[resource]["verbs"][0] == "create"
    if resource == "deployments":
        assert [sub["subresource"] for sub in resources[resource]["subresources"]] == [
            "scale",
            "status",
        ]
        assert resources[resource]["responseKind"] == {
            "group": "",  # an empty one is that of the list around it
            "version": "",
            "kind": "Deployment",
        }


async def test_the_aggregated_document_has_an_etag(api: Api) -> None:
    """Who has it already is told so instead of getting it again."""
    first = await api.get("/apis", accept=AGGREGATED)
    etag = first.headers["ETag"]
    again = await api.call("GET", "/apis", headers={"Accept": AGGREGATED, "If-None-Match": etag})
    assert (again.status, again.text) == (304, "")


async def test_a_definition_is_discovered(api: Api, name: str) -> None:
    """With its short names and categories, and as a group of its own."""
    crd = widget_crd(name)
    await install(api, crd)
    group = crd["spec"]["group"]
    found: list[dict[str, KubeObject]] = []

    async def served() -> bool:
        if (await api.get(f"/apis/{group}/v1")).status != 200:
            return False
        found.append(await resources_of(api, f"/apis/{group}/v1"))
        return "widgets" in found[-1]

    await until(served, what=lambda: "the group to be discovered")
    widget = found[-1]["widgets"]
    assert widget["shortNames"] == ["wd"]
    assert widget["categories"] == ["conformance"]
    assert widget["verbs"] == [
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch",
    ]
    assert found[-1]["widgets/status"]["verbs"] == ["get", "patch", "update"]


async def test_discovery_is_for_everybody_who_is_somebody(callers: Callers, name: str) -> None:
    """The role system:discovery is bound to all authenticated callers, not to strangers."""
    user = await callers.user(name)
    for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1", "/openapi/v3"):
        assert (await user.get(path)).status == 200
    stranger = await callers.anonymous()
    assert (await stranger.get("/apis")).status == 403
