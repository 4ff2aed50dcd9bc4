"""Whether a custom signer issues for an approved request, and what the certificate will say.

An approval says that somebody agreed. It may have been a person in a hurry, or another program: a
signer judges for itself, by the rules that approve. Of the request it takes the public key alone;
whom the certificate names is what the add-on is registered for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from towline_api.names import addon_dns_name
from towline_certs.approval import ApprovalContext, Approve, Deny, Ignore, Reason
from towline_certs.approval_case import Case, open_case
from towline_certs.authority import CLIENT_ONLY, ExtendedUsage
from towline_certs.identities import CustomSignerIdentity
from towline_certs.keys import PublicKey
from towline_certs.policy import ADDON_RULES
from towline_certs.signing_requests import SigningRequest

_USAGES: Mapping[str, ExtendedUsage] = {
    "client auth": ExtendedUsage.CLIENT,
    "server auth": ExtendedUsage.SERVER,
}


@dataclass(frozen=True, slots=True)
class Issue:
    """The request may be signed.

    Args:
        identity: Whom the certificate names: what the add-on is registered for.
        dns_names: Its alternative names.
        usages: What the add-on is registered to use it for; a client's is always among it.
        public_key: Whose certificate it is.
    """

    identity: CustomSignerIdentity
    dns_names: tuple[str, ...]
    usages: frozenset[ExtendedUsage]
    public_key: PublicKey


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request must not be signed, now or later, whoever approved it.

    Args:
        reason: Which rule speaks against it.
        message: One line for whoever approved it: expected, found.
    """

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Postpone:
    """The request cannot be signed as things stand, which may change.

    Args:
        reason: Which rule speaks against it.
        message: One line for the operator: what it waits for.
    """

    reason: Reason
    message: str


Judgement = Issue | Refuse | Postpone


def judge(request: SigningRequest, context: ApprovalContext) -> Judgement:
    """Return whether to sign an approved request for a custom signer.

    Args:
        request: The request object.
        context: What the hub knows around it, as for the approval.
    """
    if request.addon is None:
        return Postpone(
            Reason.NOT_REGISTERED,
            "the request names no add-on, and only add-ons are registered with this signer",
        )
    # Whoever approved it has settled who may ask, and how often. The rest has to be right as ever.
    settled = replace(
        context, operator_accepts=True, signers=context.signers | {request.signer_name}
    )
    opened = open_case(request, context=settled)
    for rule in ADDON_RULES:
        match rule(opened):
            case None | Ignore(reason=Reason.ALREADY_DECIDED):
                continue
            case Ignore(reason=reason, message=message):
                return Postpone(reason, message)
            case Deny(reason=reason, message=message):
                return Refuse(reason, message)
            case Approve(identity=CustomSignerIdentity() as identity):
                return _issue(opened, identity)
            case Approve():
                break
    return Postpone(Reason.SIGNER_NOT_SERVED, "the request is not for a custom signer")


def _issue(opened: Case, identity: CustomSignerIdentity) -> Issue:
    registration = opened.registration
    if registration is None:
        raise LookupError("there is no registration; a rule before this one has to say so")
    usual = addon_dns_name(identity.addon)
    return Issue(
        identity,
        dns_names=(usual, *sorted(registration.dns_names - {usual})),
        usages=CLIENT_ONLY
        | {_USAGES[word] for word in registration.extended_usages if word in _USAGES},
        public_key=opened.readable.public_key,
    )
