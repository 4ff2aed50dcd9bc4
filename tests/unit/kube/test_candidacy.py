"""What a candidate for the lead does next, case by case."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_api.resources import KubeObject
from towline_kube.candidacy import Candidate, Claim, LeaseTimes, Rest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = LeaseTimes()
DURATION = TIMES.duration.total_seconds()


def candidate(identity: str = "me", *, roll: float = 0.0) -> Candidate:
    return Candidate(identity, name="lead", namespace="ns", times=TIMES, roll=lambda: roll)


def lease(version: int = 1, **spec: Any) -> KubeObject:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "lead",
            "namespace": "ns",
            "resourceVersion": str(version),
            "labels": {"kept": "yes"},
        },
        "spec": {"leaseDurationSeconds": 10, **spec},
    }


def claim_of(who: Candidate, *, at: float) -> KubeObject:
    step = who.plan(at=at, now=NOW)
    assert isinstance(step, Claim)
    return step.body


def granted(body: KubeObject, *, version: int) -> KubeObject:
    return body | {"metadata": body["metadata"] | {"resourceVersion": str(version)}}


def rest_of(who: Candidate, *, at: float) -> float:
    step = who.plan(at=at, now=NOW)
    assert isinstance(step, Rest), step
    return step.until


def test_where_there_is_no_lease_it_makes_one_at_once() -> None:
    """The first hub of all has nobody to wait for."""
    body = claim_of(candidate(), at=100)
    assert "resourceVersion" not in body["metadata"]
    assert body["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 10,
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "leaseTransitions": 0,
    }


@pytest.mark.parametrize(
    ("found", "free_after"),
    [
        pytest.param(lease(holderIdentity="other"), 10.0, id="held"),
        pytest.param(lease(holderIdentity="other", leaseDurationSeconds=30), 30.0, id="held-long"),
        pytest.param(
            lease(holderIdentity="other", renewTime="2001-01-01T00:00:00.000000Z"),
            10.0,
            id="held-by-a-clock-that-is-slow",
        ),
        pytest.param(
            lease(holderIdentity="other", renewTime="2050-01-01T00:00:00.000000Z"),
            10.0,
            id="held-by-a-clock-that-is-fast",
        ),
        pytest.param(lease(), None, id="given-up"),
        pytest.param(lease(holderIdentity=""), None, id="given-up-as-older-programs-do"),
        pytest.param(lease(holderIdentity="me"), None, id="ours"),
    ],
)
def test_a_lease_is_left_alone_for_as_long_as_it_promises(
    found: KubeObject, free_after: float | None
) -> None:
    """Counted from when we saw it, whatever times it tells."""
    me = candidate()
    me.see(found, at=100)
    if free_after is None:
        claim_of(me, at=100)
        return
    assert rest_of(me, at=100) == 100 + free_after
    assert rest_of(me, at=100 + free_after - 0.001) == 100 + free_after
    body = claim_of(me, at=100 + free_after)
    assert body["metadata"]["resourceVersion"] == "1", "it replaces what it has seen, and no other"


def test_every_sign_of_life_is_waited_for_anew() -> None:
    """Each renewal that is seen gives the holder its whole time again."""
    me = candidate()
    me.see(lease(1, holderIdentity="other", renewTime="a"), at=100)
    me.see(lease(2, holderIdentity="other", renewTime="b"), at=109)
    assert rest_of(me, at=110) == 109 + DURATION


def test_what_is_old_news_changes_nothing() -> None:
    """A watch may tell of a state after a newer one was read; it is no sign of life."""
    me = candidate()
    me.see(lease(5, holderIdentity="other"), at=100)
    me.see(lease(5, holderIdentity="other"), at=105)
    me.see(lease(4, holderIdentity="another"), at=106)
    assert me.holder == "other"
    assert rest_of(me, at=107) == 100 + DURATION


def test_all_who_wait_do_not_take_it_at_the_same_moment() -> None:
    """Spread over half a retry period, one of them usually meets nobody."""
    one, two = candidate(roll=0.0), candidate(roll=0.9)
    for each in (one, two):
        each.see(lease(holderIdentity="other"), at=100)
    assert rest_of(two, at=100) - rest_of(one, at=100) == pytest.approx(0.9)


def test_taking_over_counts_as_a_transition_and_renewing_does_not() -> None:
    """As other programs read it; and what others put on the object stays."""
    me = candidate()
    me.see(lease(1, holderIdentity="other", leaseTransitions=3, acquireTime="then"), at=100)
    taken = claim_of(me, at=111)
    assert taken["spec"]["leaseTransitions"] == 4
    assert taken["spec"]["acquireTime"] != "then"
    assert taken["metadata"]["labels"] == {"kept": "yes"}
    me.claimed(granted(taken, version=2), sent=111, at=112)
    renewed = claim_of(me, at=113)
    assert renewed["spec"]["leaseTransitions"] == 4
    assert renewed["spec"]["acquireTime"] == taken["spec"]["acquireTime"]


def test_a_leader_leads_from_when_it_asked_not_from_when_it_was_answered() -> None:
    """An answer may be slow, and the others count from the write itself."""
    me = candidate()
    me.claimed(granted(claim_of(me, at=100), version=1), sent=100, at=105)
    assert me.leads_until == 106
    assert me.writes_end == 108
    assert rest_of(me, at=101) == 102


def test_a_renewal_that_fails_is_tried_again_before_the_time_is_over() -> None:
    """One lost packet costs no lead."""
    me = candidate()
    me.claimed(granted(claim_of(me, at=100), version=1), sent=100, at=100)
    tries, at = 0, 102.0
    while at < me.leads_until:
        claim_of(me, at=at)
        me.failed(at=at)
        at = rest_of(me, at=at)
        tries += 1
    assert tries >= 4


def test_a_leader_that_another_replaced_leads_no_more() -> None:
    """Whoever reads it off the object need not wait for a clock."""
    me = candidate()
    me.claimed(granted(claim_of(me, at=100), version=1), sent=100, at=100)
    me.see(lease(2, holderIdentity="other"), at=101)
    assert me.leads_until == float("-inf")
    assert me.writes_end == float("-inf")
    assert me.release(now=NOW) is None


def test_a_lead_that_was_taken_away_comes_back_by_a_claim_only() -> None:
    """Whoever gave the Lease back by hand may have let another lead in between."""
    me = candidate()
    me.claimed(granted(claim_of(me, at=100), version=1), sent=100, at=100)
    me.see(lease(2, holderIdentity="other"), at=101)
    me.see(lease(3, holderIdentity="me"), at=102)
    assert me.leads_until == float("-inf")
    claim_of(me, at=102)


def test_an_answer_that_another_write_has_overtaken_gives_no_lead() -> None:
    """The watch told of the other write before the answer to ours came."""
    me = candidate()
    body = claim_of(me, at=100)
    me.see(lease(7, holderIdentity="other"), at=101)
    me.claimed(granted(body, version=6), sent=100, at=102)
    assert me.holder == "other"
    assert me.leads_until == float("-inf")


def test_a_renewal_whose_answer_was_lost_is_seen_and_followed_by_another() -> None:
    """It was carried out; but from when it counts, only an answer says."""
    me = candidate()
    me.claimed(granted(claim_of(me, at=100), version=1), sent=100, at=100)
    lost = granted(claim_of(me, at=102), version=2)
    me.failed(at=105)
    me.see(lost, at=105)
    assert me.leads_until == 106
    assert claim_of(me, at=105)["metadata"]["resourceVersion"] == "2"


def test_a_deleted_lease_is_not_taken_before_its_holder_can_know() -> None:
    """Its holder goes on until its next renewal fails."""
    me = candidate()
    me.see(lease(3, holderIdentity="other"), at=100)
    me.see(None, at=104)
    assert rest_of(me, at=104) == 104 + DURATION
    assert "resourceVersion" not in claim_of(me, at=114)["metadata"]


def test_a_leader_whose_lease_was_deleted_stops_at_once() -> None:
    """A hub that starts just then finds none, and makes one."""
    me = candidate()
    me.claimed(granted(claim_of(me, at=100), version=1), sent=100, at=100)
    me.see(None, at=101)
    assert me.leads_until == float("-inf")


def test_given_up_it_is_another_ones_at_once() -> None:
    """An orderly end costs the fleet no ten seconds."""
    me, other = candidate(), candidate("other")
    mine = granted(claim_of(me, at=100), version=1)
    me.claimed(mine, sent=100, at=100)
    other.see(mine, at=100)
    given_up = me.release(now=NOW)
    assert given_up is not None
    assert "holderIdentity" not in given_up.body["spec"]
    assert given_up.body["metadata"]["resourceVersion"] == "1"
    free = granted(given_up.body, version=2)
    me.released(free, at=101)
    assert me.release(now=NOW) is None
    assert me.leads_until == float("-inf")
    other.see(free, at=101)
    assert claim_of(other, at=101)["spec"]["leaseTransitions"] == 1


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param((10, 6, 6), id="no-second-try"),
        pytest.param((6, 6, 2), id="no-time-to-stop"),
        pytest.param((10, 6, 0), id="no-pause"),
        pytest.param((0.5, 0.3, 0.1), id="too-short"),
        pytest.param((10.5, 6, 2), id="no-whole-seconds"),
    ],
)
def test_times_that_would_let_two_lead_are_refused(seconds: tuple[float, ...]) -> None:
    """A leader has to have stopped before another may begin."""
    duration, deadline, retry = (timedelta(seconds=each) for each in seconds)
    with pytest.raises(ValueError, match=r"lease"):
        LeaseTimes(duration=duration, renew_deadline=deadline, retry_period=retry)
