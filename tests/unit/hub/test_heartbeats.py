"""Who is alive, judged by what the hub saw and when."""

from towline_hub.clusters.heartbeats import Heartbeats, Sighting

GRACE = 300.0


def _see(
    beats: Heartbeats, renew_time: str, *, at: float, uid: str = "u1", dead: bool = False
) -> Sighting:
    return beats.see(
        "c1", lease_uid=uid, renew_time=renew_time, at=at, grace=GRACE, presumed_dead=dead
    )


def test_a_cluster_that_stops_renewing_is_late_after_the_grace_period() -> None:
    """Not a moment before: every false alarm costs trust."""
    beats = Heartbeats()
    _see(beats, "t0", at=0.0)
    assert _see(beats, "t1", at=60.0) is Sighting.RENEWED
    assert beats.pop_late(359.9) == []
    assert beats.is_alive("c1") is True
    assert beats.pop_late(360.0) == ["c1"]
    assert beats.is_alive("c1") is False


def test_seeing_the_same_renewal_again_proves_nothing() -> None:
    """A relist or a changed label brings the lease back without any renewal."""
    beats = Heartbeats()
    _see(beats, "t0", at=0.0)
    assert _see(beats, "t0", at=299.0) is Sighting.UNCHANGED
    assert beats.pop_late(300.0) == ["c1"]


def test_the_first_sight_gives_a_whole_grace_period_whatever_the_lease_says() -> None:
    """A hub that was down for an hour must not declare its whole fleet dead when it starts."""
    beats = Heartbeats()
    assert _see(beats, "an-hour-ago", at=1000.0) is Sighting.FIRST
    assert beats.is_alive("c1") is True
    assert beats.next_deadline() == 1000.0 + GRACE


def test_a_cluster_on_record_as_dead_stays_so_until_it_renews() -> None:
    """Restarting the hub brings nobody back to life."""
    beats = Heartbeats()
    _see(beats, "t0", at=0.0, dead=True)
    assert beats.is_alive("c1") is False
    assert beats.next_deadline() is None
    assert _see(beats, "t1", at=10.0) is Sighting.RENEWED
    assert beats.is_alive("c1") is True


def test_a_lease_made_anew_is_no_renewal() -> None:
    """The hub makes leases too; its own writing must not revive a silent cluster."""
    beats = Heartbeats()
    _see(beats, "t0", at=0.0)
    assert beats.pop_late(GRACE) == ["c1"]
    assert _see(beats, "made-by-the-hub", at=400.0, uid="u2") is Sighting.FIRST
    assert beats.is_alive("c1") is False
    assert _see(beats, "renewed-by-the-agent", at=410.0, uid="u2") is Sighting.RENEWED
    assert beats.is_alive("c1") is True


def test_a_changed_grace_period_counts_from_the_last_renewal() -> None:
    """A shortened lease duration takes effect without waiting for the next renewal."""
    beats = Heartbeats()
    _see(beats, "t0", at=0.0)
    _see(beats, "t1", at=100.0)
    beats.set_grace("c1", 5.0)
    assert beats.next_deadline() == 105.0
    beats.pop_late(105.0)
    beats.set_grace("c1", 1000.0)
    assert beats.is_alive("c1") is False


def test_a_forgotten_cluster_leaves_nothing_behind() -> None:
    """Clusters come and go for years."""
    beats = Heartbeats()
    _see(beats, "t0", at=0.0)
    beats.forget("c1")
    beats.forget("never-there")
    assert len(beats) == 0
    assert beats.next_deadline() is None
    assert beats.is_alive("c1") is None
