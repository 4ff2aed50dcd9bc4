"""The rules for an add-on agent's certificate, which the cluster's agent asks for on its behalf."""

from towline_api.names import KUBE_CLIENT_SIGNER, addon_dns_name
from towline_api.timestamps import format_time
from towline_certs.approval import (
    AddonFacts,
    Approve,
    Deny,
    ExpectedRegistration,
    Ignore,
    Reason,
)
from towline_certs.approval_case import (
    Case,
    quote,
    told,
    waiting_for,
    waiting_for_approval,
    without_authenticated,
)
from towline_certs.cluster_rules import requester_not_listed
from towline_certs.errors import IdentityError
from towline_certs.identities import AddonIdentity, ClusterIdentity, CustomSignerIdentity
from towline_certs.request_extensions import AlternativeNames


def asked_by_somebody_else(case: Case) -> Deny | Ignore | None:
    """Only the agent of the very cluster asks for its add-ons.

    Other agents and bootstrap identities know that they are not it. Of anybody else no more can be
    said than that a person has to decide.
    """
    requester, user = case.requester, quote(case.request.username)
    if isinstance(requester, ClusterIdentity) and requester.cluster == case.cluster:
        return None
    if requester is not None or case.is_from_bootstrap or case.is_from_bound_bootstrap:
        return Deny(
            Reason.REQUESTER_NOT_ENTITLED,
            f"{user} may not ask for add-on identities of cluster {case.cluster!r}",
        )
    if case.context.operator_accepts:
        return None
    return Ignore(
        Reason.REQUESTER_UNKNOWN,
        f"{user} is not an agent of cluster {case.cluster!r}: "
        f"{waiting_for_approval(case.request.name)}",
    )


def subject_is_no_addon_identity(case: Case) -> Deny | None:
    """What the API server will read as user and groups has to be exactly one add-on agent."""
    if case.request.signer_name != KUBE_CLIENT_SIGNER:
        return None
    subject = case.subject
    try:
        identity = AddonIdentity.parse_subject(without_authenticated(subject))
    except IdentityError as error:
        return Deny(Reason.SUBJECT_NOT_AN_IDENTITY, f"not an add-on's request: {told(error)}")
    if (identity.cluster, identity.addon) != (case.cluster, case.addon):
        return Deny(
            Reason.SUBJECT_OF_ANOTHER,
            f"the request is labelled for add-on {case.addon!r} of cluster {case.cluster!r} and "
            f"names add-on {identity.addon!r} of cluster {identity.cluster!r}",
        )
    return None


def names_of_an_addon_request(case: Case) -> Deny | None:
    """One DNS name, made from the add-on's, and no other name of any kind.

    A registration with a custom signer may allow more DNS names; all it allows, or none of them.
    """
    usual, found = addon_dns_name(case.addon), case.readable.alternative_names
    registration = case.registration
    more: frozenset[str] = frozenset()
    if case.request.signer_name != KUBE_CLIENT_SIGNER and registration is not None:
        more = registration.dns_names - {usual}
    if found == AlternativeNames(dns_names=(usual,)):
        return None
    if found == AlternativeNames(dns_names=found.dns_names) and sorted(found.dns_names) == sorted(
        {usual, *more}
    ):
        return None
    expected = AlternativeNames(dns_names=(usual, *sorted(more)))
    return Deny(
        Reason.NAMES_NOT_ALLOWED, f"expected the alternative name {expected}, found {quote(found)}"
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


def older_than_addon(case: Case) -> Deny | None:
    """What was asked for before the add-on was there was asked of a former one.

    Both times are the API server's own, in whole seconds; within one, nobody can say.
    """
    created, request = _facts(case).created, case.request
    if created is None or (request.created is not None and request.created >= created):
        return None
    return Deny(
        Reason.OLDER_THAN_REMOVAL,
        f"the request is from before add-on {case.addon!r} of cluster {case.cluster!r} was "
        f"enabled ({format_time(created)}): it belongs to a former one; the agent has to ask anew",
    )


def addon_is_manual(case: Case) -> Ignore | None:
    """The operator wants to see requests of this add-on, or of anybody but a few, first."""
    manual = case.context.manual
    if case.context.operator_accepts:
        return None
    if manual.addons.isdisjoint({case.addon, f"{case.cluster}/{case.addon}"}):
        return requester_not_listed(case)
    return Ignore(
        Reason.WAITING_FOR_OPERATOR,
        f"requests of add-on {case.addon!r} are approved by hand on this hub: "
        f"{waiting_for_approval(case.request.name)}",
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
    if case.registration is None:
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


def _is_served(case: Case, registration: ExpectedRegistration) -> bool:
    """Return whether a registration is for an add-on agent of this cluster with its own groups.

    Add-ons may register any user and any groups. Those of others, let alone of administrators, are
    not a program's to hand out.
    """
    try:
        identity = AddonIdentity.parse_subject(without_authenticated(registration.subject))
    except IdentityError:
        return False
    return (identity.cluster, identity.addon) == (case.cluster, case.addon)
