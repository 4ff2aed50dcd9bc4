"""How a certificate is earned and kept: the state machine, without a client, a clock or a key.

The shell (`towline_agent.credentials.keeper`) gathers `Facts`, asks `next_step` and carries out the
one action it gets. Between any two actions the process may be killed: what was decided rests in the
store or on the hub, so the next process gathers the same facts and goes on where this one stopped.

::

    nothing usable, or renewal due  -> MakeKey            key and request name are stored
    key stored, no request          -> PostRequest        under a name derived from the key
    request pending                 -> WaitForRequest     posted again if the hub collected it
    request issued                  -> StoreCredential
    request denied, failed, foreign -> DiscardPending     then Pause, then a new key
    credential good, not due        -> UseCredential
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from towline_certs.identities import Subject
from towline_certs.validity import Validity

LONGEST_PAUSE = timedelta(hours=1)
"""Between a request that came to nothing and the next one. What is left of a pause is never more,
unless the clock was set back since; then the pause counts as over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOrder:
    """What a certificate is asked for: all that its request says, except the key.

    Args:
        name_prefix: The request's name is this plus a digest of the key.
        signer: Who is asked to sign.
        subject: Whom the certificate is to name.
        labels: Labels of the request; hubs sort requests by them.
        dns_names: DNS names of the request.
        lifetime: The lifetime to ask for; None leaves it to the signer.
    """

    name_prefix: str
    signer: str
    subject: Subject
    labels: Mapping[str, str]
    dns_names: tuple[str, ...] = ()
    lifetime: timedelta | None = None


# What rests in the store beside the credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A key that was made, and the name of the request that is or will be posted for it.

    Args:
        request_name: Name of the CertificateSigningRequest, derived from the key.
        key_pem: The private key.
        subject: Whom the request names.
        created: When the key was made.
        failures: How many requests in a row came to nothing before this one.
        hub: URL of the hub that is asked; None in records of older versions.
    """

    request_name: str
    key_pem: bytes = field(repr=False)
    subject: Subject
    created: datetime
    failures: int = 0
    hub: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The last request came to nothing; no new one before `until`.

    It is stored, so that a process that keeps being restarted does not ask any faster. `hub` is
    the one that refused.
    """

    until: datetime
    failures: int
    reason: str
    subject: Subject
    hub: str | None = None


Progress = Pending | Paused


def progress_at(progress: Progress | None, *, hub: str) -> Progress | None:
    """Return what a record of some hub means at this one.

    A key under way goes along: its request has a name of its own everywhere, and a cluster that
    moves to and fro makes no heap of requests anywhere. What one hub refused, another may grant.
    """
    if progress is None or progress.hub in (None, hub):
        return progress
    return replace(progress, hub=hub) if isinstance(progress, Pending) else None


# The credential at hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """A credential that is valid now and names whom it should."""

    renew_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Unusable:
    """What is stored cannot be used.

    Args:
        reason: Why, in words for an operator.
        ended: When it was valid, if all that is wrong with it is that this is over.
    """

    reason: str
    ended: Validity | None = None


@dataclass(frozen=True, slots=True)
class NothingStored:
    """No credential was ever stored."""


Holding = Usable | Unusable | NothingStored


def is_overdue(holding: Holding, *, now: datetime) -> bool:
    """Return whether half of the time to renew a credential is over; then it is an operator's."""
    if not isinstance(holding, Usable):
        return False
    return now >= holding.renew_at + (holding.expires_at - holding.renew_at) / 2


# The request on the hub


@dataclass(frozen=True, slots=True)
class NotLookedUp:
    """This process has not asked the hub yet."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The hub has no such request: it was not posted yet, or was garbage-collected."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The request is there; it waits for its approval or, once approved, for its signer."""

    approved: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """The certificate is there and was found to match its key, subject and time."""

    certificate_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dead:
    """The request will never yield a usable certificate.

    Args:
        reason: CamelCase, for conditions and logs: `Denied`, `Failed`, `Mismatch`, `NotOurs`,
            `Refused`.
        message: Names the request, what was found and why.
    """

    reason: str
    message: str


Request = NotLookedUp | Absent | Waiting | Issued | Dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the next step depends on."""

    order: CertificateOrder
    holding: Holding
    progress: Progress | None
    request: Request
    now: datetime


# What to do next


@dataclass(frozen=True, slots=True)
class UseCredential:
    """Nothing to do until the renewal is due."""

    until: datetime


@dataclass(frozen=True, slots=True)
class MakeKey:
    """Make a key and store it with its request's name, before anything is posted."""

    reason: str
    failures: int = 0


@dataclass(frozen=True, slots=True)
class LookUpRequest:
    """See what became of the request: another process may have posted it."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class PostRequest:
    """Post the request for the stored key under its name."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class WaitForRequest:
    """Wait until the request changes on the hub."""

    pending: Pending
    approved: bool
    note: str


@dataclass(frozen=True, slots=True)
class StoreCredential:
    """Store key and certificate together, then forget the pending key."""

    pending: Pending
    certificate_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DiscardPending:
    """Give up on this key and its request; pause before the next."""

    reason: str
    message: str
    failures: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Ask for nothing before `until`."""

    until: datetime
    reason: str


Step = (
    UseCredential
    | MakeKey
    | LookUpRequest
    | PostRequest
    | WaitForRequest
    | StoreCredential
    | DiscardPending
    | Pause
)


def next_step(facts: Facts) -> Step:
    """Return the one thing to do now.

    A pending key is always seen through to its end before another is made, whatever is held: that
    is what keeps requests from piling up.
    """
    if isinstance(facts.progress, Pending):
        return _see_through(facts.progress, facts)
    if isinstance(facts.holding, Usable) and facts.now < facts.holding.renew_at:
        return UseCredential(facts.holding.renew_at)
    failures = 0
    if isinstance(facts.progress, Paused):
        left = facts.progress.until - facts.now
        if timedelta() < left <= LONGEST_PAUSE:
            return Pause(facts.progress.until, facts.progress.reason)
        failures = facts.progress.failures
    return MakeKey(_why_a_key(facts.holding), failures=failures)


def _see_through(pending: Pending, facts: Facts) -> Step:
    if pending.subject != facts.order.subject:
        message = (
            f"request {pending.request_name} asks for user {pending.subject.common_name!r}, but "
            f"{facts.order.subject.common_name!r} is wanted now; discarding it"
        )
        return DiscardPending("SubjectChanged", message, failures=0)
    match facts.request:
        case NotLookedUp():
            return LookUpRequest(pending)
        case Absent():
            return PostRequest(pending)
        case Waiting(approved=approved, note=note):
            return WaitForRequest(pending, approved=approved, note=note)
        case Issued(certificate_pem=certificate_pem):
            return StoreCredential(pending, certificate_pem)
        case Dead(reason=reason, message=message):
            return DiscardPending(reason, message, failures=pending.failures + 1)
        case _:
            assert_never(facts.request)


def _why_a_key(holding: Holding) -> str:
    match holding:
        case Usable():
            return "renewal is due"
        case Unusable(reason=reason):
            return reason
        case NothingStored():
            return "nothing is stored yet"
        case _:
            assert_never(holding)
