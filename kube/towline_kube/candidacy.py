"""Who may lead, decided from a Lease: one candidate's view, without network or clock.

Kubernetes' own components elect their leaders this way, and this follows their conventions: the
holder writes its name and renews; a holder that has not renewed for the Lease's duration has lost
it, and whoever replaces that very version of the object leads. No clock is compared with another
machine's: what counts is how long ago a candidate itself saw the Lease change.

Why two never lead: a holder counts its time from before it asked for a renewal, the others count
the Lease's whole duration from after they saw that renewal. So as long as no clock runs a fifth
faster than another, the holder has stopped, and its last write has ended, before anybody takes
over, whatever is lost, late or repeated in between.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from towline_api.metadata import resource_version_of
from towline_api.resources import LEASES, KubeObject
from towline_api.timestamps import format_micro_time


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """How fast a lost leader is replaced, and how much a leader endures.

    Args:
        duration: How long the others wait for a renewal before they take over; whole seconds.
        renew_deadline: After how long without a renewal a leader stops.
        retry_period: How often it renews.
    """

    duration: timedelta = timedelta(seconds=10)
    renew_deadline: timedelta = timedelta(seconds=6)
    retry_period: timedelta = timedelta(seconds=2)

    def __post_init__(self) -> None:
        if self.duration < timedelta(seconds=1) or self.duration.microseconds:
            raise ValueError(f"a lease lasts whole seconds, at least one; got {self.duration}")
        if not timedelta(0) < self.retry_period < self.renew_deadline < self.duration:
            raise ValueError(
                "leader election needs retry period < renew deadline < lease duration; got "
                f"{self.retry_period}, {self.renew_deadline}, {self.duration}"
            )

    @property
    def writes_end(self) -> timedelta:
        """After how long without a renewal the last write has ended."""
        return (self.renew_deadline + self.duration) / 2


@dataclass(frozen=True, slots=True)
class Claim:
    """What to do: write this Lease.

    Args:
        body: The object; with a resource version it replaces that one, without it is new.
    """

    body: KubeObject

    @property
    def is_new(self) -> bool:
        """Whether there is no Lease yet."""
        return "resourceVersion" not in self.body["metadata"]


@dataclass(frozen=True, slots=True)
class Rest:
    """What to do: nothing before `until`, unless the Lease changes.

    Args:
        until: A reading of the candidate's own clock, in seconds.
    """

    until: float


class Candidate:
    """What one process knows of the Lease, and what follows from it.

    Readings are seconds of this process's own clock, one that never goes back.

    Args:
        identity: Names this process, and no other one, ever.
        name: Name of the Lease.
        namespace: Its namespace.
        times: The same for all candidates, or nearly.
        roll: Source of chance: numbers from 0 up to 1.
    """

    def __init__(
        self,
        identity: str,
        *,
        name: str,
        namespace: str,
        times: LeaseTimes,
        roll: Callable[[], float],
    ) -> None:
        self.identity = identity
        self._key = {"name": name, "namespace": namespace}
        self._times = times
        self._roll = roll
        self._lease: KubeObject | None = None
        self._seen_at = float("-inf")
        """When the lease was first seen as it is."""
        self._patience = times.duration
        """How long it has to stay like that before it can be taken."""
        self._sent: float | None = None
        """When the last renewal that succeeded was sent."""
        self._next_try = float("-inf")

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as known; empty for nobody."""
        return str(_spec(self._lease).get("holderIdentity") or "")

    @property
    def leads_until(self) -> float:
        """Until which reading this process leads; minus infinity if it does not."""
        if self._sent is None or self.holder != self.identity:
            return float("-inf")
        return self._sent + self._times.renew_deadline.total_seconds()

    @property
    def writes_end(self) -> float:
        """By which reading the last write of this leader has to have ended."""
        if self._sent is None or self.holder != self.identity:
            return float("-inf")
        return self._sent + self._times.writes_end.total_seconds()

    def see(self, lease: KubeObject | None, *, at: float) -> None:
        """Take in the Lease as somebody else may have left it.

        Args:
            lease: The object; None if there is none.
            at: The present.
        """
        if lease is not None and self._lease is not None and not _is_newer(lease, self._lease):
            return
        if lease is None and self._lease is None:
            return
        before, self._lease = self._lease, lease
        self._seen_at = at
        self._next_try = at
        promised = _spec(lease or before).get("leaseDurationSeconds")
        duration = self._times.duration
        if isinstance(promised, int):
            duration = timedelta(seconds=promised)
        # All who wait see the same moment come; spread out, one of them takes it undisturbed.
        self._patience = duration + self._times.retry_period * self._roll() / 2
        if self.holder != self.identity:
            self._sent = None

    def plan(self, *, at: float, now: datetime) -> Claim | Rest:
        """Return what to do next.

        Args:
            at: The present, on this process's own clock.
            now: The present as people tell it, for the Lease's readers.
        """
        due = max(self._free_at(), self._next_try)
        return Claim(self._claim(now)) if at >= due else Rest(due)

    def claimed(self, lease: KubeObject, *, sent: float, at: float) -> None:
        """Note that a claim of ours was granted.

        Args:
            lease: As the server stored it.
            sent: Reading from before the claim was sent.
            at: The present.
        """
        if self._lease is not None and _is_newer(self._lease, lease):
            return  # a watch was faster than the answer, and told what became of it
        self._lease, self._seen_at, self._sent = lease, at, sent
        self._next_try = sent + self._times.retry_period.total_seconds()

    def failed(self, *, at: float) -> None:
        """Note that a claim, or a look at the Lease, got no usable answer."""
        share = 0.5 + self._roll() / 2
        # Half a period: a leader has a few tries before its time is over.
        self._next_try = at + self._times.retry_period.total_seconds() * share / 2

    def release(self, *, now: datetime) -> Claim | None:
        """Return how to give the Lease up so that another leads at once; None if it is not ours."""
        if self.holder != self.identity or self._lease is None:
            return None
        body = copy.deepcopy(self._lease)
        spec = body["spec"]
        del spec["holderIdentity"]
        # As Kubernetes' components leave it: whoever only looks at the times finds it over, too.
        spec |= {"leaseDurationSeconds": 1, "renewTime": format_micro_time(now)}
        return Claim(body)

    def released(self, lease: KubeObject, *, at: float) -> None:
        """Note that the Lease was given up."""
        self._lease, self._seen_at, self._sent = lease, at, None

    def _free_at(self) -> float:
        """Return from when on the Lease is ours to write."""
        if self._lease is not None and self.holder in ("", self.identity):
            return float("-inf")
        if self._lease is None and self._seen_at == float("-inf"):
            return float("-inf")  # nobody has ever led, as far as we know
        # Also when somebody has deleted the object: its holder does not know yet.
        return self._seen_at + self._patience.total_seconds()

    def _claim(self, now: datetime) -> KubeObject:
        instant = format_micro_time(now)
        spec = dict(_spec(self._lease))
        held = self.holder == self.identity
        spec |= {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self._times.duration.total_seconds()),
            "acquireTime": spec.get("acquireTime") if held else instant,
            "renewTime": instant,
            "leaseTransitions": _transitions(spec, held=held, is_new=self._lease is None),
        }
        if self._lease is None:
            return {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": dict(self._key),
                "spec": spec,
            }
        return copy.deepcopy(self._lease) | {"spec": spec}


def _spec(lease: KubeObject | None) -> dict[str, Any]:
    found = (lease or {}).get("spec")
    return found if isinstance(found, dict) else {}


def _transitions(spec: dict[str, Any], *, held: bool, is_new: bool) -> int:
    known = spec.get("leaseTransitions")
    count = known if isinstance(known, int) else 0
    return count if held or is_new else count + 1


def _is_newer(lease: KubeObject, than: KubeObject) -> bool:
    """Return whether one state of the Lease came after another.

    An object made anew has another uid, and a version of a later count all the same.
    """
    # Kubernetes has declared resource versions of one kind to be comparable numbers.
    return int(resource_version_of(lease)) > int(resource_version_of(than))
