"""The rules for a cluster agent's own certificate: renewal, bootstrap, the operator's word."""

from towline_api.timestamps import format_time
from towline_certs.approval import Approve, Deny, Ignore, Reason
from towline_certs.approval_case import Case, quote, told, waiting_for, waiting_for_approval
from towline_certs.errors import IdentityError
from towline_certs.identities import ClusterIdentity
from towline_certs.request_extensions import SUBJECT_ALTERNATIVE_NAME


def subject_is_no_cluster_identity(case: Case) -> Deny | None:
    """Common name and organizations are exactly those of one agent of the labelled cluster."""
    try:
        identity = ClusterIdentity.parse_subject(case.subject)
    except IdentityError as error:
        return Deny(Reason.SUBJECT_NOT_AN_IDENTITY, f"not a cluster's request: {told(error)}")
    if identity.cluster != case.cluster:
        return Deny(
            Reason.SUBJECT_OF_ANOTHER,
            f"the request is labelled for cluster {case.cluster!r} and names cluster "
            f"{identity.cluster!r}",
        )
    return None


def names_on_a_cluster_request(case: Case) -> Deny | None:
    """A cluster agent is a client; it has no host name to prove."""
    if all(each.oid != SUBJECT_ALTERNATIVE_NAME for each in case.readable.extensions):
        return None
    return Deny(
        Reason.NAMES_NOT_ALLOWED,
        "expected no alternative names on a cluster's request, found "
        f"{quote(case.readable.alternative_names)}",
    )


def asked_by_an_agent_of_another(case: Case) -> Deny | None:
    """An agent may ask for its own cluster and for no other; an add-on's agent for none."""
    requester = case.requester
    if requester is None:
        return None
    if isinstance(requester, ClusterIdentity) and requester.cluster == case.cluster:
        return None
    return Deny(
        Reason.REQUESTER_NOT_ENTITLED,
        f"{quote(case.request.username)} may not ask for an identity of cluster {case.cluster!r}",
    )


def bound_to_another(case: Case) -> Deny | None:
    """A bootstrap identity made for one cluster is good for no other, whatever else it is."""
    if not case.is_from_bound_bootstrap or case.bound_to == case.cluster:
        return None
    bound = "no one cluster" if case.bound_to is None else f"cluster {case.bound_to!r} only"
    return Deny(
        Reason.REQUESTER_NOT_ENTITLED,
        f"{quote(case.request.username)} is a bootstrap identity for {bound}, and asks for an "
        f"identity of cluster {case.cluster!r}",
    )


def older_than_removal(case: Case) -> Deny | None:
    """What was asked for before the rights were taken away was asked by whoever had them then.

    Otherwise it would lie in wait for the name to be free, or the cluster accepted, again.
    """
    cluster = case.context.cluster
    if cluster is None or cluster.removed_at is None:
        return None
    if case.request.created is not None and case.request.created >= cluster.removed_at:
        return None
    return Deny(
        Reason.OLDER_THAN_REMOVAL,
        f"the request is from before cluster {case.cluster!r} was "
        f"{'deleted' if cluster.deleting else 'denied'} ({format_time(cluster.removed_at)}); the "
        "agent has to ask anew",
    )


def cluster_is_deleting(case: Case) -> Ignore | None:
    """A cluster that is leaving gets no new certificate, whoever asks."""
    if case.context.cluster is None or not case.context.cluster.deleting:
        return None
    return Ignore(Reason.CLUSTER_DELETING, f"cluster {case.cluster!r} is being deleted")


def cluster_is_manual(case: Case) -> Ignore | None:
    """The operator wants to see requests of this cluster, or of anybody but a few, first."""
    if case.context.operator_accepts:
        return None
    if case.cluster not in case.context.manual.clusters:
        return requester_not_listed(case)
    return Ignore(
        Reason.WAITING_FOR_OPERATOR,
        f"requests of cluster {case.cluster!r} are approved by hand on this hub: "
        f"{_what_to_run(case)}",
    )


def requester_not_listed(case: Case) -> Ignore | None:
    """Where the operator lists who may ask, others wait for a person."""
    requesters = case.context.manual.requesters
    if not requesters or case.request.username in requesters:
        return None
    return Ignore(
        Reason.WAITING_FOR_OPERATOR,
        f"{quote(case.request.username)} is not among the {len(requesters)} requesters that this "
        f"hub approves for by itself: {_what_to_run(case)}",
    )


