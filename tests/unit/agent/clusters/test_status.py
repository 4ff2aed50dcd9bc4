"""What a managed cluster says about itself on the hub."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from towline_agent.clusters.status import (
    ClaimLimits,
    Healthy,
    SpokeFacts,
    Unhealthy,
    desired_status,
)
from towline_agent.credentials.status import RotationReport
from towline_api.conditions import find_condition, is_true
from towline_api.resources import KubeObject

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, tzinfo=UTC)
ROTATED = RotationReport("True", "ClientCertificateUpdated", "client certificate rotated")


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": kind,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        **more,
    }


def cluster(*conditions: dict[str, str], **status: Any) -> KubeObject:
    return {"metadata": {"name": "c1"}, "status": {"conditions": list(conditions), **status}}


ACCEPTED = cluster(condition("HubAcceptedManagedCluster"))


def node(name: str, *, cpu: str = "2", unschedulable: bool = False) -> KubeObject:
    return {
        "metadata": {"name": name},
        "spec": {"unschedulable": unschedulable},
        "status": {"capacity": {"cpu": cpu, "pods": "110"}, "allocatable": {"cpu": cpu}},
    }


def claim(name: str, value: str = "v", **labels: str) -> KubeObject:
    return {"metadata": {"name": name, "labels": labels}, "spec": {"value": value}}


WHOLE = SpokeFacts(
    health=Healthy(),
    version="v1.34.1",
    nodes=[node("n1"), node("n2")],
    claims=[claim("id.k8s.io", "x")],
)


def status_of(
    live: KubeObject,
    facts: SpokeFacts = WHOLE,
    *,
    rotation: RotationReport | None = None,
    limits: ClaimLimits | None = None,
    is_heard: bool = True,
    now: datetime = NOW,
) -> dict[str, Any]:
    return desired_status(
        live,
        facts,
        rotation=rotation,
        limits=limits or ClaimLimits(),
        is_heard=is_heard,
        now=now,
    )


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(cluster(), id="never-accepted"),
        pytest.param(cluster(condition("HubAcceptedManagedCluster", "False")), id="denied"),
        pytest.param({"metadata": {"name": "c1"}}, id="no-status-at-all"),
    ],
)
def test_nothing_is_said_before_acceptance(live: KubeObject) -> None:
    """The hub grants no write before it accepts, and takes the right away when it denies."""
    assert status_of(live, rotation=ROTATED) == (live.get("status") or {})


def test_one_status_says_everything_at_once() -> None:
    """Joining is one write: joined, available, resources, claims and certificate together."""
    status = status_of(ACCEPTED, rotation=ROTATED)
    said = {item["type"]: item["status"] for item in status["conditions"]}
    assert said == {
        "HubAcceptedManagedCluster": "True",
        "ManagedClusterJoined": "True",
        "ClusterCertificateRotated": "True",
        "ManagedClusterConditionAvailable": "True",
    }
    assert status["version"] == {"kubernetes": "v1.34.1"}
    assert status["capacity"] == {"cpu": "4", "pods": "220"}
    assert status["allocatable"] == {"cpu": "4"}
    assert status["clusterClaims"] == [{"name": "id.k8s.io", "value": "x"}]


@pytest.mark.parametrize("health", [Healthy(), Unhealthy("down")])
def test_while_the_hub_misses_the_lease_its_word_on_the_cluster_stands(
    health: Healthy | Unhealthy,
) -> None:
    """A hub that is overruled before it has had a renewal says the same again."""
    unknown = {"type": "ManagedClusterConditionAvailable", "status": "Unknown"}
    live = cluster(condition("HubAcceptedManagedCluster"), unknown)
    status = status_of(live, replace(WHOLE, health=health), is_heard=False)
    assert unknown in status["conditions"]
    heard = status_of(live, replace(WHOLE, health=health), is_heard=True)
    assert unknown not in heard["conditions"]


def test_saying_it_again_changes_nothing() -> None:
    """At rest an agent writes nothing, however often it looks."""
    live = {**ACCEPTED, "status": status_of(ACCEPTED, rotation=ROTATED)}
    assert status_of(live, rotation=ROTATED, now=LATER) == live["status"]


def test_the_input_is_not_written_to() -> None:
    """The object belongs to a cache that others read."""
    before = copy.deepcopy(ACCEPTED)
    status_of(ACCEPTED, rotation=ROTATED)
    assert before == ACCEPTED


def test_joined_never_goes_back_or_moves() -> None:
    """Its transition time is when the cluster joined."""
    joined = condition("ManagedClusterJoined", message="long ago")
    live = cluster(condition("HubAcceptedManagedCluster"), joined)
    assert joined in status_of(live)["conditions"]


def test_an_ill_cluster_keeps_what_it_last_reported() -> None:
    """Numbers read from an API server that does not answer would be guesses."""
    live = cluster(condition("HubAcceptedManagedCluster"), capacity={"cpu": "9"})
    facts = SpokeFacts(health=Unhealthy("status code: 500"), version="v2", nodes=[], claims=[])
    status = status_of(live, facts)
    available = find_condition({"status": status}, "ManagedClusterConditionAvailable")
    assert available is not None
    assert (available.status, available.message) == ("False", "status code: 500")
    assert status["capacity"] == {"cpu": "9"}
    assert "version" not in status


def test_what_is_not_known_yet_is_left_as_it_is() -> None:
    """The first status goes out as soon as the hub accepts, known or not."""
    live = cluster(
        condition("HubAcceptedManagedCluster"),
        condition("ManagedClusterConditionAvailable", "Unknown"),
        version={"kubernetes": "v1"},
        clusterClaims=[{"name": "a", "value": "b"}],
    )
    status = status_of(live, SpokeFacts())
    assert is_true({"status": status}, "ManagedClusterJoined")
    assert not is_true({"status": status}, "ManagedClusterConditionAvailable")
    assert status["version"] == {"kubernetes": "v1"}
    assert status["clusterClaims"] == [{"name": "a", "value": "b"}]


def test_an_unknown_by_the_hub_is_taken_back() -> None:
    """The hub never sets a cluster available again; the agent's next word does."""
    live = cluster(
        condition("HubAcceptedManagedCluster"),
        condition("ManagedClusterConditionAvailable", "Unknown"),
    )
    assert is_true({"status": status_of(live)}, "ManagedClusterConditionAvailable")


