"""Clocks that differ are told, and an operator can say that they may."""

from datetime import UTC, datetime, timedelta

import pytest

from towline_api.names import SKIP_CLOCK_SYNC_CHECK_ANNOTATION
from towline_api.resources import KubeObject
from towline_api.timestamps import format_micro_time
from towline_hub.clusters.clock_skew import clocks_agree, with_clock_condition

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
GRACE = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("skew", "agree"),
    [
        (timedelta(0), True),
        (GRACE, True),
        (-GRACE, True),
        (GRACE + timedelta(seconds=1), False),
        (-GRACE - timedelta(seconds=1), False),
        (timedelta(hours=9), False),
        (timedelta(days=-4000), False),
    ],
)
def test_a_renewal_dated_far_from_now_tells_of_a_wrong_clock(skew: timedelta, agree: bool) -> None:
    """Ahead or behind, by as much as a lease may age."""
    dated = format_micro_time(NOW + skew)
    assert clocks_agree(dated, now=NOW, tolerance=GRACE) is agree


@pytest.mark.parametrize("dated", ["", "yesterday", "2026-07-01", "0000-00-00T00:00:00Z"])
def test_a_renewal_without_a_date_tells_nothing(dated: str) -> None:
    """Nor does it break the watch over everybody's leases."""
    assert clocks_agree(dated, now=NOW, tolerance=GRACE) is None


def _cluster(status: str | None, *, skip: str | None = None) -> KubeObject:
    conditions = []
    if status is not None:
        conditions = [
            {"type": "ManagedClusterConditionClockSynced", "status": status, "reason": "Test"}
        ]
    annotations = {} if skip is None else {SKIP_CLOCK_SYNC_CHECK_ANNOTATION: skip}
    return {
        "metadata": {"name": "c1", "annotations": annotations},
        "status": {"conditions": conditions},
    }


@pytest.mark.parametrize(
    ("cluster", "in_sync", "said"),
    [
        pytest.param(_cluster(None), None, None, id="nothing-seen"),
        pytest.param(_cluster("False"), None, ("False", "Test"), id="nothing-seen-since-start"),
        pytest.param(_cluster(None), True, ("True", "ManagedClusterClockSynced"), id="agree"),
        pytest.param(
            _cluster("True"), False, ("False", "ManagedClusterClockOutOfSync"), id="differ"
        ),
        pytest.param(_cluster(None, skip="true"), False, None, id="not-compared"),
        pytest.param(
            _cluster("False", skip="true"),
            None,
            ("True", "ManagedClusterClockSynced"),
            id="not-compared-any-more",
        ),
        pytest.param(
            _cluster("True", skip="false"),
            False,
            ("False", "ManagedClusterClockOutOfSync"),
            id="only-true-means-true",
        ),
    ],
)
def test_the_condition_says_what_is_known(
    cluster: KubeObject, in_sync: bool | None, said: tuple[str, str] | None
) -> None:
    """An agent of OCM's stays silent while it is False, so overruling it has to end that."""
    conditions = with_clock_condition(cluster, in_sync=in_sync, now=NOW)
    assert [(item["status"], item["reason"]) for item in conditions] == ([said] if said else [])
