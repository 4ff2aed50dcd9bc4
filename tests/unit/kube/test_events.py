"""Events say what happened, once and with a count, and never stand in the way of what happens."""

import asyncio
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clock import FakeClock
from support.fake_client import FakeClient
from towline_api.resources import EVENTS, KubeObject, Resource
from towline_kube.errors import (
    AlreadyExists,
    Forbidden,
    NamespaceTerminating,
    Throttled,
    Unreachable,
)
from towline_kube.events import UPDATE_EVERY, EventRecorder, EventType

SECOND = timedelta(seconds=1)

LEASE: KubeObject = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "managed-cluster-lease", "namespace": "c1", "uid": "u1"},
}
CLUSTER: KubeObject = {
    "apiVersion": "cluster.open-cluster-management.io/v1",
    "kind": "ManagedCluster",
    "metadata": {"name": "c1", "uid": "u2"},
}


@pytest.fixture
def server(clock: FakeClock) -> FakeClient:
    return FakeClient(clock)


@pytest.fixture
def recorder(server: FakeClient, clock: FakeClock) -> EventRecorder:
    return EventRecorder(server, controller="towline-agent", instance="pod-1", clock=clock)


def stored(server: FakeClient) -> list[KubeObject]:
    return list(server.stored(EVENTS).values())


async def stumble(recorder: EventRecorder, about: KubeObject = LEASE, **changes: Any) -> None:
    what = {"reason": "Stumbled", "note": "fell over a stone", "action": "Walk"}
    await recorder.record(about, **(what | changes))


async def test_an_event_has_every_field_a_server_asks_for(
    server: FakeClient, recorder: EventRecorder
) -> None:
    """An API server takes nothing less, and nothing of the older kind of event."""
    await stumble(recorder, type=EventType.WARNING)
    (event,) = stored(server)
    metadata = event.pop("metadata")
    assert re.fullmatch(r"managed-cluster-lease\.[0-9a-f]{16}", metadata["name"])
    assert metadata["namespace"] == "c1"
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "towline-agent",
        "reportingInstance": "pod-1",
        "type": "Warning",
        "reason": "Stumbled",
        "action": "Walk",
        "note": "fell over a stone",
        "regarding": {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "name": "managed-cluster-lease",
            "namespace": "c1",
            "uid": "u1",
        },
    }


@pytest.mark.parametrize(
    ("namespace", "stored_in", "regarding"),
    [(None, "default", None), ("c1", "c1", "c1")],
    ids=["default", "cluster-namespace"],
)
async def test_events_of_cluster_scoped_objects_have_a_namespace(
    server: FakeClient,
    recorder: EventRecorder,
    namespace: str | None,
    stored_in: str,
    regarding: str | None,
) -> None:
    """Outside `default` a server takes them only if the reference names the namespace as well."""
    await stumble(recorder, CLUSTER, namespace=namespace)
    (event,) = stored(server)
    assert event["metadata"]["namespace"] == stored_in
    assert event["regarding"].get("namespace") == regarding


async def test_a_repeat_counts_up_the_first(
    server: FakeClient, recorder: EventRecorder, clock: FakeClock
) -> None:
    """Whoever looks sees one line with a number, not a thousand lines."""
    await stumble(recorder)
    assert "series" not in stored(server)[0]
    await clock.advance(UPDATE_EVERY)
    await stumble(recorder)
    (event,) = stored(server)
    assert event["series"] == {"count": 2, "lastObservedTime": "2026-01-01T00:01:00.000000Z"}
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"


async def test_writes_of_a_repeated_event_are_bounded(
    server: FakeClient, recorder: EventRecorder, clock: FakeClock
) -> None:
    """Something that fails every second costs one write a minute."""
    for _ in range(600):
        await stumble(recorder)
        await clock.advance(SECOND)
    assert (server.called("create"), server.called("patch")) == (1, 9)
    assert stored(server)[0]["series"]["count"] == 541
    await recorder.flush()
    assert stored(server)[0]["series"]["count"] == 600
    await recorder.flush()
    assert server.called("patch") == 10


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "Fell"},
        {"note": "fell over another stone"},
        {"action": "Run"},
        {"type": EventType.WARNING},
        {"about": CLUSTER},
        {"about": LEASE | {"metadata": LEASE["metadata"] | {"uid": "u9"}}},
    ],
    ids=["reason", "note", "action", "type", "object", "uid"],
)
async def test_a_different_event_is_no_repeat(
    server: FakeClient, recorder: EventRecorder, changes: dict[str, Any]
) -> None:
    """A server lets nothing of an event change but its count."""
    await stumble(recorder)
    await stumble(recorder, **changes)
    assert len(stored(server)) == 2


async def test_after_a_long_pause_a_repeat_is_new(
    server: FakeClient, recorder: EventRecorder, clock: FakeClock
) -> None:
    """The first event has faded from view by then."""
    await stumble(recorder)
    await clock.advance(timedelta(hours=1))
    await stumble(recorder)
    assert (server.called("create"), server.called("patch")) == (2, 0)


async def test_an_event_that_expired_is_sent_again(
    server: FakeClient, recorder: EventRecorder, clock: FakeClock
) -> None:
    """Servers delete events after their time to live, however alive the series is."""
    await stumble(recorder)
    (event,) = stored(server)
    server.remove(EVENTS, event["metadata"]["name"], "c1")
    await clock.advance(UPDATE_EVERY)
    await stumble(recorder)
    (again,) = stored(server)
    assert again["eventTime"] != event["eventTime"]
    assert again["note"] == "fell over a stone"


