"""Earning and keeping a certificate: each situation has one next step."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_agent.credentials.enrollment import (
    LONGEST_PAUSE,
    Absent,
    CertificateOrder,
    Dead,
    DiscardPending,
    Facts,
    Holding,
    Issued,
    LookUpRequest,
    MakeKey,
    NothingStored,
    NotLookedUp,
    Pause,
    Paused,
    Pending,
    PostRequest,
    Progress,
    Request,
    Step,
    StoreCredential,
    Unusable,
    Usable,
    UseCredential,
    WaitForRequest,
    Waiting,
    next_step,
)
from towline_certs.identities import ClusterIdentity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SUBJECT = ClusterIdentity("c1", "agent").subject
ORDER = CertificateOrder(
    name_prefix="c1-", signer="kubernetes.io/kube-apiserver-client", subject=SUBJECT, labels={}
)
PENDING = Pending(request_name="c1-abc", key_pem=b"key", subject=SUBJECT, created=NOW)
THIRD_TRY = dataclasses.replace(PENDING, failures=2)
PAUSED = Paused(until=NOW + SECOND, failures=2, reason="denied", subject=SUBJECT)
PAUSE_OVER = dataclasses.replace(PAUSED, until=NOW)
FRESH = Usable(renew_at=NOW + SECOND, expires_at=NOW + 2 * SECOND)
DUE = Usable(renew_at=NOW, expires_at=NOW + SECOND)
NOTHING = NothingStored()
DEAD = Dead("Denied", "request c1-abc was denied")

HOLDINGS: list[Holding] = [NOTHING, FRESH, DUE, Unusable("expired")]
REQUESTS: list[Request] = [
    NotLookedUp(),
    Absent(),
    Waiting(approved=False),
    Waiting(approved=True, note="signer is slow"),
    Issued(b"pem"),
    DEAD,
]


def facts(
    *, holding: Holding = NOTHING, progress: Progress | None = None, request: Request | None = None
) -> Facts:
    return Facts(
        order=ORDER, holding=holding, progress=progress, request=request or NotLookedUp(), now=NOW
    )


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(facts(), MakeKey("nothing is stored yet"), id="first-start"),
        pytest.param(facts(holding=FRESH), UseCredential(FRESH.renew_at), id="all-good"),
        pytest.param(facts(holding=DUE), MakeKey("renewal is due"), id="renewal-due"),
        pytest.param(
            facts(holding=Unusable("expired")), MakeKey("expired"), id="expired-while-down"
        ),
        pytest.param(facts(progress=PENDING), LookUpRequest(PENDING), id="restart-with-a-key"),
        pytest.param(
            facts(progress=PENDING, request=Absent()), PostRequest(PENDING), id="not-posted-or-gone"
        ),
        pytest.param(
            facts(progress=PENDING, request=Waiting(approved=False)),
            WaitForRequest(PENDING, approved=False, note=""),
            id="awaiting-approval",
        ),
        pytest.param(
            facts(progress=PENDING, request=Waiting(approved=True, note="x")),
            WaitForRequest(PENDING, approved=True, note="x"),
            id="awaiting-the-signer",
        ),
        pytest.param(
            facts(progress=PENDING, request=Issued(b"pem")),
            StoreCredential(PENDING, b"pem"),
            id="issued",
        ),
        pytest.param(
            facts(progress=PENDING, request=DEAD),
            DiscardPending("Denied", DEAD.message, failures=1),
            id="denied",
        ),
        pytest.param(
            facts(progress=THIRD_TRY, request=DEAD),
            DiscardPending("Denied", DEAD.message, failures=3),
            id="denied-again",
        ),
        pytest.param(facts(progress=PAUSED), Pause(PAUSED.until, "denied"), id="paused"),
        pytest.param(
            facts(progress=dataclasses.replace(PAUSED, until=NOW + LONGEST_PAUSE + SECOND)),
            MakeKey("nothing is stored yet", failures=2),
            id="clock-set-back-in-a-pause",
        ),
        pytest.param(
            facts(progress=PAUSED, holding=DUE), Pause(PAUSED.until, "denied"), id="renewal-paused"
        ),
        pytest.param(
            facts(progress=PAUSE_OVER),
            MakeKey("nothing is stored yet", failures=2),
            id="pause-over-remembers-the-failures",
        ),
        pytest.param(
            facts(progress=PAUSED, holding=FRESH),
            UseCredential(FRESH.renew_at),
            id="a-good-credential-needs-no-request",
        ),
    ],
)
def test_each_situation_has_one_next_step(situation: Facts, expected: Step) -> None:
    """This table is the whole behaviour of enrollment; the shell adds no decision."""
    assert next_step(situation) == expected


@pytest.mark.parametrize("holding", HOLDINGS)
@pytest.mark.parametrize("request_state", REQUESTS)
def test_a_pending_key_is_seen_through_whatever_is_held(
    holding: Holding, request_state: Request
) -> None:
    """A second key beside a pending one is how requests pile up on hubs."""
    step = next_step(facts(holding=holding, progress=PENDING, request=request_state))
    assert not isinstance(step, MakeKey)
    assert step == next_step(facts(progress=PENDING, request=request_state))


@pytest.mark.parametrize("request_state", REQUESTS)
def test_a_request_for_another_subject_is_given_up_without_blame(request_state: Request) -> None:
    """Whoever renames the cluster wants the new name now, not after a pause."""
    other = dataclasses.replace(ORDER, subject=ClusterIdentity("c2", "agent").subject)
    situation = dataclasses.replace(facts(progress=THIRD_TRY, request=request_state), order=other)
    step = next_step(situation)
    assert isinstance(step, DiscardPending)
    assert step.failures == 0
    assert "c1" in step.message
    assert "c2" in step.message


@given(
    renew_in=st.integers(-5, 5),
    until_in=st.integers(-5, 5),
    holds=st.booleans(),
    paused=st.booleans(),
)
def test_nothing_is_asked_for_too_early(
    *, renew_in: int, until_in: int, holds: bool, paused: bool
) -> None:
    """A key is made exactly when nothing good is held and no pause is running."""
    usable = Usable(renew_at=NOW + renew_in * SECOND, expires_at=NOW + 10 * SECOND)
    pause = Paused(until=NOW + until_in * SECOND, failures=1, reason="x", subject=SUBJECT)
    step = next_step(
        facts(holding=usable if holds else NOTHING, progress=pause if paused else None)
    )
    fresh = holds and renew_in > 0
    resting = paused and until_in > 0
    assert isinstance(step, MakeKey) == (not fresh and not resting)


def test_keys_stay_out_of_representations() -> None:
    """A traceback or a log line may print any of these values."""
    secret = dataclasses.replace(PENDING, key_pem=b"TOP-SECRET")
    for value in (secret, PostRequest(secret), StoreCredential(secret, b"pem")):
        assert "TOP-SECRET" not in repr(value)
