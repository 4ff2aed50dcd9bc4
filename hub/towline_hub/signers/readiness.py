"""Whether a signer can sign at present, with what, and if not, why not."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from towline_certs.authority import Authority
from towline_hub.signers.bundle import Entry
from towline_hub.signers.settings import SignerSettings


class Obstacle(StrEnum):
    """What keeps a signer from signing; stands in Events and metrics."""

    NOT_READ = "AuthorityNotRead"
    MISSING = "AuthorityMissing"
    UNUSABLE = "AuthorityUnusable"
    NOT_VALID = "AuthorityNotValid"
    NOT_PUBLISHED_YET = "AuthorityNotPublishedLongEnough"


@dataclass(frozen=True, slots=True)
class Ready:
    """The signer signs.

    Args:
        authority: With this.
    """

    authority: Authority


@dataclass(frozen=True, slots=True)
class NotReady:
    """The signer cannot sign at present.

    Args:
        reason: Which obstacle.
        message: One line for the operator: what is wrong, where, and what to do.
    """

    reason: Obstacle
    message: str


Readiness = Ready | NotReady


def readiness(
    authority: Authority,
    *,
    entry: Entry | None,
    settings: SignerSettings,
    where: str,
    now: datetime,
) -> Readiness:
    """Return whether an authority may sign.

    Args:
        authority: The one that signs, if any does.
        entry: What the published bundle says about its anchor; None if it is not in there.
        settings: Of the signer.
        where: How messages name the Secret.
        now: The present.
    """
    problem = validity_problem(authority, where=where, now=now)
    if problem is not None:
        return problem
    if entry is None or not entry.may_sign(lifetime=settings.lifetime, now=now):
        since = "soon" if entry is None else f"from {entry.signs_from:%Y-%m-%dT%H:%M:%SZ}"
        return NotReady(
            Obstacle.NOT_PUBLISHED_YET,
            f"{where} holds a new authority; it signs {since}, when whoever checks certificates "
            f"had time to load it from ConfigMap {settings.bundle}",
        )
    return Ready(authority)


def validity_problem(authority: Authority, *, where: str, now: datetime) -> NotReady | None:
    """Return what to say about an authority that is not valid now; None if it is.

    Args:
        authority: The authority.
        where: How messages name the Secret.
        now: The present.
    """
    validity = authority.validity
    # At its very last instant it could give no certificate any lifetime.
    if validity.not_before <= now < validity.not_after:
        return None
    return NotReady(
        Obstacle.NOT_VALID,
        f"the authority in {where} is valid from {validity.not_before:%Y-%m-%dT%H:%M:%SZ} to "
        f"{validity.not_after:%Y-%m-%dT%H:%M:%SZ}, not at {now:%Y-%m-%dT%H:%M:%SZ}; replace it",
    )