def renewal(case: Case) -> Approve | Ignore | None:
    """Whoever already is the identity may have it again, while the hub still wants it."""
    if not is_renewal(case):
        return None
    cluster, name = case.context.cluster, case.cluster
    if cluster is None:
        return Ignore(Reason.CLUSTER_NOT_FOUND, f"there is no ManagedCluster {name!r}")
    if not cluster.accepted or cluster.denied:
        return Ignore(
            Reason.CLUSTER_NOT_ACCEPTED, f"cluster {name!r} is not accepted: {waiting_for(name)}"
        )
    if case.context.operator_accepts:
        return None
    if case.context.may_renew is None:
        return Ignore(
            Reason.WAITING_FOR_ACCESS_REVIEW,
            f"nobody asked yet whether {quote(case.request.username)} may renew",
        )
    if not case.context.may_renew:
        return Ignore(
            Reason.RENEWAL_NOT_ALLOWED,
            f"{quote(case.request.username)} is not allowed to 'renew' "
            "managedclusters/clientcertificates in register.open-cluster-management.io; "
            f"check the RBAC of cluster {name!r}",
        )
    return Approve(
        ClusterIdentity.parse_subject(case.subject),
        Reason.CLUSTER_RENEWAL,
        f"the agent of cluster {name!r} renews its own certificate",
    )


def operator_accepted(case: Case) -> Approve | None:
    """A person who may do so vouches for this request."""
    if not case.context.operator_accepts:
        return None
    return Approve(
        ClusterIdentity.parse_subject(case.subject),
        Reason.OPERATOR_ACCEPTED,
        f"an operator accepted cluster {case.cluster!r} and this request of "
        f"{quote(case.request.username)}",
    )


def bootstrap_by_a_stranger(case: Case) -> Ignore | None:
    """Somebody without bootstrap rights may ask; only a person may say yes."""
    is_known = case.is_from_bootstrap or case.bound_to == case.cluster
    if is_known and case.requester is None:
        return None
    return Ignore(
        Reason.WAITING_FOR_OPERATOR,
        f"{quote(case.request.username)} is no configured bootstrap identity: "
        f"{waiting_for(case.cluster)}",
    )


def bootstrap_of_a_known_cluster(case: Case) -> Ignore | None:
    """A bootstrap token is shared by many, so it cannot take over a name that somebody has.

    One that an operator made for this very name can: that is what it was made for. Neither undoes
    what a person decided.
    """
    cluster = case.context.cluster
    if cluster is None:
        return None
    if cluster.denied:
        return Ignore(
            Reason.WAITING_FOR_OPERATOR,
            f"cluster {case.cluster!r} was accepted once and is denied now: "
            f"{waiting_for(case.cluster)}",
        )
    if not cluster.has_live_identity or case.bound_to == case.cluster:
        return None
    return Ignore(
        Reason.WAITING_FOR_OPERATOR,
        f"cluster {case.cluster!r} already has an agent with a valid certificate, or had one whose "
        f"certificate is still valid: {waiting_for(case.cluster)}",
        until=cluster.live_until,
    )


def bootstrap(case: Case) -> Approve:
    """Everything that speaks against it has been asked; the first certificate of an agent."""
    identity, user = ClusterIdentity.parse_subject(case.subject), quote(case.request.username)
    if case.bound_to == case.cluster:
        return Approve(
            identity,
            Reason.BOUND_BOOTSTRAP,
            f"bootstrap identity {user} is bound to cluster {case.cluster!r} and may take its name",
        )
    return Approve(
        identity,
        Reason.CLUSTER_BOOTSTRAP,
        f"bootstrap identity {user} may introduce cluster {case.cluster!r}",
    )


def is_renewal(case: Case) -> bool:
    """Return whether the requester asks for exactly the identity it has."""
    return case.request.username == case.subject.common_name


def _what_to_run(case: Case) -> str:
    is_first = case.request.addon is None and not is_renewal(case)
    return waiting_for(case.cluster) if is_first else waiting_for_approval(case.request.name)
