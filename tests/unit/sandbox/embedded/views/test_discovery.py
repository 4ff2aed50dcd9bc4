"""Discovery tells what is served in both of its forms; wording and order are a real plane's."""

import json
from dataclasses import replace
from typing import Any

import pytest

from towline_api.resources import Resource
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, Kind, Subresource
from towline_sandbox.embedded.views.discovery import Discovery

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
ALL = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})
STATUS = Subresource("status", frozenset({"update", "get", "patch"}))
SCALE = Subresource("scale", frozenset({"get"}), "Scale", GroupVersion("autoscaling", "v1"))

PODS = Kind(
    Resource("", "v1", "pods", "Pod", namespaced=True),
    ALL,
    "pod",
    "PodList",
    short_names=("po",),
    categories=("all",),
    subresources={"status": STATUS},
)
REVIEWS = Kind(
    Resource("authorization.k8s.io", "v1", "reviews", "Review", namespaced=False),
    frozenset({"create"}),
    "review",
    "ReviewList",
)
ZEBRAS = Kind(
    Resource("ex.com", "v2", "zebras", "Zebra", namespaced=True),
    ALL,
    "zebra",
    "ZebraList",
    storage_version="v1alpha1",
    subresources={"scale": SCALE, "status": STATUS},
    custom=True,
)


@pytest.fixture
def catalog() -> Catalog:
    """Return a catalog with built-in kinds and a custom one."""
    catalog = Catalog()
    catalog.put("built-in", [REVIEWS, PODS])
    catalog.put("zebras.ex.com", [ZEBRAS])
    return catalog


@pytest.fixture
def discovery(catalog: Catalog) -> Discovery:
    """Return what tells about that catalog."""
    return Discovery(catalog, address="127.0.0.1:6443")


def ask(discovery: Discovery, path: str, accept: str | None = None) -> Any:
    """Return the document at a path."""
    document = discovery.answer(path, accept=accept)
    assert document is not None
    assert document.status == 200
    return json.loads(document.body)


def test_the_core_group_has_a_document_of_its_own(discovery: Discovery) -> None:
    """It is older than groups."""
    assert ask(discovery, "/api") == {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}
        ],
    }
    document = ask(discovery, "/api/v1")
    assert "apiVersion" not in document
    pods, status = document["resources"]
    assert pods == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": sorted(ALL),
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert status == {
        "name": "pods/status",
        "singularName": "",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["get", "patch", "update"],
    }


def test_groups_are_listed_with_their_versions(discovery: Discovery) -> None:
    """The list and the single group say the same."""
    groups = ask(discovery, "/apis")["groups"]
    assert [group["name"] for group in groups] == ["authorization.k8s.io", "ex.com"]
    version = {"groupVersion": "ex.com/v2", "version": "v2"}
    assert groups[1] == {"name": "ex.com", "versions": [version], "preferredVersion": version}
    assert ask(discovery, "/apis/ex.com/") == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        **groups[1],
    }


def test_custom_kinds_are_told_in_their_own_order(discovery: Discovery) -> None:
    """Verbs are not sorted there, and status comes before scale."""
    zebras, status, scale = ask(discovery, "/apis/ex.com/v2")["resources"]
    assert zebras["verbs"][:2] == ["delete", "deletecollection"]
    assert zebras["verbs"][-3:] == ["create", "update", "watch"]
    assert (status["name"], scale["name"]) == ("zebras/status", "zebras/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


def test_kinds_that_are_not_stored_have_no_hash(discovery: Discovery) -> None:
    """Reviews are answered, not kept."""
    (review,) = ask(discovery, "/apis/authorization.k8s.io/v1")["resources"]
    assert "storageVersionHash" not in review


def test_everything_is_told_at_once_to_who_asks_so(discovery: Discovery) -> None:
    """Kubectl does; other clients may not know the form."""
    accept = f"{AGGREGATED},application/json"
    (core,) = ask(discovery, "/api", accept)["items"]
    assert core["metadata"] == {}
    (pods,) = core["versions"][0]["resources"]
    assert pods["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    assert pods["scope"] == "Namespaced"
    assert pods["subresources"] == [
        {
            "subresource": "status",
            "responseKind": {"group": "", "version": "", "kind": "Pod"},
            "verbs": ["get", "patch", "update"],
        }
    ]
    groups = ask(discovery, "/apis", accept)["items"]
    assert [group["metadata"]["name"] for group in groups] == ["authorization.k8s.io", "ex.com"]
    (zebras,) = groups[1]["versions"][0]["resources"]
    assert zebras["responseKind"] == {"group": "ex.com", "version": "v2", "kind": "Zebra"}
    assert groups[1]["versions"][0]["freshness"] == "Current"


def test_who_prefers_the_older_form_gets_it(discovery: Discovery) -> None:
    """The order of the header decides."""
    assert ask(discovery, "/apis", f"application/json,{AGGREGATED}")["kind"] == "APIGroupList"
    old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
    assert ask(discovery, "/apis", f"{old},application/json")["kind"] == "APIGroupList"


def test_a_caller_who_knows_the_document_gets_none(catalog: Catalog, discovery: Discovery) -> None:
    """Until something changes."""
    first = discovery.answer("/apis", accept=AGGREGATED)
    assert first is not None
    tag = first.headers["ETag"]
    again = discovery.answer("/apis", accept=AGGREGATED, if_none_match=tag)
    assert again is not None
    assert (again.status, again.body) == (304, b"")
    catalog.remove("zebras.ex.com")
    changed = discovery.answer("/apis", accept=AGGREGATED, if_none_match=tag)
    assert changed is not None
    assert changed.status == 200
    assert b"ex.com" not in changed.body


def test_what_nobody_serves_is_not_found(discovery: Discovery) -> None:
    """Kubernetes answers for its own groups with a Status, for strangers in plain words."""
    for path in ("/api/v2", "/apis/apps/v9"):
        with pytest.raises(ApiFailure) as refusal:
            discovery.answer(path)
        assert refusal.value.code == 404
    for path in ("/apis/nope.com", "/apis/ex.com/v9"):
        document = discovery.answer(path)
        assert document is not None
        assert (document.status, document.body) == (404, b"404 page not found\n")
    assert discovery.answer("/healthz") is None


def test_a_storage_version_is_part_of_the_hash(catalog: Catalog, discovery: Discovery) -> None:
    """By it clients notice that objects are stored anew."""
    before = ask(discovery, "/apis/ex.com/v2")["resources"][0]["storageVersionHash"]
    catalog.put("zebras.ex.com", [replace(ZEBRAS, storage_version="v2")])
    assert ask(discovery, "/apis/ex.com/v2")["resources"][0]["storageVersionHash"] != before
