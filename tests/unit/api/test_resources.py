"""Paths lead to the endpoint that is meant, whatever stands in a name."""

import pytest

from towline_api.resources import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (NAMESPACES.path(), "/api/v1/namespaces"),
        (NAMESPACES.path(name="c1"), "/api/v1/namespaces/c1"),
        (CONFIG_MAPS.path(), "/api/v1/configmaps"),
        (CONFIG_MAPS.path(namespace="c1"), "/api/v1/namespaces/c1/configmaps"),
        (
            LEASES.path(namespace="c1", name="l"),
            "/apis/coordination.k8s.io/v1/namespaces/c1/leases/l",
        ),
        (
            MANAGED_CLUSTERS.path(name="c1", subresource="status"),
            "/apis/cluster.open-cluster-management.io/v1/managedclusters/c1/status",
        ),
        (
            CLUSTER_ROLES.path(name="open-cluster-management:managedcluster:c1"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/open-cluster-management:managedcluster:c1",
        ),
        (
            CONFIG_MAPS.path(namespace="a/b", name="../secrets/x"),
            "/api/v1/namespaces/a%2Fb/configmaps/..%2Fsecrets%2Fx",
        ),
    ],
)
def test_paths_are_those_of_the_api(path: str, expected: str):
    """A slash in a name must not lead to another object."""
    assert path == expected


def test_impossible_paths_are_programming_errors():
    """They would otherwise reach another endpoint than was meant."""
    with pytest.raises(ValueError, match="cluster-scoped"):
        MANAGED_CLUSTERS.path(namespace="c1")
    with pytest.raises(ValueError, match="needs a namespace"):
        LEASES.path(name="l")
    with pytest.raises(ValueError, match="needs a name"):
        LEASES.path(namespace="c1", subresource="status")


def test_resources_name_themselves_as_kubectl_does():
    """Messages and metrics use these."""
    assert LEASES.qualified == "leases.coordination.k8s.io"
    assert LEASES.api_version == "coordination.k8s.io/v1"
    assert CONFIG_MAPS.qualified == "configmaps"
    assert CONFIG_MAPS.api_version == "v1"
    assert CONFIG_MAPS.describe("a", namespace="n") == "configmaps n/a"
    assert NAMESPACES.describe("a") == "namespaces a"
