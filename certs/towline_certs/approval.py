"""The words of an approval: the facts behind it, the reasons it gives, the decision it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from towline_certs.errors import RequestProblem
from towline_certs.flood import DEFAULT_LIMITS, NO_TRAFFIC, FloodLimits, Traffic
from towline_certs.identities import Identity, Subject
from towline_certs.keys import KeyKind

SHORTEST_LIFETIME = timedelta(minutes=10)
"""Kubernetes takes no shorter `expirationSeconds`."""
LONGEST_LIFETIME = timedelta(days=366)
"""The signer of kube-controller-manager gives a year by default; nobody needs to ask for more."""


class Reason(StrEnum):
    """Why a request was approved, denied or left alone; stands on the request, so never renamed."""

    # approved
    CLUSTER_RENEWAL = "ClusterRenewsOwnIdentity"
    CLUSTER_BOOTSTRAP = "ClusterBootstrapAllowed"
    BOUND_BOOTSTRAP = "ClusterBoundIdentityAllowed"
    OPERATOR_ACCEPTED = "OperatorAcceptedCluster"
    ADDON_REGISTERED = "AddonRegistered"

    # denied: the request itself
    NOT_BASE64 = "RequestNotBase64"
    TOO_LARGE = RequestProblem.TOO_LARGE.value
    NOT_PEM = RequestProblem.NOT_PEM.value
    SEVERAL_BLOCKS = RequestProblem.SEVERAL_BLOCKS.value
    WRONG_BLOCK = RequestProblem.WRONG_BLOCK.value
    MALFORMED = RequestProblem.MALFORMED.value
    UNSUPPORTED_KEY = RequestProblem.UNSUPPORTED_KEY.value
    UNSUPPORTED_NAME = RequestProblem.UNSUPPORTED_NAME.value
    POSSESSION_NOT_PROVEN = "PossessionNotProven"
    SUBJECT_NOT_PLAIN = "SubjectNotPlain"
    KEY_NOT_ALLOWED = "KeyNotAllowed"
    USAGES_NOT_ALLOWED = "UsagesNotAllowed"
    ASKS_FOR_AUTHORITY = "AsksForAuthority"
    EXTENSION_NOT_ALLOWED = "ExtensionNotAllowed"
    LIFETIME_OUT_OF_BOUNDS = "LifetimeOutOfBounds"
    NAMES_NOT_ALLOWED = "AlternativeNamesNotAllowed"

    # denied: who asks for what
    LABEL_NOT_A_NAME = "LabelNotAName"
    SUBJECT_NOT_AN_IDENTITY = "SubjectNotAnIdentity"
    SUBJECT_OF_ANOTHER = "SubjectOfAnother"
    REQUESTER_NOT_ENTITLED = "RequesterNotEntitled"
    OLDER_THAN_REMOVAL = "RequestOlderThanRemoval"
    DENIED_BY_CHECK = "DeniedByCheck"

    # left alone
    ALREADY_DECIDED = "AlreadyDecided"
    NOT_OURS = "NotOurs"
    NO_CLUSTER_LABEL = "NoClusterLabel"
    SIGNER_NOT_SERVED = "SignerNotServed"
    TOO_MANY_PENDING = "TooManyPending"
    TOO_MANY_PER_HOUR = "TooManyPerHour"
    WAITING_FOR_OPERATOR = "WaitingForOperator"
    WAITING_FOR_ACCESS_REVIEW = "WaitingForAccessReview"
    RENEWAL_NOT_ALLOWED = "RenewalNotAllowed"
    CLUSTER_NOT_FOUND = "ClusterNotFound"
    CLUSTER_NOT_ACCEPTED = "ClusterNotAccepted"
    CLUSTER_DELETING = "ClusterDeleting"
    ADDON_NOT_FOUND = "AddonNotFound"
    NOT_REGISTERED = "NotRegistered"
    REGISTRATION_NOT_SERVED = "RegistrationNotServed"
    REQUESTER_UNKNOWN = "RequesterUnknown"
    LEFT_ALONE_BY_CHECK = "LeftAloneByCheck"
    CHECK_FAILED = "CheckFailed"


ADMITTING_REASONS = frozenset({Reason.CLUSTER_BOOTSTRAP, Reason.BOUND_BOOTSTRAP})
"""Approvals that bring a cluster in without a person, so that it has to be accepted as well."""


@dataclass(frozen=True, slots=True)
class BootstrapPolicy:
    """Whose bootstrap requests are approved without a person. Compared exactly; default: nobody.

    Args:
        users: User names.
        groups: Groups; a requester in any of them qualifies.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ManualApproval:
    """What a person has to look at, however right it is. By default nothing.

    Args:
        clusters: Clusters whose own requests, renewals among them, wait for a person.
        addons: Add-ons whose requests do: by name on every cluster, as `cluster/name` on one.
        requesters: If there are any, everybody's requests wait but theirs. User names, compared
            exactly.
    """

    clusters: frozenset[str] = frozenset()
    addons: frozenset[str] = frozenset()
    requesters: frozenset[str] = frozenset()


