"""Pods count for an add-on's health as they count for Kubernetes' own controllers."""

from typing import Any

import pytest

from towline_agent import PodsReady
from towline_agent.health.built_in_checks import find_pod_trouble
from towline_api.resources import KubeObject


def pod(
    name: str,
    *,
    ready: str | None = "True",
    phase: str = "Running",
    waits: str | None = None,
    **metadata: Any,
) -> KubeObject:
    conditions = [{"type": "PodScheduled", "status": "True"}]
    if ready is not None:
        conditions.append({"type": "Ready", "status": ready, "reason": "ContainersNotReady"})
    status: dict[str, Any] = {"phase": phase, "conditions": conditions}
    if waits is not None:
        status["containerStatuses"] = [
            {"state": {"running": {}}},
            {"state": {"waiting": {"reason": waits}}},
        ]
    return {"metadata": {"name": name, **metadata}, "status": status}


LEAVING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("pods", "at_least", "trouble"),
    [
        pytest.param([pod("a")], 1, None, id="one-ready"),
        pytest.param([pod("a"), pod("b")], 2, None, id="enough"),
        pytest.param([], 1, "expected at least 1, found 0", id="none"),
        pytest.param([pod("a")], 2, "expected at least 2, found 1", id="too-few"),
        pytest.param(
            [pod("b", ready="False"), pod("a")],
            1,
            "1 of 2 not ready: b (ContainersNotReady)",
            id="enough-ready-but-not-all",
        ),
        pytest.param(
            [pod("a", ready="False", waits="CrashLoopBackOff")],
            1,
            "1 of 1 not ready: a (CrashLoopBackOff)",
            id="what-a-container-waits-for-says-most",
        ),
        pytest.param(
            [pod("a", ready=None, phase="Pending")], 1, "1 of 1 not ready: a (Pending)", id="new"
        ),
        pytest.param(
            [{"metadata": {"name": "a"}}], 1, "1 of 1 not ready: a (no status yet)", id="bare"
        ),
        pytest.param(
            [pod("a"), pod("b", ready="False", **LEAVING)], 1, None, id="leaving-does-not-count"
        ),
        pytest.param([pod("a", **LEAVING)], 1, "expected at least 1, found 0", id="all-leaving"),
        pytest.param(
            [pod("a"), pod("job", ready="False", phase="Succeeded")], 1, None, id="done-jobs"
        ),
        pytest.param(
            [pod("a"), pod("gone", ready="False", phase="Failed")], 1, None, id="evicted-ones"
        ),
        pytest.param(
            [pod(name, ready="False") for name in "abcde"],
            1,
            "5 of 5 not ready: a (ContainersNotReady), b (ContainersNotReady), "
            "c (ContainersNotReady), and 2 more",
            id="not-a-page-of-them",
        ),
    ],
)
def test_every_pod_that_counts_has_to_be_ready(
    pods: list[KubeObject], at_least: int, trouble: str | None
) -> None:
    """The sentence says which is not, and why, without a look at the cluster."""
    assert find_pod_trouble(pods, at_least=at_least) == trouble


@pytest.mark.parametrize(
    ("labels", "at_least"),
    [pytest.param({}, 1, id="every-pod"), pytest.param({"a": "b"}, 0, id="none-is-enough")],
)
def test_a_check_that_says_nothing_is_refused(labels: dict[str, str], at_least: int) -> None:
    """It would pass, or fail, for ever."""
    with pytest.raises(ValueError, match="PodsReady"):
        PodsReady(labels, at_least=at_least)