async def test_who_takes_over_tells_nothing_twice(server: FakeClient, clock: FakeClock) -> None:
    """A new leader looks at everything that waits, and says why; that has been said."""
    for pod, told in (("pod-1", 1), ("pod-2", 1)):
        recorder = EventRecorder(server, controller="towline-hub", instance=pod, clock=clock)
        await stumble(recorder)
        assert len(stored(server)) == told
    await clock.advance(timedelta(minutes=31))
    later = EventRecorder(server, controller="towline-hub", instance="pod-3", clock=clock)
    await stumble(later)
    assert len(stored(server)) == 2, "by then it is news again"


async def test_another_program_tells_the_same_itself(server: FakeClient, clock: FakeClock) -> None:
    """That two saw it is two facts."""
    for controller in ("towline-hub", "towline-agent"):
        recorder = EventRecorder(server, controller=controller, instance="pod", clock=clock)
        await stumble(recorder)
    assert len(stored(server)) == 2


@pytest.mark.parametrize(
    "error",
    [Forbidden("no"), Unreachable("refused"), Throttled("busy"), NamespaceTerminating("going")],
    ids=lambda error: type(error).__name__,
)
async def test_failures_are_logged_once_and_never_raised(
    server: FakeClient,
    recorder: EventRecorder,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """A courtesy must not stop the work it tells of; an agent may lack the permission for ever."""
    caplog.set_level(logging.INFO)
    server.fail("create", *[error] * 3)
    for _ in range(3):
        await stumble(recorder)
    assert stored(server) == []
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "event not recorded")
    ]
    assert caplog.records[0].__dict__["object"] == "c1/managed-cluster-lease"
    await stumble(recorder)  # what was not sent is not a repeat
    assert len(stored(server)) == 1
    assert caplog.messages[1:] == ["events are recorded again"]


async def test_a_refused_count_is_logged_and_tried_again(
    server: FakeClient,
    recorder: EventRecorder,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """OCM lets agents create events without letting them change any."""
    await stumble(recorder)
    server.fail("patch", Forbidden("no"), Forbidden("no"))
    for _ in range(3):
        await clock.advance(UPDATE_EVERY)
        await stumble(recorder)
    assert caplog.messages == ["event not recorded"]
    assert stored(server)[0]["series"]["count"] == 4


async def test_an_answer_that_was_lost_makes_no_second_event(
    server: FakeClient, recorder: EventRecorder, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that repeats the request finds the event there: it was recorded."""
    server.fail("create", AlreadyExists("exists"))
    await stumble(recorder)
    await stumble(recorder)
    assert (server.called("create"), caplog.messages) == (1, [])


async def test_a_server_that_does_not_answer_is_not_waited_for(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A pass that tells of its work must not take longer than the work."""

    class SlowClient(FakeClient):
        async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")

    lost: list[None] = []
    recorder = EventRecorder(
        SlowClient(),
        controller="towline-agent",
        instance="pod-1",
        call_timeout=timedelta(milliseconds=1),
        clock=clock,
        on_lost=lambda: lost.append(None),
    )
    async with asyncio.timeout(5):
        await stumble(recorder)
    assert caplog.messages == ["event not recorded"]
    assert len(lost) == 1


@given(note=st.text(st.characters(exclude_categories=()), max_size=2_000))
async def test_notes_fit(note: str) -> None:
    """A server counts bytes, and refuses the whole event for one too many."""
    server = FakeClient()
    recorder = EventRecorder(server, controller="x", instance="y", clock=FakeClock())
    await stumble(recorder, note=note)
    kept: str = stored(server)[0]["note"]
    assert len(kept.encode()) <= 1024
    readable = note.encode(errors="replace").decode()
    assert kept == readable or readable.startswith(kept.removesuffix("…"))


@pytest.mark.parametrize(
    "name", ["open-cluster-management:managedcluster:c1", "UPPER", "a" * 253, "::", "a..b"]
)
async def test_names_of_events_are_valid_whatever_the_object_is_called(
    server: FakeClient, recorder: EventRecorder, name: str
) -> None:
    """Names of RBAC objects are freer than those of events."""
    await stumble(recorder, CLUSTER | {"metadata": {"name": name}})
    (event,) = stored(server)
    found = event["metadata"]["name"]
    label = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    assert re.fullmatch(rf"{label}(\.{label})*", found)
    assert len(found) <= 253
    assert event["regarding"]["name"] == name


async def test_memory_is_bounded(
    server: FakeClient, recorder: EventRecorder, clock: FakeClock
) -> None:
    """Notes may hold anything, so there may be any number of different events."""
    for number in range(1_100):
        await stumble(recorder, note=f"stone {number}")
    assert len(recorder._series) == 1_000
    await stumble(recorder, note="stone 1099")
    assert server.called("create") == 1_100


@pytest.mark.parametrize("word", ["reason", "action"])
@pytest.mark.parametrize("value", ["", "x" * 129], ids=["empty", "long"])
async def test_words_that_no_server_takes_are_refused(
    recorder: EventRecorder, word: str, value: str
) -> None:
    """They are constants in the code, so it is the programmer who has to hear of it."""
    with pytest.raises(ValueError, match=f"an event's {word} has 1 to 128"):
        await stumble(recorder, **dict[str, Any]({word: value}))


def test_a_recorder_needs_a_reporter(server: FakeClient) -> None:
    """Without one, a server refuses every event."""
    with pytest.raises(ValueError, match="names the controller and the instance"):
        EventRecorder(server, controller="", instance="pod-1")
