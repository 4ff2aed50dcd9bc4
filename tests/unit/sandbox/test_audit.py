"""The audit log of an API server is read as it is written: stage by stage, while it grows."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towline_sandbox import components
from towline_sandbox.audit import POLICY, parse_audit_log
from towline_sandbox.binaries import Binaries


def line(audit_id: str, *, second: int = 0, **more: Any) -> str:
    """Return one line of the log, as an API server writes it."""
    return json.dumps(
        {
            "kind": "Event",
            "auditID": audit_id,
            "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/n/secrets/s",
            "verb": "get",
            "user": {"username": "u", "groups": ["g"]},
            "userAgent": "towline-agent/1",
            "objectRef": {"resource": "secrets", "namespace": "n", "name": "s", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 200},
            "requestReceivedTimestamp": f"2026-01-31T12:00:{second:02}.123456Z",
            **more,
        }
    )


def test_a_watch_counts_from_its_answer_and_once() -> None:
    """It is noted when it begins and again when it ends; only the end knows the outcome."""
    begun = line("a", verb="watch", stage="ResponseStarted")
    ended = line("a", verb="watch", responseStatus={"code": 504})
    (event,) = parse_audit_log(f"{begun}\n")
    assert (event.verb, event.status) == ("watch", 200)
    (event,) = parse_audit_log(f"{begun}\n{line('b', second=1, verb='x')}\n{ended}\n")[:1]
    assert (event.verb, event.status) == ("watch", 504)


def test_a_line_still_being_written_is_left_for_later() -> None:
    """The log is read while the server runs."""
    text = f"{line('a')}\n{line('b')}"
    assert len(parse_audit_log(text[:-20])) == 1
    assert len(parse_audit_log(f"{text}\n")) == 2
    assert parse_audit_log("") == ()


def test_requests_are_in_the_order_they_came_in() -> None:
    """They are noted in the order they ended."""
    text = "".join(f"{line(str(n), second=n, verb=str(n))}\n" for n in (2, 0, 1))
    assert [event.verb for event in parse_audit_log(text)] == ["0", "1", "2"]


def test_group_and_subresource_are_part_of_the_resource() -> None:
    """Status and object are written by different callers for different reasons."""
    about = {"resource": "leases", "apiGroup": "coordination.k8s.io", "subresource": "status"}
    (event,) = parse_audit_log(line("a", objectRef=about) + "\n")
    assert event.resource == "leases.coordination.k8s.io/status"
    assert event.at == datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_request_for_no_resource_is_noted_by_its_path() -> None:
    """Looking at the server's version and health are calls as well."""
    noted = line("a", objectRef=None, requestURI="/version", userAgent="")
    (event,) = parse_audit_log(noted + "\n")
    assert (event.resource, event.path, event.name) == ("", "/version", "")


def test_nothing_is_noted_unless_asked_for_and_never_content() -> None:
    """Secrets pass through the API server; they must not rest in a log."""
    binaries = Binaries(Path("/assets"))
    plain = components.api_server(binaries, port=1).argv
    audited = components.api_server(binaries, port=1, audit=True).argv
    assert not [flag for flag in plain if "audit" in flag]
    assert {"--audit-log-path=audit.log", "--audit-policy-file=audit-policy.json"} <= set(audited)
    assert [rule["level"] for rule in json.loads(POLICY)["rules"]] == ["Metadata"]
