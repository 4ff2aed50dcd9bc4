"""What a ManagedCluster says about where it stands."""

from typing import Any

import pytest

from towline_hub.clusters.standing import Standing, is_denied, name_problem, standing_of

FINALIZER = "cluster.open-cluster-management.io/api-resource-cleanup"
AUTOMATIC = "open-cluster-management.io/automatically-accepted-on"


def _cluster(
    *,
    name: str = "c1",
    accepts: bool = False,
    held: bool = False,
    deleting: bool = False,
    condition: tuple[str, str] | None = None,
    automatic: bool = False,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if held:
        metadata["finalizers"] = ["example.com/other", FINALIZER]
    if deleting:
        metadata["deletionTimestamp"] = "2026-07-01T00:00:00Z"
    if automatic:
        metadata["annotations"] = {AUTOMATIC: "2026-07-01T00:00:00Z"}
    conditions = (
        [{"type": "HubAcceptedManagedCluster", "status": condition[0], "reason": condition[1]}]
        if condition
        else []
    )
    return {
        "metadata": metadata,
        "spec": {"hubAcceptsClient": accepts},
        "status": {"conditions": conditions},
    }


@pytest.mark.parametrize(
    ("cluster", "standing"),
    [
        pytest.param(_cluster(), Standing.NEW, id="fresh"),
        pytest.param({"metadata": {"name": "c1"}}, Standing.NEW, id="nothing-but-a-name"),
        pytest.param(_cluster(condition=("False", "Error")), Standing.NEW, id="only-an-error"),
        pytest.param(_cluster(accepts=True), Standing.ACCEPTED, id="accepted"),
        pytest.param(_cluster(held=True), Standing.DENIED, id="denied-by-finalizer"),
        pytest.param(
            _cluster(condition=("True", "HubClusterAdminAccepted")),
            Standing.DENIED,
            id="denied-by-an-ocm-hub-before",
        ),
        pytest.param(
            _cluster(condition=("False", "HubClusterAdminDenied")),
            Standing.DENIED,
            id="denied-and-told",
        ),
        pytest.param(_cluster(accepts=True, held=True, deleting=True), Standing.LEAVING, id="held"),
        pytest.param(_cluster(accepts=True, deleting=True), Standing.GONE, id="not-held-by-us"),
    ],
)
def test_standing_follows_from_the_object_alone(
    cluster: dict[str, Any], standing: Standing
) -> None:
    """A restarted hub must come to the same answer."""
    assert standing_of(cluster) is standing


def test_only_a_person_can_deny_what_was_accepted_automatically() -> None:
    """The annotation without the acceptance is a decision somebody took."""
    assert is_denied(_cluster(automatic=True))
    assert not is_denied(_cluster(automatic=True, accepts=True))
    assert not is_denied(_cluster())


@pytest.mark.parametrize(
    "name",
    [
        "kube-system",
        "kube-node-lease",
        "default",
        "open-cluster-management",
        "open-cluster-management-hub",
        "a.b",
        "a" * 64,
        "managed-clusters",
    ],
)
def test_names_whose_namespace_is_not_the_clusters_are_refused(name: str) -> None:
    """Agents hold rights in the namespace of their cluster's name, so it must be theirs alone."""
    problem = name_problem(_cluster(name=name))
    assert problem is not None
    assert name in problem


@pytest.mark.parametrize("name", ["c1", "a", "kube", "defaults", "cluster-1", "1", "a" * 63])
def test_ordinary_names_are_fine(name: str) -> None:
    """The list of reserved names must not grow into ordinary ones."""
    assert name_problem(_cluster(name=name)) is None


def test_an_operators_denial_holds_before_anything_was_accepted() -> None:
    """Otherwise a trusted bootstrap identity would bring the cluster in all the same."""
    cluster = _cluster()
    assert not is_denied(cluster)
    cluster["metadata"]["annotations"] = {
        "towline.open-cluster-management.io/denial-reason": "not one of ours"
    }
    assert is_denied(cluster)
    cluster["spec"]["hubAcceptsClient"] = True
    assert not is_denied(cluster)
