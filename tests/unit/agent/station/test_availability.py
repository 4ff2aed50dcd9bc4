"""An add-on's Lease becomes what the hub says about it."""

from datetime import UTC, datetime, timedelta

import pytest

from towline_agent.station.availability import (
    BENEFIT_OF_DOUBT,
    GRACE_PERIOD,
    SETTLING_TIME,
    LeaseLooks,
    Sighting,
    availability,
    look_at,
)
from towline_api.metadata import ObjectKey
from towline_api.resources import KubeObject
from towline_api.timestamps import format_micro_time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHERE = ObjectKey("helloworld", "addons")
GRACE = GRACE_PERIOD.total_seconds()


def lease(renewed: datetime) -> KubeObject:
    return {"spec": {"renewTime": format_micro_time(renewed), "leaseDurationSeconds": 1}}


def judge(sighting: Sighting | None, *, at: float) -> tuple[str, str]:
    result = availability(sighting, addon="helloworld", lease=WHERE, monotonic=at)
    return result.status, result.reason


def test_a_fresh_lease_means_available_until_five_renewals_were_missed() -> None:
    """One missed renewal is normal; five are not, as everywhere in OCM."""
    seen = look_at(lease(NOW), last=None, now=NOW, monotonic=1000)
    assert seen is not None
    assert judge(seen, at=1000) == ("True", "ManagedClusterAddOnLeaseUpdated")
    assert judge(seen, at=1000 + GRACE - 0.001)[0] == "True"
    assert judge(seen, at=1000 + GRACE) == ("False", "ManagedClusterAddOnLeaseUpdateStopped")


def test_a_renewal_counts_from_when_it_was_seen() -> None:
    """The time in the Lease is another machine's: an hour of skew must not make add-ons flap."""
    skewed = NOW - timedelta(hours=1)
    first = look_at(lease(skewed), last=None, now=NOW, monotonic=0)
    renewed = look_at(lease(skewed + timedelta(minutes=1)), last=first, now=NOW, monotonic=60)
    assert renewed == Sighting(skewed + timedelta(minutes=1), seen_at=60)
    assert judge(renewed, at=60 + GRACE - 1)[0] == "True"


def test_looking_again_at_the_same_renewal_does_not_make_it_younger() -> None:
    """Other changes of the Lease, or a relist, are no sign of life."""
    first = look_at(lease(NOW), last=None, now=NOW, monotonic=0)
    assert look_at(lease(NOW), last=first, now=NOW, monotonic=250) == first


@pytest.mark.parametrize(
    ("written", "alive_for"),
    [
        pytest.param(NOW, GRACE, id="just-renewed"),
        pytest.param(NOW - timedelta(seconds=100), GRACE - 100, id="a-while-ago"),
        pytest.param(NOW + timedelta(hours=1), GRACE, id="from-the-future"),
        pytest.param(NOW - timedelta(days=1), BENEFIT_OF_DOUBT.total_seconds(), id="looks-stale"),
    ],
)
def test_the_first_sight_of_a_lease_gives_bounded_trust(
    written: datetime, alive_for: float
) -> None:
    """After a restart nobody knows when the renewal happened; neither extreme may decide."""
    seen = look_at(lease(written), last=None, now=NOW, monotonic=500)
    assert seen is not None
    assert seen.alive_until == 500 + alive_for


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="no-lease"),
        pytest.param({"spec": {}}, id="never-renewed"),
        pytest.param({}, id="no-spec"),
        pytest.param({"spec": {"renewTime": "yesterday"}}, id="no-time"),
        pytest.param({"spec": {"renewTime": 7}}, id="no-text"),
    ],
)
def test_no_renewal_at_all_is_unknown_and_says_where_one_was_expected(
    found: KubeObject | None,
) -> None:
    """A Lease not found helps nobody who does not know where it was looked for."""
    seen = look_at(found, last=None, now=NOW, monotonic=0)
    result = availability(seen, addon="helloworld", lease=WHERE, monotonic=0)
    assert (result.status, result.reason) == ("Unknown", "ManagedClusterAddOnLeaseNotFound")
    assert result.message.startswith("The status of helloworld add-on is unknown.")
    assert "Lease helloworld in namespace addons" in result.message


def test_a_lease_that_was_deleted_is_unknown_again() -> None:
    """What was seen before says nothing about an add-on that is gone."""
    seen = look_at(lease(NOW), last=None, now=NOW, monotonic=0)
    assert look_at(None, last=seen, now=NOW, monotonic=1) is None


def test_a_stopped_add_on_is_named_with_its_last_renewal() -> None:
    """Whoever reads the condition wants to know where to look and since when."""
    seen = Sighting(NOW, seen_at=0)
    result = availability(seen, addon="helloworld", lease=WHERE, monotonic=GRACE)
    assert result.message.startswith("helloworld add-on is not available.")
    assert "2026-03-01T12:00:00Z" in result.message
    assert "addons" in result.message


def test_a_lease_that_does_not_come_is_told_once_it_had_a_fair_chance() -> None:
    """An add-on just installed gets one report, not Unknown and then True; a dead one is told."""
    looks, settling = LeaseLooks(), SETTLING_TIME.total_seconds()
    assert looks.look(None, at=WHERE, now=NOW, monotonic=10) == (None, SETTLING_TIME)
    assert looks.look(None, at=WHERE, now=NOW, monotonic=12) == (
        None,
        SETTLING_TIME - timedelta(seconds=2),
    )
    says, left = looks.look(None, at=WHERE, now=NOW, monotonic=10 + settling)
    assert says is not None
    assert (says.status, left) == ("Unknown", None)


def test_a_lease_is_believed_at_once_and_for_as_long_as_it_lasts() -> None:
    """Nothing is gained by keeping good news back; when to look again follows from the Lease."""
    looks = LeaseLooks()
    says, left = looks.look(lease(NOW), at=WHERE, now=NOW, monotonic=10)
    assert says is not None
    assert (says.status, left) == ("True", GRACE_PERIOD)
    says, left = looks.look(lease(NOW), at=WHERE, now=NOW, monotonic=10 + GRACE)
    assert says is not None
    assert (says.status, left) == ("False", None)


def test_a_lease_that_goes_later_is_missed_at_once() -> None:
    """The fair chance is for add-ons that begin, not for those that end."""
    looks = LeaseLooks()
    looks.look(lease(NOW), at=WHERE, now=NOW, monotonic=0)
    says, left = looks.look(None, at=WHERE, now=NOW, monotonic=100)
    assert says is not None
    assert (says.status, left) == ("Unknown", None)


def test_an_add_on_that_moves_begins_again() -> None:
    """What was seen in its former namespace says nothing about the new one."""
    looks = LeaseLooks()
    looks.look(lease(NOW), at=WHERE, now=NOW, monotonic=0)
    there = ObjectKey("helloworld", "elsewhere")
    assert looks.look(None, at=there, now=NOW, monotonic=100) == (None, SETTLING_TIME)