def test_capacity_of_others_stays_and_cordoned_nodes_do_not_allocate() -> None:
    """Others may add capacities of their own; pods go on schedulable nodes only."""
    live = cluster(condition("HubAcceptedManagedCluster"), capacity={"example.com/socket": "3"})
    facts = SpokeFacts(health=Healthy(), nodes=[node("n1"), node("n2", unschedulable=True)])
    status = status_of(live, facts)
    assert status["capacity"] == {"example.com/socket": "3", "cpu": "4", "pods": "220"}
    assert status["allocatable"] == {"cpu": "2"}


def test_the_order_of_nodes_does_not_matter() -> None:
    """A watch hands nodes out in any order; the status must not flap with it."""
    nodes = [node("n1", cpu="1500m"), node("n2", cpu="0.5")]
    one = status_of(ACCEPTED, SpokeFacts(health=Healthy(), nodes=nodes))
    other = status_of(ACCEPTED, SpokeFacts(health=Healthy(), nodes=nodes[::-1]))
    assert one == other


def test_claims_are_sorted_cut_and_kept_at_home() -> None:
    """Reserved claims always pass, twenty others do, and some must not leave the cluster."""
    claims = [claim(f"custom-{number:02}") for number in range(30)]
    claims += [claim("product.open-cluster-management.io"), claim("a.mine.example", "kept")]
    claims += [claim("secret", **{"open-cluster-management.io/spoke-only": ""})]
    limits = ClaimLimits(custom=2, reserved_suffixes=(".mine.example",))
    status = status_of(ACCEPTED, SpokeFacts(health=Healthy(), claims=claims[::-1]), limits=limits)
    assert [entry["name"] for entry in status["clusterClaims"]] == [
        "a.mine.example",
        "product.open-cluster-management.io",
        "custom-00",
        "custom-01",
    ]


def test_claims_that_went_away_are_taken_back() -> None:
    """A claim nobody makes any more must not select clusters."""
    live = cluster(
        condition("HubAcceptedManagedCluster"), clusterClaims=[{"name": "a", "value": "b"}]
    )
    assert status_of(live, SpokeFacts(health=Healthy(), claims=[]))["clusterClaims"] == []
    assert "clusterClaims" not in status_of(ACCEPTED, SpokeFacts(health=Healthy(), claims=[]))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(claim("bad", ""), id="empty"),
        pytest.param(claim("bad", "x" * 1025), id="too-long"),
        pytest.param(claim("b" * 254), id="name-too-long"),
        pytest.param({"metadata": {"name": "bad"}}, id="without-a-spec"),
        pytest.param(claim("id.k8s.io", ""), id="reserved"),
    ],
)
def test_a_claim_that_a_hub_would_refuse_keeps_nothing_else_from_it(bad: KubeObject) -> None:
    """The status goes out in one write: one bad claim would silence the whole cluster."""
    long = claim("b" * 253, "x" * 1024)
    status = status_of(ACCEPTED, SpokeFacts(health=Healthy(), claims=[bad, claim("a"), long]))
    assert [entry["name"] for entry in status["clusterClaims"]] == ["a", "b" * 253]
