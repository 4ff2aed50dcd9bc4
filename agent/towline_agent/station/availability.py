"""Whether an add-on is alive, told from the Lease it renews on the managed cluster. No I/O.

An add-on counts as alive until five renewals in a row were missed. What counts is when we *saw* a
renewal, on a clock that never jumps: the time written in the Lease comes from another machine.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from towline_api.condition_types import (
    REASON_ADDON_LEASE_NOT_FOUND,
    REASON_ADDON_LEASE_STOPPED,
    REASON_ADDON_LEASE_UPDATED,
    addon_available_message,
    addon_unavailable_message,
    addon_unknown_message,
)
from towline_api.errors import WireError
from towline_api.metadata import ObjectKey
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time, parse_time

LEASE_DURATION = timedelta(seconds=60)
"""How often an add-on renews its Lease; the duration written in the Lease is not looked at."""
GRACE_PERIOD = 5 * LEASE_DURATION
"""How long an add-on may stay silent: five missed renewals, as everywhere in OCM."""
BENEFIT_OF_DOUBT = 2 * LEASE_DURATION
"""How long a Lease that looks stale at first sight may take to show that a clock was wrong."""
SETTLING_TIME = timedelta(seconds=5)
"""How long a Lease may take to appear after our first look, before its absence is worth telling:
that of an add-on just installed follows its credential and configuration within moments."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The last renewal of a Lease that we saw.

    Args:
        renewed: The time written in it; only compared with what is written there next.
        seen_at: When we saw it, in seconds of the monotonic clock.
    """

    renewed: datetime
    seen_at: float

    @property
    def alive_until(self) -> float:
        """When the add-on counts as gone if no other renewal is seen, on the same clock."""
        return self.seen_at + GRACE_PERIOD.total_seconds()


@dataclass(frozen=True, slots=True)
class Availability:
    """What the condition `Available` of an add-on should say."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


class LeaseLooks:
    """What one look after the other at an add-on's Lease comes to."""

    def __init__(self) -> None:
        self._at: ObjectKey | None = None
        self._since = 0.0
        self._sighting: Sighting | None = None

    def look(
        self,
        lease: KubeObject | None,
        *,
        at: ObjectKey,
        where: str = "the managed cluster",
        now: datetime,
        monotonic: float,
    ) -> tuple[Availability | None, timedelta | None]:
        """Return what to say about the add-on, and for how long that holds if nothing changes.

        There is nothing to say (None) while the Lease may still appear where we have just begun to
        look. The second is None for what holds until something changes.

        Args:
            lease: The Lease as it is now; None if there is none.
            at: Where it belongs; its name is the add-on's.
            where: On which cluster, as messages call it.
            now: The present by the wall clock.
            monotonic: The present by the monotonic clock.
        """
        if at != self._at:
            self._at, self._since, self._sighting = at, monotonic, None
        sighting = look_at(lease, last=self._sighting, now=now, monotonic=monotonic)
        self._sighting = sighting
        settled_at = self._since + SETTLING_TIME.total_seconds()
        until = settled_at if sighting is None else sighting.alive_until
        left = timedelta(seconds=until - monotonic) if monotonic < until else None
        if sighting is None and left is not None:
            return None, left
        says = availability(sighting, addon=at.name, lease=at, where=where, monotonic=monotonic)
        return says, left


def look_at(
    lease: KubeObject | None, *, last: Sighting | None, now: datetime, monotonic: float
) -> Sighting | None:
    """Return the last renewal seen, given the Lease as it is now; None if there is no Lease.

    A Lease never seen before is dated by what is written in it, but within the grace period: one
    from the future was renewed now, and one that looks stale gets `BENEFIT_OF_DOUBT` to be renewed,
    so that a restart of ours does not declare add-ons dead whose clock runs behind.

    Args:
        lease: The Lease; None if there is none.
        last: What the last look returned.
        now: The present by the wall clock, for the first sight only.
        monotonic: The present by the monotonic clock.
    """
    renewed = None if lease is None else _renew_time(lease)
    if renewed is None:
        return None
    if last is None:
        longest = GRACE_PERIOD - BENEFIT_OF_DOUBT
        age = min(max(now - renewed, timedelta(0)), longest)
        return Sighting(renewed, monotonic - age.total_seconds())
    return last if last.renewed == renewed else Sighting(renewed, monotonic)


def availability(
    sighting: Sighting | None,
    *,
    addon: str,
    lease: ObjectKey,
    where: str = "the managed cluster",
    monotonic: float,
) -> Availability:
    """Return what to say about an add-on.

    Args:
        sighting: The last renewal seen; None if there is no Lease that was ever renewed.
        addon: Name of the add-on.
        lease: Where its Lease belongs.
        where: On which cluster, as messages call it.
        monotonic: The present by the monotonic clock.
    """
    every = int(LEASE_DURATION.total_seconds())
    if sighting is None:
        hint = (
            f"There is no renewed Lease {lease.name} in namespace {lease.namespace} of {where}; "
            f"the agent of the add-on renews it there every {every} s while it is healthy."
        )
        return Availability(
            "Unknown", REASON_ADDON_LEASE_NOT_FOUND, f"{addon_unknown_message(addon)} {hint}"
        )
    if monotonic < sighting.alive_until:
        return Availability("True", REASON_ADDON_LEASE_UPDATED, addon_available_message(addon))
    hint = (
        f"Lease {lease.name} in namespace {lease.namespace} of {where} was renewed"
        f" last at {format_time(sighting.renewed)}, and should be every {every} s."
    )
    return Availability(
        "False", REASON_ADDON_LEASE_STOPPED, f"{addon_unavailable_message(addon)} {hint}"
    )


def _renew_time(lease: KubeObject) -> datetime | None:
    """Return when the Lease says it was renewed; None if it does not say, or says no time."""
    spec = lease.get("spec")
    written = spec.get("renewTime") if isinstance(spec, dict) else None
    if not isinstance(written, str):
        return None
    try:
        return parse_time(written, field="spec.renewTime")
    except WireError:
        return None
