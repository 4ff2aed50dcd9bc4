"""Taints and labels by which placements see how a cluster is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_api.condition_types import AVAILABLE, CLUSTER_AVAILABLE
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_hub.clusters.selection_marks import SETTLING, feature_label, planned_marks

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
UNREACHABLE = {
    "key": "cluster.open-cluster-management.io/unreachable",
    "effect": "NoSelect",
    "timeAdded": "2026-02-01T00:00:00Z",
}
UNAVAILABLE = {**UNREACHABLE, "key": "cluster.open-cluster-management.io/unavailable"}
OPERATORS = {"key": "example.com/maintenance", "effect": "NoSelectIfNew", "value": "tonight"}
LABEL = "feature.open-cluster-management.io/addon-"


def _condition(kind: str, status: str, *, since: datetime) -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": "Test",
        "message": "",
        "lastTransitionTime": format_time(since),
    }


def _cluster(
    available: str | None,
    *,
    taints: list[dict[str, Any]] | None = None,
    labels: dict[str, str] | None = None,
    since: datetime = LONG_AGO,
) -> KubeObject:
    conditions = (
        [] if available is None else [_condition(CLUSTER_AVAILABLE, available, since=since)]
    )
    return {
        "metadata": {"name": "c1", "labels": labels or {}},
        "spec": {} if taints is None else {"taints": taints},
        "status": {"conditions": conditions},
    }


def _addon(
    name: str,
    available: str | None,
    *,
    created: datetime = LONG_AGO,
    deleted: bool = False,
) -> KubeObject:
    metadata = {"name": name, "namespace": "c1", "creationTimestamp": format_time(created)}
    if deleted:
        metadata["deletionTimestamp"] = format_time(NOW)
    conditions = [] if available is None else [_condition(AVAILABLE, available, since=created)]
    return {"metadata": metadata, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("available", "before", "after"),
    [
        pytest.param(None, [], ["unreachable"], id="nothing-known-yet"),
        pytest.param("Unknown", [], ["unreachable"], id="silent"),
        pytest.param("False", [], ["unavailable"], id="not-well"),
        pytest.param("True", [UNREACHABLE], [], id="well-again"),
        pytest.param("True", [UNAVAILABLE, UNREACHABLE], [], id="both-were-there"),
        pytest.param("False", [UNREACHABLE], ["unavailable"], id="back-but-not-well"),
        pytest.param("Unknown", [UNAVAILABLE], ["unreachable"], id="not-well-then-silent"),
    ],
)
def test_a_cluster_has_the_taint_of_its_health_and_no_other(
    available: str | None, before: list[dict[str, Any]], after: list[str]
) -> None:
    """Placements that tolerate one of the two must not meet both."""
    marks = planned_marks(_cluster(available, taints=[*before]), addons=(), now=NOW)
    assert marks.taints == [
        {
            "key": f"cluster.open-cluster-management.io/{name}",
            "effect": "NoSelect",
            "timeAdded": "2026-03-01T12:00:00Z",
        }
        for name in after
    ]


@pytest.mark.parametrize(
    ("available", "taints"),
    [
        pytest.param("True", None, id="no-taints-at-all"),
        pytest.param("True", [OPERATORS], id="only-the-operators"),
        pytest.param("Unknown", [OPERATORS, UNREACHABLE], id="tainted-long-ago"),
        pytest.param("False", [UNAVAILABLE], id="unavailable"),
    ],
)
def test_right_taints_cost_no_write(available: str, taints: list[dict[str, Any]] | None) -> None:
    """Their time says since when, so it must not move either."""
    assert planned_marks(_cluster(available, taints=taints), addons=(), now=NOW).are_right


def test_the_operators_own_taints_stay_where_they_are() -> None:
    """They are a list, and a patch replaces it whole."""
    cluster = _cluster("Unknown", taints=[OPERATORS, UNAVAILABLE])
    marks = planned_marks(cluster, addons=(), now=NOW)
    assert marks.taints is not None
    assert marks.taints[0] == OPERATORS
    assert [item["key"] for item in marks.taints[1:]] == [UNREACHABLE["key"]]
    assert cluster["spec"]["taints"] == [OPERATORS, UNAVAILABLE]


@pytest.mark.parametrize(
    ("available", "value"),
    [
        ("True", "available"),
        ("False", "unhealthy"),
        ("Unknown", "unreachable"),
        (None, "unreachable"),
    ],
)
def test_an_addon_shows_on_its_cluster(available: str | None, value: str) -> None:
    """Placements choose clusters by what is installed there and works."""
    marks = planned_marks(_cluster("True"), addons=[_addon("logs", available)], now=NOW)
    assert marks.labels == {f"{LABEL}logs": value}
    assert marks.taints is None


def test_nothing_is_said_of_addons_before_something_is_known_of_the_cluster() -> None:
    """Labels that are there already stay as well."""
    cluster = _cluster(None, taints=[UNREACHABLE], labels={f"{LABEL}old": "available"})
    assert planned_marks(cluster, addons=[_addon("logs", "True")], now=NOW).are_right


def test_labels_of_addons_that_go_or_went_are_removed_and_others_stay() -> None:
    """What a placement selects by must not outlive the add-on."""
    labels = {f"{LABEL}gone": "available", f"{LABEL}going": "available", "example.com/mine": "x"}
    marks = planned_marks(
        _cluster("True", labels=labels), addons=[_addon("going", "True", deleted=True)], now=NOW
    )
    assert marks.labels == {f"{LABEL}gone": None, f"{LABEL}going": None}


def test_right_labels_cost_no_write() -> None:
    """A fleet at rest writes nothing."""
    cluster = _cluster("True", labels={f"{LABEL}logs": "unhealthy"})
    assert planned_marks(cluster, addons=[_addon("logs", "False")], now=NOW).are_right


def test_a_name_too_long_for_a_label_is_left_out() -> None:
    """The API server would refuse the whole patch, taints included."""
    assert feature_label("a" * 57) is not None
    assert feature_label("a" * 58) is None
    marks = planned_marks(_cluster("True"), addons=[_addon("a" * 63, "True")], now=NOW)
    assert marks.are_right


@pytest.mark.parametrize("since_cluster", [timedelta(seconds=4), timedelta(hours=1)])
def test_a_new_addon_is_given_a_moment_to_say_how_it_is(since_cluster: timedelta) -> None:
    """Otherwise each one in a mass join costs a write that the next one takes back."""
    addon = _addon("logs", None, created=NOW - timedelta(seconds=4))
    marks = planned_marks(_cluster("True", since=NOW - since_cluster), addons=[addon], now=NOW)
    assert marks.are_right
    assert marks.settled_in == SETTLING - timedelta(seconds=4)


def test_an_older_addon_waits_for_its_cluster_only() -> None:
    """It cannot say anything before its cluster's agent is there."""
    cluster = _cluster("True", since=NOW - timedelta(seconds=1))
    marks = planned_marks(cluster, addons=[_addon("logs", None)], now=NOW)
    assert marks.are_right
    assert marks.settled_in == SETTLING - timedelta(seconds=1)


def test_a_label_that_is_there_changes_at_once() -> None:
    """Waiting is for the first word only."""
    cluster = _cluster("True", labels={f"{LABEL}logs": "available"}, since=NOW)
    marks = planned_marks(cluster, addons=[_addon("logs", None, created=NOW)], now=NOW)
    assert marks.labels == {f"{LABEL}logs": "unreachable"}
    assert marks.settled_in is None
