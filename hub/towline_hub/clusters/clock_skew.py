"""Whether a managed cluster's clock and the hub's agree, told as OCM's condition for it.

Pure. A lease renewal is dated by the cluster's clock and seen by the hub at about that moment, so
the two can be compared. A difference is a reason to set a clock; whether a cluster lives is judged
by when renewals are seen, never by what they are dated.
"""

from datetime import datetime, timedelta
from typing import Any

from towline_api import names
from towline_api.condition_types import (
    CLOCK_SYNCED,
    REASON_CLOCK_OUT_OF_SYNC,
    REASON_CLOCK_SYNCED,
)
from towline_api.conditions import (
    ConditionStatus,
    conditions_of,
    find_condition,
    with_condition,
)
from towline_api.errors import WireError
from towline_api.metadata import annotations_of
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time

_AGREE = "the clocks of the managed cluster and the hub agree"
_DIFFER = "the clock of the managed cluster is off by more than its lease may age; set it by NTP"
_NOT_COMPARED = (
    "the clock is not compared with the hub's, as the annotation "
    f"{names.SKIP_CLOCK_SYNC_CHECK_ANNOTATION} demands"
)


def clocks_agree(renew_time: str, *, now: datetime, tolerance: timedelta) -> bool | None:
    """Return whether a renewal just seen is dated about now; None if it is not dated."""
    try:
        return abs(now - parse_time(renew_time)) <= tolerance
    except (WireError, ValueError):
        return None


def with_clock_condition(
    cluster: KubeObject, *, in_sync: bool | None, now: datetime
) -> list[dict[str, Any]]:
    """Return a cluster's conditions with what is known of its clock.

    Args:
        cluster: The ManagedCluster.
        in_sync: What the last renewal seen told; None for nothing yet.
        now: The present, for a condition that changes.
    """
    conditions = conditions_of(cluster)
    message = _AGREE if in_sync else _DIFFER
    if is_clock_check_skipped(cluster):
        # OCM's agents report nothing while this is False; what is not compared must not be.
        in_sync, message = (True if is_out_of_sync(cluster) else None), _NOT_COMPARED
    if in_sync is None:
        return conditions
    return with_condition(
        conditions,
        type=CLOCK_SYNCED,
        status="True" if in_sync else "False",
        reason=REASON_CLOCK_SYNCED if in_sync else REASON_CLOCK_OUT_OF_SYNC,
        message=message,
        now=now,
    )


def is_clock_check_skipped(cluster: KubeObject) -> bool:
    """Return whether the operator does not want a cluster's clock compared with the hub's."""
    return annotations_of(cluster).get(names.SKIP_CLOCK_SYNC_CHECK_ANNOTATION) == "true"


def is_out_of_sync(cluster: KubeObject) -> bool:
    """Return whether a cluster's clock is on record as wrong."""
    condition = find_condition(cluster, CLOCK_SYNCED)
    return condition is not None and condition.status is ConditionStatus.FALSE
