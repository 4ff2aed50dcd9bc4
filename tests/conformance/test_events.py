"""Events: one store, two groups, each with its own words."""

import pytest

from conformance.api import Api
from towline_api.resources import KubeObject

CORE = "/api/v1/namespaces/{}/events"
NEW = "/apis/events.k8s.io/v1/namespaces/{}/events"


def core_event(namespace: str, name: str, **more: object) -> KubeObject:
    """Return an Event as old recorders write it."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name},
        "involvedObject": {"kind": "ConfigMap", "namespace": namespace, "name": "a"},
        "reason": "Seen",
        "message": "it was seen",
        "type": "Normal",
        "count": 3,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:01:00Z",
        "source": {"component": "suite", "host": "here"},
        **more,
    }


def new_event(namespace: str, name: str, **more: object) -> KubeObject:
    """Return an Event as new recorders write it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "regarding": {"kind": "ConfigMap", "namespace": namespace, "name": "a"},
        "reason": "Seen",
        "note": "it was seen",
        "action": "Looking",
        "type": "Normal",
        "reportingController": "example.com/suite",
        "reportingInstance": "suite-1",
        **more,
    }


async def test_an_old_event_is_read_in_new_words(api: Api, namespace: str) -> None:
    """`kubectl get events` and `kubectl events` ask different groups."""
    (await api.post(CORE.format(namespace), core_event(namespace, "e"))).ok(201)
    body = (await api.get(f"{NEW.format(namespace)}/e")).ok()
    assert body["apiVersion"] == "events.k8s.io/v1"
    assert body["regarding"] == {"kind": "ConfigMap", "namespace": namespace, "name": "a"}
    assert body["note"] == "it was seen"
    assert body["deprecatedSource"] == {"component": "suite", "host": "here"}
    assert body["deprecatedCount"] == 3
    assert body["deprecatedFirstTimestamp"] == "2026-01-01T00:00:00Z"
    assert body["deprecatedLastTimestamp"] == "2026-01-01T00:01:00Z"
    assert body["eventTime"] is None
    assert not {"message", "involvedObject", "count"} & set(body)


async def test_a_new_event_is_read_in_old_words(api: Api, namespace: str) -> None:
    """The same object, the same version."""
    made = (await api.post(NEW.format(namespace), new_event(namespace, "e"))).ok(201)
    body = (await api.get(f"{CORE.format(namespace)}/e")).ok()
    assert body["apiVersion"] == "v1"
    assert body["involvedObject"] == {"kind": "ConfigMap", "namespace": namespace, "name": "a"}
    assert body["message"] == "it was seen"
    assert body["reportingComponent"] == "example.com/suite"
    assert body["reportingInstance"] == "suite-1"
    assert body["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert body["metadata"]["uid"] == made["metadata"]["uid"]
    assert body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_series_is_written_by_a_patch(api: Api, namespace: str) -> None:
    """Repeated events are counted, not repeated."""
    path = f"{NEW.format(namespace)}/e"
    (await api.post(NEW.format(namespace), new_event(namespace, "e"))).ok(201)
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:05:00.000000Z"}
    assert (await api.patch(path, {"series": series})).ok()["series"] == series
    old = (await api.get(f"{CORE.format(namespace)}/e")).ok()
    assert old["series"] == series


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        pytest.param("reportingController", "reportingController", id="controller"),
        pytest.param("reportingInstance", "reportingInstance", id="instance"),
        pytest.param("action", "action", id="action"),
        pytest.param("reason", "reason", id="reason"),
    ],
)
async def test_a_new_event_has_to_be_whole(
    api: Api, namespace: str, missing: str, field: str
) -> None:
    """The new group is stricter than the old one."""
    event = new_event(namespace, "e")
    del event[missing]
    answer = await api.post(NEW.format(namespace), event)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert field in {cause["field"] for cause in answer.body["details"]["causes"]}


async def test_an_event_is_about_an_object_of_its_namespace(api: Api, namespace: str) -> None:
    """An event elsewhere would not be found there."""
    event = core_event(namespace, "e")
    event["involvedObject"]["namespace"] = "default"
    answer = await api.post(CORE.format(namespace), event)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert {c["field"] for c in answer.body["details"]["causes"]} == {"involvedObject.namespace"}


async def test_events_are_selected_by_what_they_are_about(api: Api, namespace: str) -> None:
    """That is what `kubectl describe` does."""
    (await api.post(CORE.format(namespace), core_event(namespace, "a"))).ok(201)
    other = core_event(namespace, "b", reason="Other")
    other["involvedObject"]["name"] = "b"
    (await api.post(CORE.format(namespace), other)).ok(201)
    for selector, names in (
        ("involvedObject.name=a", ["a"]),
        ("involvedObject.kind=ConfigMap,reason=Other", ["b"]),
        ("type=Warning", []),
    ):
        body = (await api.get(CORE.format(namespace), fieldSelector=selector)).ok()
        assert [item["metadata"]["name"] for item in body["items"]] == names


async def test_an_events_time_never_changes(api: Api, namespace: str) -> None:
    """What happened, happened then."""
    (await api.post(NEW.format(namespace), new_event(namespace, "e"))).ok(201)
    change = {"eventTime": "2026-02-01T00:00:00.000000Z"}
    answer = await api.patch(f"{NEW.format(namespace)}/e", change)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "eventTime" in {cause["field"] for cause in answer.body["details"]["causes"]}
