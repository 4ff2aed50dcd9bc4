"""The rules every request has to pass, whoever it is for.

Each rule is a small function that gives its opinion or None. None of these approves.
"""

from towline_api.names import CLIENT_CERTIFICATE_USAGES, CLUSTER_NAME_LABEL, KUBE_CLIENT_SIGNER
from towline_certs.approval import REASON_OF_PROBLEM, Deny, Ignore, Reason
from towline_certs.approval_case import Case, find_agent, quote, told
from towline_certs.errors import IdentityError
from towline_certs.identities import check_addon_name, check_cluster_name
from towline_certs.request_extensions import (
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_ALTERNATIVE_NAME,
)

_KEY_USAGES = frozenset({"digitalSignature", "keyEncipherment"})
_KEY_USAGE_WORDS = frozenset({"digital signature", "key encipherment"})
_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
_EXTENDED_USAGES = {"client auth": _CLIENT_AUTH, "server auth": "1.3.6.1.5.5.7.3.1"}
_EXTENSIONS = frozenset(
    {BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, SUBJECT_ALTERNATIVE_NAME}
)
_KUBERNETES_DOMAINS = ("kubernetes.io", "k8s.io")


def already_decided(case: Case) -> Ignore | None:
    """Approvals and denials are final in Kubernetes."""
    if not case.request.is_decided:
        return None
    found = ", ".join(sorted(case.request.decisions)) or "issued"
    return Ignore(Reason.ALREADY_DECIDED, f"the request is already decided: {found}")


def nothing_of_ours(case: Case) -> Ignore | None:
    """Agents label their requests; the others on this hub are other systems' business.

    One exception, of which a later rule speaks: an agent of ours that asks for somebody else.
    """
    if case.request.cluster is not None or _is_agent_for_another(case):
        return None
    if not case.claims_an_identity:
        return Ignore(Reason.NOT_OURS, "the request has nothing to do with managed clusters")
    return Ignore(
        Reason.NO_CLUSTER_LABEL,
        f"the request lacks the label {CLUSTER_NAME_LABEL}; if it is a cluster's, "
        "its agent has to send it again with the label",
    )


def for_another_signer(case: Case) -> Ignore | None:
    """Cluster requests go to one signer; an add-on's may go to one that this hub approves for.

    Kubernetes' other signers issue kubelet and serving certificates. Neither a registration of an
    add-on nor a slip in the settings is a reason to approve those.
    """
    signer = case.request.signer_name
    if case.request.cluster is None or signer == KUBE_CLIENT_SIGNER:
        return None
    is_served = signer in case.context.signers and not is_kubernetes_signer(signer)
    if case.request.addon is not None and is_served:
        return None
    expected = (
        f"{KUBE_CLIENT_SIGNER!r} for a cluster"
        if case.request.addon is None
        else ", ".join(map(repr, (KUBE_CLIENT_SIGNER, *sorted(case.context.signers))))
    )
    return Ignore(
        Reason.SIGNER_NOT_SERVED,
        f"the request is for signer {quote(signer)}; this hub approves for {expected} only",
    )


def unlabelled_for_another(case: Case) -> Deny | None:
    """An agent that leaves its label off does not get past the rules that compare with it."""
    if case.request.cluster is not None:
        return None
    return Deny(
        Reason.REQUESTER_NOT_ENTITLED,
        f"{quote(case.request.username)} asks for an identity of another cluster",
    )


def labels_are_no_names(case: Case) -> Deny | None:
    """A label that cannot be a name can belong to no cluster and no add-on."""
    try:
        check_cluster_name(case.cluster)
        if case.request.addon is not None:
            check_addon_name(case.request.addon)
    except IdentityError as error:
        return Deny(Reason.LABEL_NOT_A_NAME, f"a label of the request is wrong: {told(error)}")
    return None


def request_unreadable(case: Case) -> Deny | None:
    """What cannot be read cannot be judged, and another reader might see something in it."""
    if case.request.request_pem is None:
        return Deny(Reason.NOT_BASE64, "spec.request is not base64")
    if case.problem is not None:
        return Deny(REASON_OF_PROBLEM[case.problem.reason], told(case.problem))
    return None


def possession_not_proven(case: Case) -> Deny | None:
    """Without a valid signature the key may be anybody's."""
    if case.readable.proves_possession:
        return None
    if case.readable.self_signature_valid:
        found = f"made with {quote(case.readable.signature_hash or 'no hash')}, expected SHA-2"
    else:
        found = "not valid"
    return Deny(
        Reason.POSSESSION_NOT_PROVEN,
        f"the request's signature is {found}: it does not prove that the requester holds the key",
    )


