"""What a request is about, by its path: authorization decides by nothing else."""

import pytest

from towline_sandbox.embedded.serving.request_info import RequestInfo, read_request


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/pods", {"watch": "1"}, ("watch", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/pods", {"watch": "false"}, ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/p", {}, ("get", "", "v1", "pods", "", "a", "p")),
        ("POST", "/api/v1/namespaces/a/pods", {}, ("create", "", "v1", "pods", "", "a", "")),
        (
            "DELETE",
            "/api/v1/namespaces/a/pods",
            {},
            ("deletecollection", "", "v1", "pods", "", "a", ""),
        ),
        (
            "PUT",
            "/api/v1/namespaces/a/pods/p/status",
            {},
            ("update", "", "v1", "pods", "status", "a", "p"),
        ),
        # A Namespace is in itself, so that a Role inside may speak about it.
        ("GET", "/api/v1/namespaces/a", {}, ("get", "", "v1", "namespaces", "", "a", "a")),
        (
            "PUT",
            "/api/v1/namespaces/a/finalize",
            {},
            ("update", "", "v1", "namespaces", "finalize", "a", "a"),
        ),
        ("GET", "/api/v1/namespaces", {}, ("list", "", "v1", "namespaces", "", "", "")),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d",
            {},
            ("patch", "apps", "v1", "deployments", "", "a", "d"),
        ),
        ("GET", "/api/v1/watch/namespaces/a/pods/p", {}, ("watch", "", "v1", "pods", "", "a", "p")),
        (
            "GET",
            "/api/v1/pods",
            {"fieldSelector": "metadata.name=p"},
            ("list", "", "v1", "pods", "", "", "p"),
        ),
        (
            "GET",
            "/api/v1/pods",
            {"fieldSelector": "metadata.name!=p"},
            ("list", "", "v1", "pods", "", "", ""),
        ),
        (
            "GET",
            "/api/v1/pods",
            {"fieldSelector": "nonsense"},
            ("list", "", "v1", "pods", "", "", ""),
        ),
    ],
)
def test_a_resource_is_read_from_the_path(
    method: str, path: str, query: dict[str, str], expected: tuple[str, ...]
) -> None:
    """The special cases are Kubernetes' own; each of them has let somebody in somewhere."""
    found = read_request(method, path, query)
    assert found.is_resource
    assert expected == (
        found.verb,
        found.group,
        found.version,
        found.resource,
        found.subresource,
        found.namespace,
        found.name,
    )


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/livez/ping"]
)
def test_other_paths_are_asked_for_as_paths(path: str) -> None:
    """Rules speak of them as non-resource URLs, with the method for a verb."""
    assert read_request("GET", path, {}) == RequestInfo("GET", path, "get")


def test_a_name_that_is_only_selected_is_not_in_the_path() -> None:
    """It decides about the right to list, not about which object is meant."""
    found = read_request("GET", "/api/v1/pods", {"fieldSelector": "metadata.name=p"})
    assert not found.has_name


def test_a_namespace_is_in_no_namespace() -> None:
    """For authorization it is in itself; where it is stored it is not."""
    found = read_request("GET", "/api/v1/namespaces/a", {})
    assert (found.namespace, found.object_namespace) == ("a", None)
