"""When authorities that the hub makes follow each other: by table, and over years."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline_certs.validity import Validity
from towline_hub.signers.bundle import Anchor, Entry, next_change, plan_bundle
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


@dataclass
class Life:
    """An authority that the hub makes and rotates, through years."""

    lifetime: timedelta
    overlap: timedelta
    life: timedelta
    now: datetime = NOW
    made: int = 0
    current: tuple[str, Validity] | None = None
    following: tuple[str, Validity] | None = None
    entries: tuple[Entry, ...] = ()
    published: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)

    def look(self) -> datetime:
        """Make one pass of the hub; return when it looks again."""
        known = {entry.anchor.fingerprint: entry.signs_from for entry in self.entries}
        plan = plan_rotation(
            current=self.current[1] if self.current else None,
            following=self.following[1] if self.following else None,
            following_signs_from=known.get(self.following[0]) if self.following else None,
            lifetime=self.lifetime,
            overlap=self.overlap,
            now=self.now,
        )
        match plan.step:
            case Step.MAKE:
                self.current, self.following = self.fresh(), None
            case Step.ANNOUNCE:
                self.following = self.fresh()
            case Step.SWITCH:
                self.current, self.following = self.following, None
        self.entries = plan_bundle(
            self.entries,
            signing=anchor(self.current) if self.current else None,
            announced=[anchor(self.following)] if self.following else [],
            lifetime=self.lifetime,
            overlap=self.overlap,
            now=self.now,
        )
        held = frozenset(entry.anchor.fingerprint for entry in self.entries)
        self.published.append((self.now, held))
        moments = (plan.look_again_at, next_change(self.entries, now=self.now))
        return min(moment for moment in moments if moment is not None and moment > self.now)

    def fresh(self) -> tuple[str, Validity]:
        """Return a new authority."""
        self.made += 1
        return f"a{self.made}", Validity(self.now, self.now + self.life)

    def check(self, *, late: timedelta) -> None:
        """Every reader of the last overlap trusts who signs, and lifetimes are whole."""
        assert self.current is not None
        name, validity = self.current
        (entry,) = (each for each in self.entries if each.anchor.fingerprint == name)
        assert entry.may_sign(lifetime=self.lifetime, now=self.now)
        recent = [held for since, held in self.published if since > self.now - self.overlap]
        assert all(name in held for held in recent)
        assert validity.not_after - self.now >= self.lifetime - 3 * late
        assert len(self.entries) <= 4


def anchor(authority: tuple[str, Validity]) -> Anchor:
    return Anchor(authority[0], authority[1].not_after)


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
    life = Life(lifetime, overlap, lives * (lifetime + overlap))
    late = min(lifetime, overlap) / 50
    for pause in [*pauses, *[0] * 30]:
        for _ in range(3):  # a step is seen by the next pass, which its own write causes
            life.look()
        again = life.look()
        life.check(late=late)
        life.now = again + min(timedelta(minutes=pause), late)
    assert life.made >= 2
