"""From facts to a state with its reason and its time."""

import logging
from datetime import timedelta

import pytest

from support.clock import START
from towline_agent.credentials.state import AgentState, Standing, StateReport
from towline_agent.credentials.state_tracking import (
    CredentialFacts,
    StateTracker,
    advance,
    first_report,
)
from towline_certs.validity import Validity

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
VALIDITY = Validity(START, START + HOUR)
NOTHING = CredentialFacts(reason="MakingKey", message="nothing is stored yet")
ASKED = CredentialFacts(
    reason="WaitingForApproval", message="request r waits", request="r", requested_at=START - HOUR
)
REFUSED = CredentialFacts(reason="Paused", message="request r was denied", is_refused=True)
GOOD = CredentialFacts(
    reason="Holding",
    message="renewal is due at T",
    validity=VALIDITY,
    renew_at=START + 48 * MINUTE,
)
DUE = CredentialFacts(
    reason="WaitingForApproval",
    message="request s waits",
    validity=VALIDITY,
    renew_at=START + 48 * MINUTE,
    request="s",
    requested_at=START + 49 * MINUTE,
)
OVER = CredentialFacts(reason="Unreachable", message="no route", validity=VALIDITY)


@pytest.mark.parametrize(
    ("facts", "standing", "after", "state", "reason", "says"),
    [
        (NOTHING, Standing.UNKNOWN, 0, "unregistered", "MakingKey", "nothing is stored"),
        (ASKED, Standing.WAITING, 0, "requested", "WaitingForApproval", "request r"),
        (GOOD, Standing.WAITING, 0, "requested", "WaitingForAcceptance", "cluster c1"),
        (REFUSED, Standing.WAITING, 0, "denied", "RequestRefused", "request r was denied"),
        (GOOD, Standing.DENIED, 0, "denied", "DeniedOnHub", "cluster c1"),
        (GOOD, Standing.ACCEPTED, 0, "registered", "Registered", "renewal is due"),
        (GOOD, Standing.UNKNOWN, 0, "registered", "NotConfirmed", "not confirmed"),
        (GOOD, Standing.ACCEPTED, 48, "renewing", "Holding", "renewal is due"),
        (DUE, Standing.ACCEPTED, 50, "renewing", "WaitingForApproval", "request s"),
        (OVER, Standing.UNKNOWN, 61, "expired", "CertificateExpired", "ended at 2026-"),
        (GOOD, Standing.GONE, 0, "removed", "DeletedOnHub", "cluster c1"),
    ],
)
def test_a_state_comes_with_the_reason_an_operator_needs(
    facts: CredentialFacts, standing: Standing, after: int, state: str, reason: str, says: str
) -> None:
    """The word is for programs; the line says what is the matter, and with what."""
    now = START + after * MINUTE
    report = advance(first_report(now=now), facts, standing, subject="cluster c1", now=now)
    assert (report.state, report.reason) == (state, reason)
    assert says in report.message


@pytest.mark.parametrize(
    ("facts", "after", "began"),
    [
        pytest.param(ASKED, 0, -60, id="the pending key tells when it was made"),
        pytest.param(OVER, 120, 60, id="the certificate tells when it ended"),
        pytest.param(DUE, 55, 49, id="so does the key of a renewal"),
        pytest.param(GOOD, 50, 48, id="and the certificate when one became due"),
        pytest.param(GOOD, 30, 30, id="nothing tells when a cluster was accepted"),
    ],
)
def test_what_is_stored_tells_a_new_process_since_when(
    facts: CredentialFacts, after: int, began: int
) -> None:
    """A restart must not make an old trouble look new, where the store knows better."""
    now = START + after * MINUTE
    report = advance(first_report(now=now), facts, Standing.UNKNOWN, subject="x", now=now)
    assert report.since == START + began * MINUTE


def test_since_stays_while_the_state_does_whatever_its_reason() -> None:
    """Otherwise every failed attempt would start the clock anew."""
    now, facts = [START], [OVER]
    tracker = StateTracker(
        "cluster c1", facts=lambda: facts[0], standing=lambda: Standing.UNKNOWN, now=lambda: now[0]
    )
    assert tracker.look().state is AgentState.UNREGISTERED
    now[0] = START + 2 * HOUR
    first = tracker.look()
    assert (first.state, first.since) == (AgentState.EXPIRED, START + HOUR)
    now[0] = START + 3 * HOUR
    facts[0] = CredentialFacts(reason="Unauthorized", message="refused", validity=VALIDITY)
    second = tracker.look()
    assert second.since == first.since
    assert "refused" in second.message


def test_a_new_state_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells the story; it does not repeat it."""
    tracker = StateTracker(
        "cluster c1", facts=lambda: ASKED, standing=lambda: Standing.WAITING, now=lambda: START
    )
    with caplog.at_level(logging.INFO):
        reports: list[StateReport] = [tracker.look() for _ in range(3)]
    assert len(set(reports)) == 1
    (record,) = caplog.records
    assert record.message == "state changed"
    assert record.__dict__["reason"].startswith("unregistered -> requested (WaitingForApproval)")
