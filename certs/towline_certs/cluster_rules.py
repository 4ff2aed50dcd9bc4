"""The rules for a cluster agent's own certificate: renewal, bootstrap, the operator's word."""

from towline_certs.approval import Approve, Deny, Ignore, Reason
from towline_certs.approval_case import Case, quote, waiting_for
from towline_certs.errors import IdentityError
from towline_certs.identities import ClusterIdentity
from towline_certs.request_extensions import SUBJECT_ALTERNATIVE_NAME


def subject_is_no_cluster_identity(case: Case) -> Deny | None:
    """Common name and organizations are exactly those of one agent of the labelled cluster."""
    try:
        identity = ClusterIdentity.parse_subject(case.subject)
    except IdentityError as error:
        return Deny(Reason.SUBJECT_NOT_AN_IDENTITY, f"not a cluster's request: {error}")
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


def cluster_is_deleting(case: Case) -> Ignore | None:
    """A cluster that is leaving gets no new certificate, whoever asks."""
    if case.context.cluster is None or not case.context.cluster.deleting:
        return None
    return Ignore(Reason.CLUSTER_DELETING, f"cluster {case.cluster!r} is being deleted")


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
    if case.is_from_bootstrap and case.requester is None:
        return None
    return Ignore(
        Reason.WAITING_FOR_OPERATOR,
        f"{quote(case.request.username)} is no configured bootstrap identity: "
        f"{waiting_for(case.cluster)}",
    )


def bootstrap_of_a_known_cluster(case: Case) -> Ignore | None:
    """A bootstrap token is shared by many, so it cannot take over a name that somebody has."""
    cluster = case.context.cluster
    if cluster is None:
        return None
    if cluster.denied:
        why = "was accepted once and is denied now"
    elif cluster.has_live_identity:
        why = "already has an agent with a valid certificate"
    else:
        return None
    return Ignore(
        Reason.WAITING_FOR_OPERATOR, f"cluster {case.cluster!r} {why}: {waiting_for(case.cluster)}"
    )


def bootstrap(case: Case) -> Approve:
    """Everything that speaks against it has been asked; the first certificate of a new name."""
    return Approve(
        ClusterIdentity.parse_subject(case.subject),
        Reason.CLUSTER_BOOTSTRAP,
        f"bootstrap identity {quote(case.request.username)} may introduce cluster {case.cluster!r}",
    )


def is_renewal(case: Case) -> bool:
    """Return whether the requester asks for exactly the identity it has."""
    return case.request.username == case.subject.common_name
