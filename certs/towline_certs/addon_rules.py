"""The rules for an add-on agent's certificate, which the cluster's agent asks for on its behalf."""

from towline_api.names import KUBE_CLIENT_SIGNER, addon_dns_name
from towline_certs.approval import (
    AddonFacts,
    Approve,
    Deny,
    ExpectedRegistration,
    Ignore,
    Reason,
)
from towline_certs.approval_case import Case, quote, waiting_for
from towline_certs.errors import IdentityError
from towline_certs.identities import (
    AUTHENTICATED_GROUP,
    AddonIdentity,
    ClusterIdentity,
    CustomSignerIdentity,
    Subject,
)
from towline_certs.request_extensions import AlternativeNames


def asked_by_somebody_else(case: Case) -> Deny | Ignore | None:
    """Only the agent of the very cluster asks for its add-ons.

    Other agents and bootstrap identities know that they are not it. Of anybody else no more can be
    said than that a person has to decide.
    """
    requester, user = case.requester, quote(case.request.username)
    if isinstance(requester, ClusterIdentity) and requester.cluster == case.cluster:
        return None
    if requester is not None or case.is_from_bootstrap:
        return Deny(
            Reason.REQUESTER_NOT_ENTITLED,
            f"{user} may not ask for add-on identities of cluster {case.cluster!r}",
        )
    return Ignore(
        Reason.REQUESTER_UNKNOWN,
        f"{user} is not an agent of cluster {case.cluster!r}; only a person can approve this",
    )


def subject_is_no_addon_identity(case: Case) -> Deny | None:
    """What the API server will read as user and groups has to be exactly one add-on agent."""
    if case.request.signer_name != KUBE_CLIENT_SIGNER:
        return None
    subject = case.subject
    try:
        identity = AddonIdentity.parse_subject(_without_authenticated(subject))
    except IdentityError as error:
        return Deny(Reason.SUBJECT_NOT_AN_IDENTITY, f"not an add-on's request: {error}")
    if (identity.cluster, identity.addon) != (case.cluster, case.addon):
        return Deny(
            Reason.SUBJECT_OF_ANOTHER,
            f"the request is labelled for add-on {case.addon!r} of cluster {case.cluster!r} and "
            f"names add-on {identity.addon!r} of cluster {identity.cluster!r}",
        )
    return None


def names_of_an_addon_request(case: Case) -> Deny | None:
    """One DNS name, made from the add-on's, and no other name of any kind."""
    expected = AlternativeNames(dns_names=(addon_dns_name(case.addon),))
    if case.readable.alternative_names == expected:
        return None
    return Deny(
        Reason.NAMES_NOT_ALLOWED,
        f"expected the alternative name {expected}, found {quote(case.readable.alternative_names)}",
    )


def cluster_is_not_there(case: Case) -> Ignore | None:
    """An add-on's agent belongs to a cluster that the hub accepted and keeps."""
    cluster = case.context.cluster
    if cluster is None:
        return Ignore(Reason.CLUSTER_NOT_FOUND, f"there is no ManagedCluster {case.cluster!r}")
    if cluster.deleting:
        return Ignore(Reason.CLUSTER_DELETING, f"cluster {case.cluster!r} is being deleted")
    if not cluster.accepted or cluster.denied:
        return Ignore(
            Reason.CLUSTER_NOT_ACCEPTED,
            f"cluster {case.cluster!r} is not accepted: {waiting_for(case.cluster)}",
        )
    return None


def addon_is_not_there(case: Case) -> Ignore | None:
    """Without a ManagedClusterAddOn there is nothing to be registered for.

    One that is being deleted still counts: its agent cleans up, and needs its credential to.
    """
    if case.context.addon is not None:
        return None
    return Ignore(
        Reason.ADDON_NOT_FOUND,
        f"there is no ManagedClusterAddOn {case.addon!r} in namespace {case.cluster!r}",
    )


def not_registered(case: Case) -> Ignore | None:
    """The add-on has to have this registration, now; it may get it a moment later."""
    addon, signer = _facts(case), case.request.signer_name
    registered = [each for each in addon.registrations if each.signer_name == signer]
    where = f"add-on {case.addon!r} of cluster {case.cluster!r}"
    if not registered:
        return Ignore(
            Reason.NOT_REGISTERED, f"{where} has no registration for signer {quote(signer)}"
        )
    if signer == KUBE_CLIENT_SIGNER and not any(_is_served(case, each) for each in registered):
        return Ignore(
            Reason.REGISTRATION_NOT_SERVED,
            f"{where} is registered with a user or groups other than an add-on agent's own; "
            "only a person can approve such a request",
        )
    if _find_registration(case) is None:
        return Ignore(
            Reason.NOT_REGISTERED,
            f"the request is for {quote(case.subject)}, {where} is registered for "
            f"{quote(registered[0].subject)}",
        )
    return None


def registered(case: Case) -> Approve:
    """Everything that speaks against it has been asked."""
    user = quote(case.subject.common_name)
    ending = "; it is being deleted and needs its credential to clean up"
    return Approve(
        AddonIdentity.parse_user(case.subject.common_name)
        if case.request.signer_name == KUBE_CLIENT_SIGNER
        else CustomSignerIdentity(case.cluster, case.addon, case.request.signer_name, case.subject),
        Reason.ADDON_REGISTERED,
        f"add-on {case.addon!r} of cluster {case.cluster!r} is registered for {user}"
        f"{ending if _facts(case).deleting else ''}",
    )


def _facts(case: Case) -> AddonFacts:
    if case.context.addon is None:
        raise LookupError("there is no add-on; a rule before this one has to say so")
    return case.context.addon


def _find_registration(case: Case) -> ExpectedRegistration | None:
    signer = case.request.signer_name
    if signer == KUBE_CLIENT_SIGNER:
        # An agent of this add-on already, says a rule before; so is a registration equal to it.
        wanted = _without_authenticated(case.subject)
        return next(
            (
                each
                for each in _facts(case).registrations
                if each.signer_name == signer and _without_authenticated(each.subject) == wanted
            ),
            None,
        )
    exact = ExpectedRegistration(signer, case.subject)
    return exact if exact in _facts(case).registrations else None


def _is_served(case: Case, registration: ExpectedRegistration) -> bool:
    """Return whether a registration is for an add-on agent of this cluster with its own groups.

    Add-ons may register any user and any groups. Those of others, let alone of administrators, are
    not a program's to hand out.
    """
    try:
        identity = AddonIdentity.parse_subject(_without_authenticated(registration.subject))
    except IdentityError:
        return False
    return (identity.cluster, identity.addon) == (case.cluster, case.addon)


def _without_authenticated(subject: Subject) -> Subject:
    """Return the subject without the group that everybody is in anyway; older agents ask for it."""
    return Subject(
        subject.common_name,
        subject.organizations - {AUTHENTICATED_GROUP},
        subject.organizational_units,
    )
