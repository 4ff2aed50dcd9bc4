"""When authorities that the hub makes follow each other: by table, and over years."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline_certs.validity import Validity
from towline_hub.signers.bundle import Anchor, next_change, plan_bundle
from towline_hub.signers.rotation import RotationPlan, Step, plan_rotation, replacement_time

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OVERLAP = timedelta(minutes=10)
YOUNG = Validity(NOW - 10 * DAY, NOW + 80 * DAY)
OLD = Validity(NOW - 70 * DAY, NOW + 20 * DAY)
DEAD = Validity(NOW - 90 * DAY, NOW - DAY)


@pytest.mark.parametrize(
    ("current", "following", "signs_from", "expected"),
    [
        pytest.param(None, None, None, RotationPlan(Step.MAKE), id="nothing-there"),
        pytest.param(DEAD, None, None, RotationPlan(Step.MAKE), id="expired"),
        pytest.param(DEAD, DEAD, None, RotationPlan(Step.MAKE), id="both-expired"),
        pytest.param(
            YOUNG, None, None, RotationPlan(Step.KEEP, YOUNG.not_before + 60 * DAY), id="young"
        ),
        pytest.param(OLD, None, None, RotationPlan(Step.ANNOUNCE), id="old"),
        pytest.param(OLD, DEAD, None, RotationPlan(Step.ANNOUNCE), id="follower-expired"),
        pytest.param(OLD, YOUNG, None, RotationPlan(Step.KEEP), id="follower-unpublished"),
        pytest.param(
            OLD, YOUNG, NOW + OVERLAP, RotationPlan(Step.KEEP, NOW + OVERLAP), id="in-overlap"
        ),
        pytest.param(OLD, YOUNG, NOW, RotationPlan(Step.SWITCH), id="overlap-over"),
        pytest.param(DEAD, YOUNG, NOW + OVERLAP, RotationPlan(Step.KEEP, NOW + OVERLAP), id="late"),
        pytest.param(None, YOUNG, NOW, RotationPlan(Step.SWITCH), id="follower-alone"),
    ],
)
def test_each_state_has_one_next_step(
    current: Validity | None,
    following: Validity | None,
    signs_from: datetime | None,
    expected: RotationPlan,
) -> None:
    """Made, announced, published, switched: one write at a time, and killed anywhere it goes on."""
    found = plan_rotation(
        current=current,
        following=following,
        following_signs_from=signs_from,
        lifetime=DAY,
        overlap=OVERLAP,
        now=NOW,
    )
    assert found == expected


def test_a_short_lived_authority_is_replaced_before_it_cuts_lifetimes() -> None:
    """Two thirds of a short life can be too late for certificates that live half as long."""
    authority = Validity(NOW, NOW + 4 * DAY)
    found = replacement_time(authority, lifetime=2 * DAY, overlap=OVERLAP)
    assert found == NOW + 2 * DAY - OVERLAP


@settings(max_examples=60, deadline=None)
@given(
    lifetime_hours=st.integers(1, 72),
    overlap_minutes=st.integers(0, 300),
    lives=st.floats(2, 12),
    pauses=st.lists(st.integers(0, 48), max_size=60),
)
def test_certificates_live_their_full_time_and_are_trusted_throughout(
    lifetime_hours: int, overlap_minutes: int, lives: float, pauses: list[int]
) -> None:
    """Whatever the settings allow, and though the hub always looks a little late."""
    lifetime, overlap = timedelta(hours=lifetime_hours), timedelta(minutes=overlap_minutes)
    life = lives * (lifetime + overlap)
    now, made = NOW, 0
    late = min(lifetime, overlap) / 50
    current = following = None
    entries = ()
    published: list[tuple[datetime, frozenset[str]]] = []
    for pause in [*pauses, *[0] * 30]:
        for _ in range(4):  # as many passes as a look can take
            known = {entry.anchor.fingerprint: entry for entry in entries}
            plan = plan_rotation(
                current=current and current[1],
                following=following and following[1],
                following_signs_from=known[following[0]].signs_from
                if following and following[0] in known
                else None,
                lifetime=lifetime,
                overlap=overlap,
                now=now,
            )
            fresh = (f"a{made}", Validity(now, now + life))
            match plan.step:
                case Step.MAKE:
                    current, following, made = fresh, None, made + 1
                case Step.ANNOUNCE:
                    following, made = fresh, made + 1
                case Step.SWITCH:
                    current, following = following, None
            assert current is not None
            entries = plan_bundle(
                entries,
                signing=Anchor(current[0], current[1].not_after),
                announced=[Anchor(following[0], following[1].not_after)] if following else [],
                lifetime=lifetime,
                overlap=overlap,
                now=now,
            )
            held = frozenset(entry.anchor.fingerprint for entry in entries)
            published.append((now, held))
        signer = next(entry for entry in entries if entry.anchor.fingerprint == current[0])
        assert signer.may_sign(lifetime=lifetime, now=now)
        # Every reader of the last overlap trusts it; it gives full lifetimes but for what was late.
        recent = [held for since, held in published if since > now - overlap]
        assert all(current[0] in held for held in recent)
        assert current[1].not_after - now >= lifetime - 3 * late
        moments = [plan.look_again_at, next_change(entries, now=now)]
        look = min(moment for moment in moments if moment is not None and moment > now)
        now = look + min(timedelta(minutes=pause), late)
    assert made >= 2
    assert len(held) <= 4
