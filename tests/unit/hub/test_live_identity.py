"""When a cluster's name is taken by a living agent, and when it is free again."""

from datetime import UTC, datetime, timedelta

import pytest

from towline_api.certificate_report import rotation_failed_message
from towline_hub.approval.live_identity import has_live_identity, reported_expiry

NOW = datetime(2026, 7, 2, 12, 0, tzinfo=UTC)
OCM_MESSAGE = (
    "client certificate rotated starting from 2026-07-01 11:55:00 +0000 UTC "
    "to 2026-07-03 12:00:00 +0000 UTC"
)


def _cluster(
    *, joined: bool = True, message: str | None = None, rotated: str = "True"
) -> dict[str, object]:
    conditions = []
    if joined:
        conditions.append({"type": "ManagedClusterJoined", "status": "True"})
    if message is not None:
        conditions.append(
            {"type": "ClusterCertificateRotated", "status": rotated, "message": message}
        )
    return {"metadata": {"name": "c1"}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("message", "expiry"),
    [
        pytest.param(OCM_MESSAGE, datetime(2026, 7, 3, 12, tzinfo=UTC), id="as-ocm-writes-it"),
        pytest.param(
            "client certificate rotated starting from 2026-07-01T11:55:00Z to 2026-07-03T12:00:00Z",
            datetime(2026, 7, 3, 12, tzinfo=UTC),
            id="rfc3339",
        ),
        pytest.param(
            "client certificate rotated starting from a to 2026-07-03 14:00:00.123456789 +0200 CEST"
            " m=+0.5",
            datetime(2026, 7, 3, 12, 0, 0, 123456, tzinfo=UTC),
            id="go-with-everything",
        ),
        pytest.param("failed to rotate", None, id="a-failure"),
        pytest.param("client certificate rotated starting from x to y", None, id="no-times"),
        pytest.param(
            "client certificate rotated starting from x to 2026-02-31 00:00:00 +0000 UTC",
            None,
            id="no-such-day",
        ),
    ],
)
def test_the_end_of_the_certificate_is_read(message: str, expiry: datetime | None) -> None:
    """Agents of both projects report it in this sentence; nonsense must not raise."""
    assert reported_expiry(_cluster(message=message)) == expiry


def test_a_cluster_that_never_joined_has_no_identity() -> None:
    """The first request of a new cluster must get through."""
    assert not has_live_identity(_cluster(joined=False, message=OCM_MESSAGE), now=NOW)


def test_a_joined_cluster_is_taken() -> None:
    """A stolen bootstrap token must not take over a running cluster."""
    assert has_live_identity(_cluster(message=OCM_MESSAGE), now=NOW)


def test_without_a_readable_report_a_joined_cluster_stays_taken() -> None:
    """What proves no expiry opens no door."""
    assert has_live_identity(_cluster(), now=NOW)
    assert has_live_identity(_cluster(message="halted"), now=NOW)


def test_an_expired_identity_frees_the_name() -> None:
    """An agent that slept longer than its certificate lived comes back through bootstrap."""
    end = datetime(2026, 7, 3, 12, tzinfo=UTC)
    assert has_live_identity(_cluster(message=OCM_MESSAGE), now=end)
    assert not has_live_identity(_cluster(message=OCM_MESSAGE), now=end + timedelta(seconds=1))


def test_an_identity_that_could_not_be_renewed_frees_the_name_when_it_ends() -> None:
    """Such a cluster has to come in again by itself once the cause is gone, and not before."""
    end = datetime(2026, 7, 3, 12, tzinfo=UTC)
    message = rotation_failed_message("request r was denied by somebody", end=end)
    cluster = _cluster(message=message, rotated="False")
    assert has_live_identity(cluster, now=end)
    assert not has_live_identity(cluster, now=end + timedelta(seconds=1))
    without_end = rotation_failed_message("request r was denied by somebody", end=None)
    assert has_live_identity(_cluster(message=without_end, rotated="False"), now=end)