NOTHING_MANUAL = ManualApproval()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the hub knows about the ManagedCluster a request names.

    Args:
        accepted: Whether the hub's owner accepted it.
        denied: Whether acceptance was given once and taken back.
        deleting: Whether it is being deleted.
        has_live_identity: Whether somebody may hold a valid certificate for the name already: it
            joined, or a request for it was approved whose certificate is not known to be dead, or
            a former cluster of this name left a certificate behind.
        live_until: When that ends by itself, if anybody said.
        removed_at: When its identities lost their rights last, while they have none: it is being
            deleted or denied. None otherwise.
    """

    accepted: bool = False
    denied: bool = False
    deleting: bool = False
    has_live_identity: bool = False
    live_until: datetime | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExpectedRegistration:
    """One registration of a ManagedClusterAddOn: who signs, and for whom.

    Args:
        signer_name: The signer.
        subject: User, groups and organizational units as registered.
        extended_usages: What the certificate is good for: `client auth`, `server auth` or both. A
            client of Kubernetes gets no other than the first.
        dns_names: Names that it may carry beside the one made from the add-on's; none for a client
            of Kubernetes.
    """

    signer_name: str
    subject: Subject
    extended_usages: frozenset[str] = frozenset({"client auth"})
    dns_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AddonFacts:
    """What the hub knows about the ManagedClusterAddOn a request names.

    Args:
        deleting: Whether it is being deleted.
        created: When it was made, by the API server's clock, if it says.
        registrations: Its registrations.
    """

    deleting: bool = False
    created: datetime | None = None
    registrations: tuple[ExpectedRegistration, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalContext:
    """Everything outside the request that a decision about it depends on.

    Args:
        now: The moment of deciding, aware UTC.
        bootstrap: Whose bootstrap requests need no person.
        cluster: The ManagedCluster named by the request's label; None if there is none.
        addon: The ManagedClusterAddOn named by the request's labels; None if there is none.
        may_renew: Answer of the SubjectAccessReview on the requester; None if nobody asked. Ask
            when the decision is to wait for it, and decide again.
        operator_accepts: Whether a person with the right to do so accepts this very request now.
            That answers for the requester, and for everything that waits for a person; the request
            itself has to be right all the same.
        signers: Custom signers whose requests are approved here; none by default.
        manual: What waits for a person.
        traffic: What else the identity that asks has been asking.
        limits: How much of that is too much.
        key_kinds: Kinds of key a certificate may be for.
        min_lifetime: Shortest lifetime that may be asked for.
        max_lifetime: Longest lifetime that may be asked for.
    """

    now: datetime
    bootstrap: BootstrapPolicy = BootstrapPolicy()
    cluster: ClusterFacts | None = None
    addon: AddonFacts | None = None
    may_renew: bool | None = None
    operator_accepts: bool = False
    signers: frozenset[str] = frozenset()
    manual: ManualApproval = NOTHING_MANUAL
    traffic: Traffic = NO_TRAFFIC
    limits: FloodLimits = DEFAULT_LIMITS
    key_kinds: frozenset[KeyKind] = frozenset(KeyKind)
    min_lifetime: timedelta = SHORTEST_LIFETIME
    max_lifetime: timedelta = LONGEST_LIFETIME


@dataclass(frozen=True, slots=True)
class Approve:
    """The request may be signed.

    Args:
        identity: Whom the certificate will name: exactly what its requester is entitled to.
        reason: Which rule approved.
        message: One line for the operator.
    """

    identity: Identity
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The request must not be signed by anybody, now or later.

    Args:
        reason: Which rule denied.
        message: One line for the operator: expected, found.
    """

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing is said: the request is not ours, or cannot be approved as things stand.

    Args:
        reason: Which rule stepped back.
        message: One line for the operator: what it waits for, and who must act.
        until: When time alone may change the decision; None if only an event can.
    """

    reason: Reason
    message: str
    until: datetime | None = None


Decision = Approve | Deny | Ignore

REASON_OF_PROBLEM: Mapping[RequestProblem, Reason] = {
    problem: Reason(problem.value) for problem in RequestProblem
}
"""How the policy words what the reader of requests could not read."""
