"""Which hub to be at, and when to leave it for another: decisions, without a client or a clock.

An agent knows one bootstrap kubeconfig or several, in an order. It is at one hub at a time and
stays there until that hub turns it away or cannot be reached, as OCM's agents with MultipleHubs do;
an earlier hub that comes back is no reason to move again. A hub that no bootstrap kubeconfig names
any more is left as well: that is how an operator moves a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from towline_agent.credentials.state import Standing

DEFAULT_TIMEOUT = timedelta(minutes=10)
"""How long a hub may be silent before another one is tried, as in OCM."""
BOOTSTRAP_PATIENCE = timedelta(seconds=30)
"""How long asking may fail while there is no credential at all; API servers that start refuse good
tokens for moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the store says about hubs.

    Args:
        hub: URL of the hub that issued the stored credential; None if there is none, or if the way
            to that hub is not known.
        is_usable: Whether that credential is good now.
        asked_hub: URL of the hub that the request under way was made at.
    """

    hub: str | None = None
    is_usable: bool = False
    asked_hub: str | None = None


def first_hub(listed: Sequence[str], kept: Kept) -> str | None:
    """Return the URL of the hub to begin at; None if there is no way to any.

    Args:
        listed: Hubs of the bootstrap kubeconfigs that can be read, in their order.
        kept: What the store says.
    """
    if kept.hub is not None and kept.is_usable:
        # Also where it is to be left: not before the next hub has taken us.
        return kept.hub
    for known in (kept.asked_hub, kept.hub):
        if known in listed:
            return known
    return listed[0] if listed else kept.hub


class Reason(StrEnum):
    """Why a hub is left."""

    NOT_LISTED = "NotListed"
    """No bootstrap kubeconfig names it any more."""
    DENIED = "Denied"
    DELETED = "Deleted"
    NO_CREDENTIAL = "NoCredential"
    """There is no usable credential for it, and its bootstrap kubeconfig earns none."""
    SILENT = "Silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What is known of a stay at a hub.

    Args:
        hub: URL of the hub.
        listed: Hubs of the bootstrap kubeconfigs that can be read, in their order.
        holds_credential: Whether there is a usable credential.
        standing: What the hub was last seen to say.
        failing_for: For how long asking for a certificate has failed; None if it does not.
        trouble: How it fails.
        silent_for: How long ago the hub answered anything last.
    """

    hub: str
    listed: tuple[str, ...]
    holds_credential: bool
    standing: Standing
    failing_for: timedelta | None = None
    trouble: str = ""
    silent_for: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Departure:
    """A hub is to be left.

    Args:
        reason: Why.
        message: The same for people.
        targets: Where to go, in the order to be tried.
    """

    reason: Reason
    message: str
    targets: tuple[str, ...]


def find_departure(stay: Stay, *, timeout: timedelta = DEFAULT_TIMEOUT) -> Departure | None:
    """Return why a hub is to be left and where to go; None while it is to be stayed at.

    Args:
        stay: What is known.
        timeout: How long a hub may be silent.
    """
    targets = tuple(hub for hub in dict.fromkeys(stay.listed) if hub != stay.hub)
    if not targets:
        return None
    found = _find_reason(stay, timeout=timeout)
    return None if found is None else Departure(*found, targets)


def _find_reason(stay: Stay, *, timeout: timedelta) -> tuple[Reason, str] | None:
    if stay.hub not in stay.listed:
        return Reason.NOT_LISTED, "the bootstrap kubeconfig names another hub"
    if stay.standing is Standing.DENIED:
        return Reason.DENIED, "the hub does not accept the cluster"
    if stay.standing is Standing.GONE:
        return Reason.DELETED, "the cluster was deleted on the hub"
    if (
        not stay.holds_credential
        and stay.failing_for is not None
        and stay.failing_for >= min(BOOTSTRAP_PATIENCE, timeout)
    ):
        return Reason.NO_CREDENTIAL, f"no certificate can be asked for: {stay.trouble}"
    if stay.silent_for >= timeout:
        return Reason.SILENT, f"the hub has not answered for {timeout.total_seconds():g} s"
    return None
