import dataclasses
from datetime import timedelta

import pytest

from support.csrs import NOW
from support.mutants.good_requests import good_requests
from towline_certs import (
    Approve,
    FloodLimits,
    Ignore,
    Reason,
    SigningRequest,
    Traffic,
    decide,
)

MINUTE = timedelta(minutes=1)


def ago(*minutes):
    return tuple(NOW - each * MINUTE for each in minutes)


@pytest.mark.parametrize(
    ("limits", "traffic", "until"),
    [
        pytest.param(FloodLimits(10, 3), Traffic(0, ago(50, 40)), None, id="room-for-one"),
        pytest.param(FloodLimits(10, 3), Traffic(0, ago(50, 40, 1)), 10, id="full"),
        pytest.param(FloodLimits(10, 3), Traffic(0, ago(60, 40, 1)), None, id="just-over"),
        pytest.param(FloodLimits(10, 3), Traffic(1, ago(50, 40)), 10, id="one-goes-first"),
        pytest.param(FloodLimits(10, 3), Traffic(2, ago(50, 40)), 20, id="two-go-first"),
        pytest.param(FloodLimits(10, 3), Traffic(3, ()), 60, id="three-go-first"),
        pytest.param(FloodLimits(10, 3), Traffic(0, ago(90, 50, 40, 30)), 10, id="more-than-full"),
        pytest.param(FloodLimits(10, 0), Traffic(9, ago(*[1] * 99)), None, id="no-limit"),
        pytest.param(FloodLimits(10, 1), Traffic(0, ago(-5)), 65, id="decided-by-a-fast-clock"),
    ],
)
def test_an_hour_is_full_until_enough_of_it_has_passed(limits, traffic, until):
    """The instant has to be exact: a request is looked at again then, and not before."""
    expected = None if until is None else NOW + until * MINUTE
    assert traffic.full_until(limits=limits, now=NOW) == expected


def test_when_it_is_over_there_is_room():
    """A request that is looked at again at the stated instant finds what was promised."""
    limits, traffic = FloodLimits(10, 3), Traffic(2, ago(50, 40))
    until = traffic.full_until(limits=limits, now=NOW)
    assert until is not None
    assert traffic.full_until(limits=limits, now=until - timedelta(seconds=1)) == until
    assert traffic.full_until(limits=limits, now=until) is None


@pytest.mark.parametrize("kind", sorted(good_requests()))
def test_a_request_in_excess_waits_whatever_it_asks_for(kind):
    """The first ones of the identity are looked at, the others are not even read."""
    good = good_requests()[kind]
    request = dataclasses.replace(SigningRequest.from_csr(good.csr()), request_pem=b"not read")
    context = dataclasses.replace(
        good.context, operator_accepts=False, traffic=Traffic(older_pending=10)
    )
    decision = decide(request, context)
    assert isinstance(decision, Ignore)
    assert decision.reason is Reason.TOO_MANY_PENDING
    full = dataclasses.replace(context, traffic=Traffic(decided=ago(*[7] * 30)))
    decision = decide(request, full)
    assert isinstance(decision, Ignore)
    assert (decision.reason, decision.until) == (Reason.TOO_MANY_PER_HOUR, NOW + 53 * MINUTE)


def test_a_person_is_not_held_up_by_a_flood():
    """`towline accept` picks the right one of many."""
    good = good_requests()["operator"]
    context = dataclasses.replace(good.context, traffic=Traffic(99, ago(*[7] * 99)))
    assert isinstance(decide(SigningRequest.from_csr(good.csr()), context), Approve)
