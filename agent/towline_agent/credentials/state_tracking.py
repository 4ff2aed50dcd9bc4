"""From what the keeper of a credential knows to the state it is in, with its reason and time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from towline_agent.credentials.state import (
    AgentState,
    Asking,
    Holding,
    Observation,
    Standing,
    StateReport,
    next_state,
)
from towline_certs.validity import Validity

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFacts:
    """What is known of one credential and of the request for the next. Holds no key.

    Args:
        reason: CamelCase word for what its keeper does.
        message: The same for people.
        validity: Of the newest credential, be it over; None if none is known.
        renew_at: When its renewal is due; None unless it can be used.
        request: Name of the request under way.
        requested_at: When its key was made.
        is_refused: Whether the last request came to nothing and the next one is to wait.
    """

    reason: str
    message: str
    validity: Validity | None = None
    renew_at: datetime | None = None
    request: str | None = None
    requested_at: datetime | None = None
    is_refused: bool = False


def observe(facts: CredentialFacts, standing: Standing, *, now: datetime) -> Observation:
    """Return what the state follows from.

    Args:
        facts: What is known of the credential.
        standing: What the hub says.
        now: The present; what ended since the keeper looked has ended.
    """
    if facts.request is not None:
        asking = Asking.PENDING
    else:
        asking = Asking.REFUSED if facts.is_refused else Asking.NOT
    return Observation(_holding(facts, now), asking, standing)


def _holding(facts: CredentialFacts, now: datetime) -> Holding:
    if facts.validity is not None and now > facts.validity.not_after:
        return Holding.EXPIRED
    if facts.renew_at is None:
        return Holding.NOTHING
    return Holding.DUE if now >= facts.renew_at else Holding.GOOD


def first_report(*, now: datetime) -> StateReport:
    """Return the report of a process that has looked at nothing yet."""
    return StateReport(
        state=AgentState.UNREGISTERED,
        reason="Starting",
        message="nothing was looked at yet",
        since=now,
    )


def advance(
    old: StateReport, facts: CredentialFacts, standing: Standing, *, subject: str, now: datetime
) -> StateReport:
    """Return the report that follows; equal to `old` if nothing changed.

    Args:
        old: The report before.
        facts: What is known of the credential.
        standing: What the hub says.
        subject: Whose credential it is, for example `cluster c1`.
        now: The present.
    """
    seen = observe(facts, standing, now=now)
    state = next_state(old.state, seen)
    reason, message = _explain(state, facts, seen, subject=subject)
    since = old.since if state is old.state else min(now, _began(state, facts) or now)
    return StateReport(state=state, reason=reason, message=message, since=since)


def _began(state: AgentState, facts: CredentialFacts) -> datetime | None:
    """Return when a state began, where that rests in the store; then it outlives a restart."""
    match state:
        case AgentState.EXPIRED:
            return None if facts.validity is None else facts.validity.not_after
        case AgentState.REQUESTED | AgentState.RENEWING if facts.request is not None:
            return facts.requested_at
        case AgentState.RENEWING:
            return facts.renew_at
        case _:
            return None


def _explain(
    state: AgentState, facts: CredentialFacts, seen: Observation, *, subject: str
) -> tuple[str, str]:
    match state:
        case AgentState.REMOVED:
            return "DeletedOnHub", f"{subject} was deleted on the hub"
        case AgentState.DENIED if seen.standing is Standing.DENIED:
            return "DeniedOnHub", f"the hub does not accept {subject}; its owner decides"
        case AgentState.DENIED:
            return "RequestRefused", facts.message
        case AgentState.EXPIRED if facts.validity is not None:
            end = f"{facts.validity.not_after:%FT%TZ}"
            return "CertificateExpired", f"the certificate ended at {end}; {facts.message}"
        case AgentState.REQUESTED if seen.holding in (Holding.GOOD, Holding.DUE):
            return "WaitingForAcceptance", f"the hub has not accepted {subject} yet"
        case AgentState.REGISTERED if seen.standing is Standing.UNKNOWN:
            return "NotConfirmed", "the credential is good; the hub has not confirmed it so far"
        case AgentState.REGISTERED:
            return "Registered", facts.message
        case _:
            return facts.reason, facts.message


class StateTracker:
    """The state of one credential, concluded anew from the facts each time somebody looks.

    Args:
        subject: Whose credential it is, for example `cluster c1`.
        facts: Returns what is known of it now.
        standing: Returns what the hub says now.
        now: Reads the time.
    """

    def __init__(
        self,
        subject: str,
        *,
        facts: Callable[[], CredentialFacts],
        standing: Callable[[], Standing],
        now: Callable[[], datetime],
    ) -> None:
        self._subject = subject
        self._facts = facts
        self._standing = standing
        self._now = now
        self._report = first_report(now=now())

    def look(self) -> StateReport:
        """Return how things stand now, and log a state that is new."""
        old = self._report
        self._report = new = advance(
            old, self._facts(), self._standing(), subject=self._subject, now=self._now()
        )
        if new.state is not old.state:
            log.info(
                "state changed",
                extra={"object": self._subject, "reason": f"{old.state} -> {new}"},
            )
        return new
