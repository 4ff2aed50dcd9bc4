"""What was called is remembered in order, and not for ever."""

from datetime import UTC, datetime

from towline_sandbox.embedded.serving.call_log import CallLog, CallRecord
from towline_sandbox.embedded.serving.request_info import read_request

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def record(path: str) -> CallRecord:
    """Return a call that was answered."""
    info = read_request("GET", path, {})
    return CallRecord(info, f"{path}?limit=5", "alice", "kubectl/v1.37", NOW, code=200)


def test_the_last_calls_are_kept_in_order() -> None:
    """A plane that serves for days is not to remember every renewal of a lease."""
    log = CallLog(longest=2)
    for name in ("first", "second", "third"):
        log.note(record(f"/api/v1/namespaces/{name}"))
    assert [each.name for each in log.records()] == ["second", "third"]


def test_what_was_read_stays_as_it_was() -> None:
    """Who counts calls while others are made counts those up to then."""
    log = CallLog()
    log.note(record("/api/v1/namespaces/first"))
    read = log.records()
    log.note(record("/api/v1/namespaces/second"))
    assert len(read) == 1


def test_a_call_reads_like_an_audit_log() -> None:
    """Tests ask both kinds of planes with the same words."""
    path = "/apis/coordination.k8s.io/v1/namespaces/c1/leases/l/status"
    event = record(path).as_audit_event()
    assert (event.verb, event.resource) == ("get", "leases.coordination.k8s.io/status")
    assert (event.namespace, event.name, event.user) == ("c1", "l", "alice")
    assert (event.path, event.status, event.at) == (f"{path}?limit=5", 200, NOW)


def test_a_path_that_is_no_resource_names_none() -> None:
    """A probe is not a call of an object called `livez`."""
    event = record("/livez").as_audit_event()
    assert (event.verb, event.resource, event.name) == ("get", "", "")
