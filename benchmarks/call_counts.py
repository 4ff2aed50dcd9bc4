"""Who called what how often, from the audit logs of both planes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from towline_sandbox.audit import AuditEvent
from towline_sandbox.grants import HUB_USER

AGENT_TO_HUB = "agent to hub"
AGENT_TO_SPOKE = "agent to spoke"
HUB_TO_HUB = "hub to hub"
CALLERS = (AGENT_TO_HUB, AGENT_TO_SPOKE, HUB_TO_HUB)

# The hub has a user of its own. The agent has several, and none before it has shown a credential
# that is valid: it is known by how it introduces itself.
_AGENT = "towline-agent/"
_KINDS = {"get": "reads", "list": "reads", "watch": "watches", "head": "reads"}
KINDS = ("reads", "writes", "watches")

# Questions that Kubernetes takes in the form of a new object, of which nothing remains.
_QUESTIONS = ("authorization.k8s.io", "authentication.k8s.io")


@dataclass(frozen=True, slots=True)
class TimedCall:
    """One call, and when it came in.

    Args:
        at: When.
        caller: One of `CALLERS`.
        identity: As whom.
        call: Verb and resource (or path), with the status if the server refused.
        name: Namespace and name of the object, where there is one.
        kind: One of `KINDS`.
    """

    at: datetime
    caller: str
    identity: str
    call: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of one caller in some stretch of time.

    Args:
        kinds: How many of each of `KINDS`.
        calls: How many of each verb and resource.
        identities: How many under each identity.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    identities: Counter[str] = field(default_factory=Counter)


def towline_calls(
    hub_events: Iterable[AuditEvent], spoke_events: Iterable[AuditEvent], *, since: datetime
) -> list[TimedCall]:
    """Return what hub and agent called since then, in the order it came in."""
    found = [
        _timed(event, HUB_TO_HUB if event.user == HUB_USER else AGENT_TO_HUB)
        for event in hub_events
        if event.at >= since and (event.user == HUB_USER or event.user_agent.startswith(_AGENT))
    ]
    found += [
        _timed(event, AGENT_TO_SPOKE)
        for event in spoke_events
        if event.at >= since and event.user_agent.startswith(_AGENT)
    ]
    return sorted(found, key=lambda call: call.at)


def count(calls: Sequence[TimedCall]) -> dict[str, Counts]:
    """Return the counts of each caller; a caller that was silent has empty ones."""
    counts = {caller: Counts() for caller in CALLERS}
    for call in calls:
        found = counts[call.caller]
        found.kinds[call.kind] += 1
        found.calls[call.call] += 1
        found.identities[call.identity] += 1
    return counts


def _timed(event: AuditEvent, caller: str) -> TimedCall:
    what = event.resource or event.path.partition("?")[0]
    refused = f" ({event.status})" if event.status >= 400 else ""
    return TimedCall(
        at=event.at,
        caller=caller,
        identity=_identity(event.user),
        call=f"{event.verb} {what}{refused}",
        name="/".join(part for part in (event.namespace, event.name) if part),
        kind=_kind(event),
    )


def _kind(event: AuditEvent) -> str:
    group = event.resource.partition("/")[0].partition(".")[2]
    return "reads" if group in _QUESTIONS else _KINDS.get(event.verb, "writes")


def _identity(user: str) -> str:
    """Return what kind of user this is: names differ from join to join."""
    if user.startswith("system:bootstrap:"):
        return "bootstrap token"
    if user.startswith("system:open-cluster-management:"):
        return "add-on agent" if ":addon:" in user else "cluster agent"
    return user or "nobody"
