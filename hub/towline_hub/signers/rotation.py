"""When a hub makes the next authority of a signer, and when that takes over. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from towline_certs.validity import Validity


class Step(StrEnum):
    """What to do with the authorities in a Secret."""

    KEEP = "keep"
    MAKE = "make"
    """Make one that is to sign, in place of whatever is there."""
    ANNOUNCE = "announce"
    """Make the one that will follow, and publish it."""
    SWITCH = "switch"
    """Let the following one sign. The key of the former one is not kept."""


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """What to do now, and when to look again.

    Args:
        step: What to do.
        look_again_at: When time alone asks for the next step; None if that is the step's outcome.
    """

    step: Step
    look_again_at: datetime | None = None


def plan_rotation(
    *,
    current: Validity | None,
    following: Validity | None,
    following_signs_from: datetime | None,
    lifetime: timedelta,
    overlap: timedelta,
    now: datetime,
) -> RotationPlan:
    """Return the next step.

    Args:
        current: When the authority that signs is valid; None if there is none.
        following: The same for the one that will follow.
        following_signs_from: When that one has been published long enough; None if it is not
            published yet.
        lifetime: Longest lifetime of the certificates that are issued.
        overlap: How long an authority is published before it signs.
        now: The present.
    """
    if following is not None and following.not_after > now:
        if following_signs_from is not None and following_signs_from <= now:
            return RotationPlan(Step.SWITCH)
        return RotationPlan(Step.KEEP, following_signs_from)
    if current is None or current.not_after <= now:
        return RotationPlan(Step.MAKE)
    due = replacement_time(current, lifetime=lifetime, overlap=overlap)
    return RotationPlan(Step.ANNOUNCE) if due <= now else RotationPlan(Step.KEEP, due)


def replacement_time(authority: Validity, *, lifetime: timedelta, overlap: timedelta) -> datetime:
    """Return when the successor of an authority is made.

    After two thirds of its life, as for certificates: enough is left for a hub that was down. And
    early enough that it can give every certificate its full lifetime for as long as it signs.
    """
    two_thirds = authority.not_before + authority.lifetime * 2 / 3
    return min(two_thirds, authority.not_after - lifetime - overlap)
