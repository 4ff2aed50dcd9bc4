"""What a CA bundle holds: decided by table, and by histories of authorities nobody thought of."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from towline_hub.signers.bundle import SETTLING, Anchor, Entry, next_change, plan_bundle

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OVERLAP = timedelta(minutes=10)
OLD = Anchor("old", NOW + 100 * DAY)
NEW = Anchor("new", NOW + 200 * DAY)


def plan(*entries, signing=OLD, announced=(), lifetime=DAY, overlap=OVERLAP, now=NOW):
    return plan_bundle(
        entries, signing=signing, announced=announced, lifetime=lifetime, overlap=overlap, now=now
    )


def test_the_first_authority_signs_at_once():
    """Nobody can rely on an earlier bundle."""
    assert plan() == (Entry(OLD, NOW, longest=DAY),)


def test_a_replaced_authority_stays_until_its_last_certificate_has_ended():
    """And the new one waits until those who check certificates have loaded it."""
    assert plan(Entry(OLD, NOW - DAY, longest=DAY), signing=NEW) == (
        Entry(NEW, NOW + OVERLAP, longest=DAY),
        Entry(OLD, NOW - DAY, longest=DAY, needed_until=NOW + DAY + SETTLING),
    )


def test_an_announced_authority_signs_at_once_when_its_time_has_come():
    """That is what announcing is for."""
    (old, new) = sorted(
        plan(Entry(OLD, NOW, longest=DAY), announced=[NEW]), key=lambda entry: entry.longest
    )[::-1]
    assert (new.anchor, new.signs_from, new.longest) == (NEW, NOW + OVERLAP, timedelta())
    (first, former) = plan(old, new, signing=NEW, now=NOW + HOUR)
    assert first.may_sign(lifetime=DAY, now=NOW + HOUR)
    assert former.needed_until == NOW + HOUR + DAY + SETTLING


def test_nothing_changes_at_rest():
    """What is planned from a plan is that plan: zero writes."""
    entries = plan(
        Entry(OLD, NOW - DAY, longest=DAY), signing=NEW, announced=[Anchor("x", NOW + DAY)]
    )
    again = plan(*entries, signing=NEW, announced=[Anchor("x", NOW + DAY)], now=NOW + HOUR)
    assert again == entries


def test_a_longer_lifetime_is_published_before_it_is_given():
    """Else the bundle could forget an authority too early."""
    entry = Entry(OLD, NOW - DAY, longest=HOUR)
    assert not entry.may_sign(lifetime=DAY, now=NOW)
    assert plan(entry)[0].may_sign(lifetime=DAY, now=NOW)


def test_a_shorter_lifetime_does_not_shorten_what_was_given():
    """Certificates of the longer one are out there."""
    (kept,) = plan(Entry(OLD, NOW - DAY, longest=30 * DAY), lifetime=HOUR)
    assert kept.longest == 30 * DAY


def test_no_certificate_outlives_its_authority():
    """So neither does the need for it."""
    ending = Anchor("ending", NOW + HOUR)
    former = plan(Entry(ending, NOW - DAY, longest=DAY), signing=NEW)[1]
    assert former.needed_until == NOW + HOUR


def test_a_withdrawn_announcement_is_forgotten():
    """It never signed, so nobody needs it."""
    assert plan(Entry(OLD, NOW, longest=DAY), Entry(NEW, NOW + OVERLAP)) == (
        Entry(OLD, NOW, longest=DAY),
    )


def test_a_former_authority_that_comes_back_is_in_use_again():
    """An operator who rolls back does not wait: everybody still trusts it."""
    back = plan(Entry(OLD, NOW - DAY, longest=DAY, needed_until=NOW + HOUR))
    assert back == (Entry(OLD, NOW - DAY, longest=DAY),)


def test_what_nobody_needs_any_more_goes():
    """A bundle holds no more trust than it has to."""
    entries = (
        Entry(OLD, NOW - DAY, longest=DAY),
        Entry(NEW, NOW - DAY, longest=DAY, needed_until=NOW - HOUR),
        Entry(Anchor("dead", NOW - HOUR), NOW - DAY, longest=DAY),
    )
    assert plan(*entries) == entries[:1]


def test_nobody_is_former_while_no_authority_can_be_read():
    """A Secret that somebody is repairing must not start the end of what it held."""
    entry = Entry(OLD, NOW - DAY, longest=DAY)
    assert plan(entry, signing=None) == (entry,)
    assert plan(entry, signing=Anchor("dead", NOW - HOUR)) == (entry,)
    assert plan(signing=Anchor("dead", NOW - HOUR)) == ()


def test_the_next_change_is_known():
    """Nothing is polled."""
    entries = plan(Entry(OLD, NOW - DAY, longest=DAY), signing=NEW)
    assert next_change(entries, now=NOW) == NOW + OVERLAP
    assert next_change(entries, now=NOW + HOUR) == NOW + DAY + SETTLING
    assert next_change((), now=NOW) is None


@dataclass
class History:
    """A signer through time: what it published, what it issued, and under what."""

    overlap: timedelta
    now: datetime = NOW
    lifetime: timedelta = DAY
    signing: Anchor | None = None
    announced: list[Anchor] = field(default_factory=list)
    entries: tuple[Entry, ...] = ()
    published: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)
    issued: list[tuple[datetime, datetime, str]] = field(default_factory=list)

    def look(self) -> None:
        """One pass of the hub."""
        self.entries = plan_bundle(
            self.entries,
            signing=self.signing,
            announced=self.announced,
            lifetime=self.lifetime,
            overlap=self.overlap,
            now=self.now,
        )
        held = frozenset(entry.anchor.fingerprint for entry in self.entries)
        if not self.published or self.published[-1][1] != held:
            self.published.append((self.now, held))

    def sign(self) -> None:
        """Issue a certificate if that is allowed."""
        if self.signing is None or self.signing.not_after <= self.now:
            return
        for entry in self.entries:
            if entry.anchor == self.signing and entry.may_sign(
                lifetime=self.lifetime, now=self.now
            ):
                ends = min(self.now + self.lifetime, self.signing.not_after)
                self.issued.append((self.now, ends, self.signing.fingerprint))

    def check(self) -> None:
        """Every reader of a bundle no older than the overlap accepts what is valid now."""
        for since, ends, fingerprint in self.issued:
            if ends < self.now:
                continue
            for begun, over, held in self.versions():
                is_in_use = over > self.now - self.overlap
                # Where no authority was alive there was nobody whose certificate worked.
                was_of_use = any(ENDS[other] >= since for other in held)
                if is_in_use and begun <= self.now and was_of_use:
                    assert fingerprint in held, (since, ends, fingerprint, begun, over)

    def versions(self):
        """Yield each version of the bundle, from when to when it was the current one."""
        for number, (begun, held) in enumerate(self.published):
            later = self.published[number + 1 :]
            yield begun, (later[0][0] if later else datetime.max.replace(tzinfo=UTC)), held


STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 40_000)),
    st.tuples(st.just("replace"), st.integers(0, 5)),
    st.tuples(st.just("announce"), st.integers(0, 5)),
    st.tuples(st.just("lifetime"), st.integers(1, 48)),
    st.tuples(st.just("break"), st.just(0)),
)
ANCHORS = [Anchor(f"a{number}", NOW + number * 10 * DAY + HOUR) for number in range(6)]
ENDS = {anchor.fingerprint: anchor.not_after for anchor in ANCHORS}


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=40), st.integers(0, 7200))
def test_whoever_reads_the_bundle_once_in_each_overlap_accepts_every_valid_certificate(
    steps: list[tuple[str, int]], overlap: int
) -> None:
    """Whatever operators do to the Secret, in whatever order, and however long the hub was down."""
    history = History(timedelta(seconds=overlap))
    for what, number in steps:
        if what == "wait":
            history.now += timedelta(seconds=number)
        elif what == "replace":
            history.signing = ANCHORS[number]
        elif what == "announce":
            history.announced = [ANCHORS[number]]
        elif what == "lifetime":
            history.lifetime = timedelta(hours=number)
        else:
            history.signing = None
        history.look()
        assert (
            plan_bundle(
                history.entries,
                signing=history.signing,
                announced=history.announced,
                lifetime=history.lifetime,
                overlap=history.overlap,
                now=history.now,
            )
            == history.entries
        )
        history.sign()
        history.check()
        following = next_change(history.entries, now=history.now)
        assert following is None or following > history.now
