"""What is posted for a certificate, and what is believed of the answer."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_agent.credentials.enrollment import (
    Absent,
    CertificateOrder,
    Dead,
    Issued,
    Pending,
    Waiting,
)
from towline_agent.credentials.signing_requests import new_pending, observe_request, signing_request
from towline_api.resources import KubeObject
from towline_certs.authority import create_authority
from towline_certs.identities import ClusterIdentity, Subject
from towline_certs.keys import parse_key, public_key_digest
from towline_certs.requests import parse_request

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
SUBJECT = ClusterIdentity("c1", "agent").subject
ORDER = CertificateOrder(
    name_prefix="c1-",
    signer="kubernetes.io/kube-apiserver-client",
    subject=SUBJECT,
    labels={"open-cluster-management.io/cluster-name": "c1"},
    lifetime=HOUR,
)
AUTHORITY = create_authority("test signer", lifetime=30 * HOUR, now=NOW - HOUR)


def issue(
    pending: Pending, *, subject: Subject = SUBJECT, at: datetime = NOW, lifetime: timedelta = HOUR
) -> str:
    pem = AUTHORITY.issue(
        parse_key(pending.key_pem).public_key(),
        subject=subject,
        lifetime=lifetime,
        now=at,
    )
    return base64.b64encode(pem).decode()


def posted(pending: Pending, **status: Any) -> KubeObject:
    return {**signing_request(ORDER, pending), "status": status}


def condition(kind: str) -> list[dict[str, str]]:
    return [{"type": kind, "status": "True", "reason": "BecauseISaySo", "message": "no"}]


def test_the_request_says_exactly_what_was_ordered() -> None:
    """A hub compares every part with what the identity may ask for."""
    pending = new_pending(ORDER, now=NOW)
    body = signing_request(dataclasses.replace(ORDER, dns_names=("a.example",)), pending)
    request = parse_request(base64.b64decode(body["spec"]["request"]))
    assert body["metadata"] == {
        "name": pending.request_name,
        "labels": {"open-cluster-management.io/cluster-name": "c1"},
    }
    assert body["spec"]["usages"] == ["digital signature", "key encipherment", "client auth"]
    assert body["spec"]["expirationSeconds"] == 3600
    assert request.subject == SUBJECT
    assert request.public_key == parse_key(pending.key_pem).public_key()


def test_the_name_follows_from_the_key() -> None:
    """A restarted agent finds the request it made, because only this key gives this name."""
    pending = new_pending(ORDER, now=NOW)
    digest = public_key_digest(parse_key(pending.key_pem))
    assert pending.request_name == f"c1-{digest[:20]}"


def test_no_lifetime_is_asked_for_unless_ordered() -> None:
    """The hub's own default must win over none of ours."""
    order = dataclasses.replace(ORDER, lifetime=None)
    assert "expirationSeconds" not in signing_request(order, new_pending(order, now=NOW))["spec"]


def test_what_is_not_there_is_absent() -> None:
    """Hubs collect old requests; the same one is then posted again."""
    pending = new_pending(ORDER, now=NOW)
    assert observe_request(None, order=ORDER, pending=pending, now=NOW) == Absent()


@pytest.mark.parametrize("approved", [True, False])
def test_a_request_without_certificate_is_waiting(*, approved: bool) -> None:
    """An operator is told whether the approver or the signer is next."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, conditions=condition("Approved") if approved else [])
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert found == Waiting(approved=approved)


@pytest.mark.parametrize("kind", ["Denied", "Failed"])
def test_a_refused_request_is_dead_and_says_why(kind: str) -> None:
    """The reason the hub gave is the first thing an operator needs."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, conditions=condition(kind), certificate=issue(pending))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert isinstance(found, Dead)
    assert found.reason == kind
    assert "BecauseISaySo: no" in found.message
    assert pending.request_name in found.message


def test_a_good_certificate_is_issued() -> None:
    """The twin of the refusals below."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, conditions=condition("Approved"), certificate=issue(pending))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert found == Issued(base64.b64decode(csr["status"]["certificate"]))


def test_a_certificate_for_another_key_is_of_no_use() -> None:
    """Storing it would replace a working pair by a broken one."""
    pending, other = new_pending(ORDER, now=NOW), new_pending(ORDER, now=NOW)
    csr = posted(pending, certificate=issue(other))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert isinstance(found, Dead)
    assert found.reason == "Mismatch"


@pytest.mark.parametrize(
    "subject",
    [
        ClusterIdentity("c1", "other").subject,
        dataclasses.replace(SUBJECT, organizations=frozenset({"system:masters"})),
        dataclasses.replace(SUBJECT, organizational_units=frozenset({"x"})),
    ],
)
def test_a_certificate_for_another_subject_is_of_no_use(subject: Subject) -> None:
    """What was not asked for is not used, be it less or more."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, certificate=issue(pending, subject=subject))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert isinstance(found, Dead)


@pytest.mark.parametrize("garbage", ["not base64!", base64.b64encode(b"not PEM").decode()])
def test_a_garbled_certificate_is_of_no_use(garbage: str) -> None:
    """A broken signer must not break the agent."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, certificate=garbage)
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert isinstance(found, Dead)


def test_an_expired_certificate_is_of_no_use() -> None:
    """It was issued while the agent was down; a new one has to be asked for."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, certificate=issue(pending))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW + 2 * HOUR)
    assert isinstance(found, Dead)
    assert "expired" in found.message


def test_a_certificate_of_the_future_waits_for_the_clock() -> None:
    """Asking again would bring the same: it is this machine's clock that is behind."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending, certificate=issue(pending, at=NOW))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW - HOUR)
    assert isinstance(found, Waiting)
    assert "clocks" in found.note


def test_somebody_elses_request_is_left_alone() -> None:
    """A name is no proof; only the key in the request is."""
    pending = new_pending(ORDER, now=NOW)
    other = dataclasses.replace(new_pending(ORDER, now=NOW), request_name=pending.request_name)
    csr = posted(other, certificate=issue(other))
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert isinstance(found, Dead)
    assert found.reason == "NotOurs"


@pytest.mark.parametrize("request_text", ["", "%%%", base64.b64encode(b"junk").decode()])
def test_an_unreadable_request_is_not_ours(request_text: str) -> None:
    """Whatever is in the object, reading it raises nothing."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending)
    csr["spec"] = {**csr["spec"], "request": request_text}
    found = observe_request(csr, order=ORDER, pending=pending, now=NOW)
    assert isinstance(found, Dead)


def test_a_request_to_another_signer_is_not_ours() -> None:
    """A certificate by whoever that is would not open our hub."""
    pending = new_pending(ORDER, now=NOW)
    csr = posted(pending)
    csr["spec"] = {**csr["spec"], "signerName": "example.com/other"}
    assert isinstance(observe_request(csr, order=ORDER, pending=pending, now=NOW), Dead)


def test_keys_are_fresh() -> None:
    """Every request has a key of its own."""
    assert new_pending(ORDER, now=NOW).key_pem != new_pending(ORDER, now=NOW).key_pem
