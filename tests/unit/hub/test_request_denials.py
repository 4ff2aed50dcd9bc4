"""Which requests of a cluster that is turned away are denied."""

from datetime import UTC, datetime

from towline_api.resources import KubeObject
from towline_hub.approval.denials import dismissed_requests


def _request(created: str, *decisions: str) -> KubeObject:
    return {
        "metadata": {"name": created, "creationTimestamp": f"2026-07-01T{created}Z"},
        "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "username": "x"},
        "status": {"conditions": [{"type": item} for item in decisions]},
    }


def test_only_what_nobody_decided_is_denied() -> None:
    """A decision stands; the API server would refuse another one."""
    requests = [_request("10:00:00"), _request("10:00:01", "Approved"), _request("11", "Denied")]
    requests[2]["metadata"].pop("creationTimestamp")
    assert dismissed_requests(requests, until=None) == requests[:1]


def test_what_was_asked_after_a_denial_waits_for_the_operator() -> None:
    """Times are cut to seconds, so the very second counts as before."""
    denied = datetime(2026, 7, 1, 10, 0, 1, tzinfo=UTC)
    requests = [_request("10:00:00"), _request("10:00:01"), _request("10:00:02")]
    assert dismissed_requests(requests, until=denied) == requests[:2]
