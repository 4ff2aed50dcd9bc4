"""What the hub says of a cluster whose lease nobody renews."""

from towline_api.condition_types import CLUSTER_AVAILABLE, REASON_CLUSTER_LEASE_STOPPED
from towline_api.conditions import ConditionStatus, find_condition
from towline_api.resources import KubeObject


def is_lease_stopped(cluster: KubeObject) -> bool:
    """Return whether a ManagedCluster is on record as having stopped renewing its lease."""
    condition = find_condition(cluster, CLUSTER_AVAILABLE)
    return (
        condition is not None
        and condition.status is ConditionStatus.UNKNOWN
        and condition.reason == REASON_CLUSTER_LEASE_STOPPED
    )
