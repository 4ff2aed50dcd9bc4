"""What becomes of a certificate signing request: signed, failed, or left to others.

Pure: the request object goes in, the status it should have comes out.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_certs.authority import Authority
from towline_sandbox.embedded.controllers.leaf_certificates import BACKDATE, sign
from towline_sandbox.embedded.request_subjects import subject_of

LONGEST_LIFETIME = timedelta(days=365)
"""What Kubernetes' signer gives by default, and the most it gives on request."""
SHORTEST_LIFETIME = 2 * BACKDATE

_NODE_USAGES = frozenset({"digital signature", "key encipherment"})
_NODE_NAME = "system:node:"
_NODE_GROUP = "system:nodes"

Complaint = str | None
"""Why a signer refuses a request; None if it does not."""


def answered(
    csr: KubeObject, *, authority: Authority, longest: timedelta, now: datetime
) -> KubeObject | None:
    """Return the status that a request should have; None if it may stay as it is.

    Args:
        csr: The CertificateSigningRequest.
        authority: Signs for Kubernetes' own signers.
        longest: The longest that a certificate is valid, and how long it is if the request does
            not say.
        now: The signers' time.

    Raises:
        ConfigError: The authority has expired.
    """
    status = csr.get("status") or {}
    conditions = status.get("conditions") or []
    if "certificate" in status or not _holds(conditions, "Approved"):
        return None
    if _holds(conditions, "Failed") or _holds(conditions, "Denied"):
        return None
    spec = csr["spec"]
    check = _SIGNERS.get(spec["signerName"])
    if check is None:
        return None
    request = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
    usages = spec.get("usages") or []
    complaint = check(request, usages)
    if complaint is not None:
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": complaint,
            "lastUpdateTime": format_time(now),
            "lastTransitionTime": format_time(now),
        }
        return {**status, "conditions": [*conditions, failed]}
    certificate = sign(
        request,
        usages=usages,
        lifetime=granted_lifetime(spec.get("expirationSeconds"), longest=longest),
        authority=authority,
        now=now,
    )
    return {**status, "certificate": base64.b64encode(certificate).decode()}


def granted_lifetime(asked_seconds: int | None, *, longest: timedelta) -> timedelta:
    """Return how long a certificate will be valid."""
    if asked_seconds is None:
        return longest
    return min(max(timedelta(seconds=asked_seconds), SHORTEST_LIFETIME), longest)


def _holds(conditions: Sequence[Mapping[str, str]], type_: str) -> bool:
    return any(each["type"] == type_ and each.get("status") == "True" for each in conditions)


def _check_client(_request: x509.CertificateSigningRequest, usages: Sequence[str]) -> Complaint:
    for usage in usages:
        if usage not in {"digital signature", "key encipherment", "client auth"}:
            return f"invalid usage for client certificate: {usage}"
    if "client auth" not in usages:
        return "missing required usage for client certificate: client auth"
    return None


def _check_kubelet_client(
    request: x509.CertificateSigningRequest, usages: Sequence[str]
) -> Complaint:
    return (
        _check_node_group(request)
        or _check_no_names(request, x509.DNSName, "DNS")
        or _check_no_names(request, x509.RFC822Name, "Email")
        or _check_no_names(request, x509.IPAddress, "IP")
        or _check_no_names(request, x509.UniformResourceIdentifier, "URI")
        or _check_node_name(request)
        or _check_node_usages(usages, "client auth")
    )


def _check_kubelet_serving(
    request: x509.CertificateSigningRequest, usages: Sequence[str]
) -> Complaint:
    hosts = [*_names(request, x509.DNSName), *_names(request, x509.IPAddress)]
    return (
        _check_node_group(request)
        or (None if hosts else "DNS or IP subjectAltName is required")
        or _check_no_names(request, x509.RFC822Name, "Email")
        or _check_no_names(request, x509.UniformResourceIdentifier, "URI")
        or _check_node_usages(usages, "server auth")
        or _check_node_name(request)
    )


_SIGNERS: Mapping[str, Callable[[x509.CertificateSigningRequest, Sequence[str]], Complaint]] = {
    "kubernetes.io/kube-apiserver-client": _check_client,
    "kubernetes.io/kube-apiserver-client-kubelet": _check_kubelet_client,
    "kubernetes.io/kubelet-serving": _check_kubelet_serving,
}


def _check_node_group(request: x509.CertificateSigningRequest) -> Complaint:
    groups = subject_of(request).get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [group.value for group in groups] == [_NODE_GROUP]:
        return None
    return f"subject organization is not {_NODE_GROUP}"


def _check_node_name(request: x509.CertificateSigningRequest) -> Complaint:
    names = subject_of(request).get_attributes_for_oid(NameOID.COMMON_NAME)
    if names and str(names[-1].value).startswith(_NODE_NAME):
        return None
    return f"subject common name does not begin with {_NODE_NAME}"


def _check_node_usages(usages: Sequence[str], purpose: str) -> Complaint:
    wanted = _NODE_USAGES | {purpose}
    # Keys of elliptic curves encipher nothing.
    if set(usages) in (wanted, wanted - {"key encipherment"}):
        return None
    return f"usages did not match [{' '.join(sorted(wanted))}]"


def _check_no_names(
    request: x509.CertificateSigningRequest, kind: type[x509.GeneralName], word: str
) -> Complaint:
    return f"{word} subjectAltNames are not allowed" if _names(request, kind) else None


def _names(
    request: x509.CertificateSigningRequest, kind: type[x509.GeneralName]
) -> list[x509.GeneralName]:
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name for name in found if isinstance(name, kind)]
