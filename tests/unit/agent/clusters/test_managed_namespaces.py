"""Namespaces that cluster sets want: which to make, which to let go, what to say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from towline_agent.clusters.managed_namespaces import (
    hub_label,
    listed_namespaces,
    marked_namespace,
    missing_namespaces,
    told_namespaces,
    unlisted_namespaces,
)
from towline_api.metadata import name_of
from towline_api.resources import KubeObject

LABEL = "clusterset.open-cluster-management.io/hub"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, tzinfo=UTC)


def namespace(name: str, value: str | None = "true") -> KubeObject:
    labels = {} if value is None else {LABEL: value}
    return {"metadata": {"name": name, "uid": f"uid-of-{name}", "labels": labels}}


def cluster(*names: str, **more: Any) -> KubeObject:
    entries = [{"name": name, "clusterSet": f"set-of-{name}"} for name in names]
    return {"metadata": {"name": "c1"}, "status": {"managedNamespaces": entries, **more}}


def test_the_label_names_the_hub_as_ocm_s_does() -> None:
    """Sixty-three characters is all that a label's name may have; the digest has one more."""
    digest = "badbd4de19b639898c31f168ba913abc5d9e2bbcf25d70e3ee016190492578a"
    assert hub_label("https://hub.example.com:6443") == (
        f"clusterset.open-cluster-management.io/{digest}"
    )


@pytest.mark.parametrize(
    ("listed", "present", "missing", "unlisted"),
    [
        pytest.param([], [], [], [], id="nothing"),
        pytest.param(["a"], [], ["a"], [], id="new"),
        pytest.param(["a"], [namespace("a")], [], [], id="there"),
        pytest.param(["a"], [namespace("a", "false")], ["a"], [], id="wanted-again"),
        pytest.param([], [namespace("a")], [], ["a"], id="not-wanted-any-more"),
        pytest.param([], [namespace("a", "false")], [], [], id="let-go-before"),
        pytest.param(["b", "a"], [namespace("c"), namespace("b")], ["a"], ["c"], id="all"),
        pytest.param(["a"], [namespace("a", "maybe")], ["a"], [], id="marked-by-somebody-else"),
    ],
)
def test_what_is_left_to_do(
    listed: list[str], present: list[KubeObject], missing: list[str], unlisted: list[str]
) -> None:
    """Nothing is done twice, and a namespace is never deleted."""
    assert list(missing_namespaces(listed, present, label=LABEL)) == missing
    found = unlisted_namespaces(listed, present, label=LABEL)
    assert [name_of(item) for item in found] == unlisted


@pytest.mark.parametrize(
    ("live", "names"),
    [
        pytest.param(cluster("a", "b"), {"a", "b"}, id="some"),
        pytest.param(cluster("a", "a"), {"a"}, id="of-two-sets"),
        pytest.param(cluster(), set(), id="none"),
        pytest.param({"metadata": {"name": "c1"}}, set(), id="no-status"),
    ],
)
def test_what_the_hub_lists(live: KubeObject, names: set[str]) -> None:
    """Two sets may want one namespace."""
    assert listed_namespaces(live) == names


def test_nothing_but_the_label_is_applied() -> None:
    """What others put on the namespace stays theirs; one that is let go is never made anew."""
    made = marked_namespace("a", label=LABEL, value="true", like=None)
    assert made["metadata"] == {"name": "a", "labels": {LABEL: "true"}}
    let_go = marked_namespace("a", label=LABEL, value="false", like=namespace("a"))
    assert let_go["metadata"]["uid"] == "uid-of-a"


def test_each_namespace_is_told_and_what_is_not_known_is_left() -> None:
    """A condition keeps its time for as long as it says the same."""
    live = cluster("good", "bad", "unknown")
    told = told_namespaces(live, {"good": "", "bad": "not allowed"}, now=NOW)
    (good,), (bad,) = told[0]["conditions"], told[1]["conditions"]
    assert (good["type"], good["status"]) == ("NamespaceAvailable", "True")
    assert good["reason"] == "NamespaceApplied"
    assert (bad["status"], bad["reason"]) == ("False", "NamespaceApplyFailed")
    assert bad["message"] == "not allowed"
    assert "conditions" not in told[2]
    assert told[0]["clusterSet"] == "set-of-good"
    again = {"metadata": {}, "status": {"managedNamespaces": told}}
    assert told_namespaces(again, {"good": "", "bad": "not allowed"}, now=LATER) == told
