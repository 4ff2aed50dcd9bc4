"""What people on the hub read about a managed cluster that came or went."""

from typing import Any, cast

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from towline_agent.clusters.availability_events import AvailabilityNews, find_news, tell_news
from towline_api.metadata import ObjectKey
from towline_api.resources import EVENTS, MANAGED_CLUSTERS, KubeObject
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_kube.events import EventType

AVAILABLE = "ManagedClusterConditionAvailable"


def cluster(status: str | None) -> KubeObject:
    return {
        "apiVersion": MANAGED_CLUSTERS.api_version,
        "kind": MANAGED_CLUSTERS.kind,
        "metadata": {"name": "c1", "uid": "u"},
        "status": status_with(status),
    }


def status_with(status: str | None) -> dict[str, Any]:
    if status is None:
        return {}
    return {
        "conditions": [
            {
                "type": AVAILABLE,
                "status": status,
                "reason": "Test",
                "message": "status code: 500",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ]
    }


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        pytest.param("Unknown", "True", "Available", id="heard-of-again"),
        pytest.param("False", "True", "Available", id="well-again"),
        pytest.param("True", "False", "Unavailable", id="ill"),
        pytest.param("Unknown", "False", "Unavailable", id="back-and-ill"),
        pytest.param("True", "True", None, id="no-change"),
        pytest.param("False", "False", None, id="still-ill"),
        pytest.param(None, "True", None, id="a-fleet-that-joins-is-no-news-from-us"),
        pytest.param("True", None, None, id="nothing-said"),
        pytest.param("True", "Unknown", None, id="that-is-for-the-hub-to-tell"),
    ],
)
def test_only_a_change_is_news(before: str | None, after: str | None, reason: str | None) -> None:
    """A status is written for many reasons; an Event has one."""
    news = find_news(cluster(before), status_with(after))
    assert (None if news is None else news.reason) == reason
    if news is not None:
        warns = reason == "Unavailable"
        assert news.type is (EventType.WARNING if warns else EventType.NORMAL)
        assert ("status code: 500" in news.note) is warns


NEWS = AvailabilityNews("Available", "managed cluster c1 is available again", EventType.NORMAL)


async def test_the_event_is_in_the_cluster_s_namespace(clock: FakeClock) -> None:
    """An agent may write nowhere else, and may not change an Event; so it never tries to."""
    hub = FakeClient(clock)
    for _ in range(2):
        await tell_news(
            NEWS, cluster=cluster("True"), hub=cast("Client", hub), instance="a1", clock=clock
        )
    ((key, event),) = hub.stored(EVENTS).items()
    assert key == ObjectKey(event["metadata"]["name"], "c1")
    assert (event["reason"], event["note"]) == (NEWS.reason, NEWS.note)
    assert (event["reportingController"], event["reportingInstance"]) == ("klusterlet-agent", "a1")
    assert event["regarding"]["kind"] == "ManagedCluster"
    assert event["regarding"]["uid"] == "u"
    assert hub.called("patch") == 0


async def test_an_event_that_is_refused_stops_nothing(clock: FakeClock) -> None:
    """It is a courtesy; the status is what counts."""
    hub = FakeClient(clock)
    hub.fail("create", Forbidden("no"))
    await tell_news(
        NEWS, cluster=cluster("True"), hub=cast("Client", hub), instance="a1", clock=clock
    )
    assert not hub.stored(EVENTS)
