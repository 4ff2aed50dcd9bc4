"""What an API server noted about its callers: the one count of calls that no caller can get wrong.

The log has who called what and how that ended, and nothing of what was sent or answered, so that
Secrets are in it by name only.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from towline_api.timestamps import parse_time

POLICY_FILE = "audit-policy.json"
LOG_FILE = "audit.log"

POLICY = json.dumps(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        # That a request came in says nothing that its answer does not.
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
)
"""For the API server: note every request's caller, object and outcome, and no content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One request as the API server saw it.

    Args:
        at: When it came in.
        user: User name of the caller.
        user_agent: How the caller's program introduced itself.
        verb: Kubernetes' word for it: `get`, `list`, `watch`, `create`, `update`, `patch`,
            `delete`; for paths that are no resource, the HTTP method in lower case.
        resource: Plural name with group, and subresource after a slash; empty for other paths.
        namespace: The object's; empty for none.
        name: The object's; empty for lists and watches, and for objects named by the server.
        path: Path and query.
        status: HTTP status of the answer.
    """

    at: datetime
    user: str
    user_agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    path: str
    status: int


def parse_audit_log(text: str) -> tuple[AuditEvent, ...]:
    """Return the requests of an audit log, in the order they came in.

    A watch is there from the moment it was answered, not only when it ended. A last line without an
    end is left out: the server is writing it.
    """
    latest: dict[str, AuditEvent] = {}
    for noted in _lines(text):
        # Stages of one request share its id; the last one knows how it ended.
        latest[noted["auditID"]] = _event(noted)
    return tuple(sorted(latest.values(), key=lambda event: event.at))


def _lines(text: str) -> Iterator[dict[str, Any]]:
    *whole, _unfinished = text.split("\n")
    for line in whole:
        yield json.loads(line)


def _event(noted: dict[str, Any]) -> AuditEvent:
    about = noted.get("objectRef") or {}
    return AuditEvent(
        at=parse_time(noted["requestReceivedTimestamp"]),
        user=noted.get("user", {}).get("username", ""),
        user_agent=noted.get("userAgent", ""),
        verb=noted["verb"],
        resource=_resource(about),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        path=noted["requestURI"],
        status=noted.get("responseStatus", {}).get("code", 0),
    )


def _resource(about: dict[str, Any]) -> str:
    plural, group = about.get("resource", ""), about.get("apiGroup", "")
    qualified = f"{plural}.{group}" if group else plural
    return f"{qualified}/{about['subresource']}" if about.get("subresource") else qualified