def subject_not_plain(case: Case) -> Deny | None:
    """A subject with more in it than a user and groups could mean more than was judged."""
    if case.opened.subject is not None:
        return None
    found = ", ".join(f"{each.oid}={each.value}" for each in case.readable.attributes)
    return Deny(
        Reason.SUBJECT_NOT_PLAIN,
        "expected a subject of one common name with distinct organizations and organizational "
        f"units as UTF8String or PrintableString, found {quote(found)}",
    )


def key_not_allowed(case: Case) -> Deny | None:
    """The key's kind and size are part of the policy."""
    if case.readable.key_kind in case.context.key_kinds:
        return None
    allowed = ", ".join(sorted(case.context.key_kinds))
    return Deny(
        Reason.KEY_NOT_ALLOWED,
        f"the request is for a key {case.readable.key_description}, expected one of: {allowed}",
    )


def usages_not_allowed(case: Case) -> Deny | None:
    """A client certificate and nothing else, unless the registration with a custom signer says so.

    Agents ask for a client certificate there as well, and leave it to the signer to know better.
    """
    found = frozenset(case.request.usages)
    client = frozenset(CLIENT_CERTIFICATE_USAGES)
    expected = {client, _KEY_USAGE_WORDS | _registered_usages(case)}
    if found in expected and len(found) == len(case.request.usages):
        return None
    wanted = " or ".join(", ".join(sorted(each)) for each in sorted(expected, key=sorted))
    return Deny(
        Reason.USAGES_NOT_ALLOWED,
        f"expected the usages {wanted}; found {quote(', '.join(sorted(case.request.usages)))}",
    )


def asks_for_authority(case: Case) -> Deny | None:
    """Nobody becomes a certificate authority this way."""
    if not case.readable.is_ca:
        return None
    return Deny(Reason.ASKS_FOR_AUTHORITY, "the request asks for a certificate authority")


def extensions_not_allowed(case: Case) -> Deny | None:
    """Whatever a signer might copy has to be harmless."""
    parsed = case.readable
    found = [each.oid for each in parsed.extensions if each.oid not in _EXTENSIONS]
    found += parsed.other_attributes
    found += sorted(parsed.key_usages - _KEY_USAGES)
    allowed = {_CLIENT_AUTH} | {_EXTENDED_USAGES[word] for word in _registered_usages(case)}
    found += sorted(parsed.extended_key_usages - allowed)
    if not found:
        return None
    return Deny(
        Reason.EXTENSION_NOT_ALLOWED,
        "the request asks for extensions, usages or attributes a client certificate does not have: "
        f"{quote(', '.join(found))}",
    )


def lifetime_out_of_bounds(case: Case) -> Deny | None:
    """A lifetime that is not asked for is the signer's to choose."""
    lifetime, context = case.request.lifetime, case.context
    if lifetime is None or context.min_lifetime <= lifetime <= context.max_lifetime:
        return None
    return Deny(
        Reason.LIFETIME_OUT_OF_BOUNDS,
        f"the request asks for {lifetime}, expected {context.min_lifetime} to "
        f"{context.max_lifetime}",
    )


def names_another_cluster(case: Case) -> Deny | None:
    """The label and the subject have to speak of one cluster, and of one add-on."""
    named = find_agent(case.subject.common_name)
    if named is None or named.cluster == case.cluster:
        return None
    return Deny(
        Reason.SUBJECT_OF_ANOTHER,
        f"the request is labelled for cluster {case.cluster!r} and names an agent of cluster "
        f"{named.cluster!r}",
    )


def is_kubernetes_signer(signer: str) -> bool:
    """Return whether a signer's name belongs to Kubernetes itself."""
    domain = signer.partition("/")[0]
    return any(
        domain == reserved or domain.endswith(f".{reserved}") for reserved in _KUBERNETES_DOMAINS
    )


def _registered_usages(case: Case) -> frozenset[str]:
    """Return the extended usages that the request may have for its registration's sake.

    Without one it is a client's, and will be left alone by a rule for add-ons.
    """
    if case.request.signer_name == KUBE_CLIENT_SIGNER or case.registration is None:
        return frozenset({"client auth"})
    return case.registration.extended_usages & _EXTENDED_USAGES.keys()


def _is_agent_for_another(case: Case) -> bool:
    if case.requester is None or not case.claims_an_identity:
        return False
    subject = case.opened.subject
    named = None if subject is None else find_agent(subject.common_name)
    return named is None or named.cluster != case.requester.cluster
