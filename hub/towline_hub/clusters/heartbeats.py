"""Which clusters are alive, judged by when this hub saw their leases renewed.

Pure bookkeeping: what was seen goes in, who is late comes out. A lease's own `renewTime` is the
spoke's clock and only ever compared with itself; lateness is measured on the hub's monotonic clock.
"""

from dataclasses import dataclass
from enum import Enum, auto

from towline_hub.clusters.deadlines import Deadlines


class Sighting(Enum):
    """What a look at a lease told."""

    FIRST = auto()
    """It was never seen before, or it is a new object: no proof that an agent renewed it."""
    RENEWED = auto()
    UNCHANGED = auto()


@dataclass(slots=True)
class _Beat:
    lease_uid: str
    renew_time: str
    seen: float
    alive: bool


class Heartbeats:
    """The last heartbeat of each cluster. Instants are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}
        self._deadlines: Deadlines[str] = Deadlines()

    def __len__(self) -> int:
        return len(self._beats)

    def see(
        self,
        cluster: str,
        *,
        lease_uid: str,
        renew_time: str,
        at: float,
        grace: float,
        presumed_dead: bool = False,
    ) -> Sighting:
        """Note how a cluster's lease looks now.

        A lease seen for the first time gives its cluster the whole grace period, since a hub that
        has just started cannot know how long it has been like that. Only a cluster that was
        declared dead before stays dead until a renewal is seen to happen.

        Args:
            cluster: Name of the cluster.
            lease_uid: UID of the lease; a lease made anew is no renewal, for the hub makes them.
            renew_time: What the lease says, compared only with what it said before.
            at: The present.
            grace: Seconds from now by which the next renewal has to be seen.
            presumed_dead: Whether the cluster is on record as having stopped renewing.
        """
        beat = self._beats.get(cluster)
        if beat is None:
            beat = _Beat(lease_uid, renew_time, at, alive=not presumed_dead)
            self._beats[cluster] = beat
            if beat.alive:
                self._deadlines.set(cluster, at + grace)
            return Sighting.FIRST
        if beat.lease_uid != lease_uid:
            beat.lease_uid, beat.renew_time = lease_uid, renew_time
            return Sighting.FIRST
        if beat.renew_time == renew_time:
            return Sighting.UNCHANGED
        beat.renew_time, beat.seen, beat.alive = renew_time, at, True
        self._deadlines.set(cluster, at + grace)
        return Sighting.RENEWED

    def set_grace(self, cluster: str, grace: float) -> None:
        """Hold a living cluster to another grace period, counted from its last renewal."""
        beat = self._beats.get(cluster)
        if beat is not None and beat.alive:
            self._deadlines.set(cluster, beat.seen + grace)

    def declare_dead(self, cluster: str) -> None:
        """Note that a cluster cannot renew its lease any more; an unknown one stays unknown."""
        beat = self._beats.get(cluster)
        if beat is not None:
            beat.alive = False
            self._deadlines.discard(cluster)

    def is_alive(self, cluster: str) -> bool | None:
        """Return whether a cluster is alive; None if its lease was never seen."""
        beat = self._beats.get(cluster)
        return None if beat is None else beat.alive

    def counts(self) -> dict[str, int]:
        """Return how many clusters are renewed in time, and how many have stopped."""
        alive = sum(beat.alive for beat in self._beats.values())
        return {"renewed": alive, "stopped": len(self._beats) - alive}

    def forget(self, cluster: str) -> None:
        """Drop what is known about a cluster."""
        self._beats.pop(cluster, None)
        self._deadlines.discard(cluster)

    def next_deadline(self) -> float | None:
        """Return when the next cluster will be late, or None if none can be."""
        return self._deadlines.next()

    def pop_late(self, at: float) -> list[str]:
        """Declare dead, and return, the clusters whose renewal is overdue."""
        late = self._deadlines.pop_due(at)
        for cluster in late:
            self._beats[cluster].alive = False
        return late
