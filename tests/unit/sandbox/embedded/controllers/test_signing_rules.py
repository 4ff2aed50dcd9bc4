"""Approved requests are answered as Kubernetes' signers answer them; tried on a real plane."""

import base64
import ipaddress
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from towline_api.errors import ConfigError
from towline_api.resources import KubeObject
from towline_certs.authority import Authority, create_authority
from towline_certs.identities import Subject
from towline_certs.requests import build_request
from towline_sandbox.embedded.controllers.signing_rules import answered, granted_lifetime

NOW = datetime(2026, 6, 1, 12, 0, 0, 654321, tzinfo=UTC)
SECOND = NOW.replace(microsecond=0)
YEAR = timedelta(days=365)
CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
APPROVED = {"type": "Approved", "status": "True"}
NODE = (("CN", "system:node:n1"), ("O", "system:nodes"))

_OIDS = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
}


@cache
def authority() -> Authority:
    """Return the plane's authority, which lasts ten years."""
    return create_authority("ca", now=NOW, lifetime=10 * YEAR)


def request(
    *subject: tuple[str, str],
    names: tuple[x509.GeneralName, ...] = (),
    signer: str = CLIENT,
    usages: tuple[str, ...] = ("client auth",),
    conditions: tuple[KubeObject, ...] = (APPROVED,),
    **spec: object,
) -> KubeObject:
    """Return a CertificateSigningRequest."""
    parts = [x509.NameAttribute(_OIDS[name], value) for name, value in subject]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(parts))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    pem = base64.b64encode(signed.public_bytes(Encoding.PEM)).decode()
    return {
        "metadata": {"name": "r"},
        "spec": {"request": pem, "signerName": signer, "usages": list(usages), **spec},
        "status": {"conditions": list(conditions)},
    }


def issue(csr: KubeObject, *, now: datetime = NOW, longest: timedelta = YEAR) -> x509.Certificate:
    """Return the certificate that a request is answered with."""
    status = answered(csr, authority=authority(), longest=longest, now=now)
    assert status is not None
    return x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))


def complaint(csr: KubeObject) -> str:
    """Return why a request failed."""
    status = answered(csr, authority=authority(), longest=YEAR, now=NOW)
    assert status is not None
    assert "certificate" not in status
    failed = status["conditions"][-1]
    assert (failed["type"], failed["status"]) == ("Failed", "True")
    assert failed["reason"] == "SignerValidationFailure"
    return str(failed["message"])


@pytest.mark.parametrize(
    "csr",
    [
        pytest.param(request(conditions=()), id="pending"),
        pytest.param(request(conditions=({"type": "Denied", "status": "True"},)), id="denied"),
        pytest.param(
            request(conditions=(APPROVED, {"type": "Denied", "status": "True"})),
            id="approved-but-denied",
        ),
        pytest.param(
            request(conditions=(APPROVED, {"type": "Failed", "status": "True"})), id="failed"
        ),
        pytest.param(request(signer="example.com/x"), id="others-signer"),
        pytest.param({**request(), "status": {"certificate": "x"}}, id="issued"),
        pytest.param({**request(), "status": {}}, id="no-conditions"),
    ],
)
def test_a_request_that_is_not_to_be_signed_is_left_alone(csr: KubeObject) -> None:
    """Approval is the only thing between a stranger and a certificate."""
    assert answered(csr, authority=authority(), longest=YEAR, now=NOW) is None


def test_a_certificate_says_what_the_request_said() -> None:
    """Its groups in one set, its usages those of the object, and nothing else."""
    csr = request(
        ("CN", "cn"),
        ("O", "b"),
        ("O", "a"),
        ("OU", "ou"),
        names=(x509.DNSName("a.b"), x509.IPAddress(ipaddress.ip_address("1.2.3.4"))),
        usages=("digital signature", "key encipherment", "client auth"),
    )
    leaf = issue(csr)
    found = [{(part.oid, part.value) for part in rdn} for rdn in leaf.subject.rdns]
    assert found == [
        {(_OIDS["O"], "a"), (_OIDS["O"], "b")},
        {(_OIDS["OU"], "ou")},
        {(_OIDS["CN"], "cn")},
    ]
    by_type = {type(extension.value): extension for extension in leaf.extensions}
    assert list(by_type) == [
        x509.KeyUsage,
        x509.ExtendedKeyUsage,
        x509.BasicConstraints,
        x509.AuthorityKeyIdentifier,
        x509.SubjectAlternativeName,
    ]
    assert [extension.critical for extension in leaf.extensions] == [
        True,
        False,
        True,
        False,
        False,
    ]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (
        True,
        True,
        False,
    )
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    leaf.verify_directly_issued_by(authority().certificate)


def test_what_is_not_asked_for_is_not_there() -> None:
    """No key usage unless it was asked for."""
    leaf = issue(request(("CN", "cn")))
    assert not any(isinstance(each.value, x509.KeyUsage) for each in leaf.extensions)
    assert not any(isinstance(each.value, x509.SubjectAlternativeName) for each in leaf.extensions)


@pytest.mark.parametrize(
    ("asked", "longest", "granted"),
    [
        (None, YEAR, YEAR),
        (600, YEAR, timedelta(minutes=10)),
        (1, YEAR, timedelta(minutes=10)),
        (3600, timedelta(minutes=30), timedelta(minutes=30)),
        (600, timedelta(minutes=1), timedelta(minutes=1)),
        (20 * 365 * 86400, YEAR, YEAR),
    ],
)
def test_a_lifetime_is_bounded(asked: int | None, longest: timedelta, granted: timedelta) -> None:
    """By the signer's limit, and from below by ten minutes."""
    assert granted_lifetime(asked, longest=longest) == granted


def test_certificates_begin_five_minutes_ago() -> None:
    """Short ones end when asked; long ones five minutes earlier, which nobody notices."""
    short = issue(request(("CN", "c"), expirationSeconds=600))
    assert short.not_valid_before_utc == SECOND - timedelta(minutes=5)
    assert short.not_valid_after_utc == SECOND + timedelta(minutes=10)
    long = issue(request(("CN", "c"), expirationSeconds=8 * 3600))
    assert long.not_valid_after_utc - long.not_valid_before_utc == timedelta(hours=8)


def test_a_certificate_does_not_outlive_its_authority() -> None:
    """And an authority that has ended signs nothing."""
    end = authority().certificate.not_valid_after_utc
    leaf = issue(request(("CN", "c")), now=end - timedelta(days=1))
    assert leaf.not_valid_after_utc == end
    with pytest.raises(ConfigError, match="expired"):
        issue(request(("CN", "c")), now=end)


@pytest.mark.parametrize(
    ("csr", "message"),
    [
        (
            request(("CN", "c"), usages=("client auth", "server auth")),
            "invalid usage for client certificate: server auth",
        ),
        (
            request(("CN", "c"), usages=("digital signature",)),
            "missing required usage for client certificate: client auth",
        ),
        (
            request(("CN", "c"), signer=KUBELET_CLIENT, usages=("client auth",)),
            "subject organization is not system:nodes",
        ),
        (
            request(*NODE, names=(x509.DNSName("a"),), signer=KUBELET_CLIENT),
            "DNS subjectAltNames are not allowed",
        ),
        (
            request(("CN", "x"), ("O", "system:nodes"), signer=KUBELET_CLIENT),
            "subject common name does not begin with system:node:",
        ),
        (
            request(*NODE, signer=KUBELET_CLIENT, usages=("client auth",)),
            "usages did not match [client auth digital signature key encipherment]",
        ),
        (request(*NODE, signer=KUBELET_SERVING), "DNS or IP subjectAltName is required"),
    ],
)
def test_a_request_that_breaks_its_signers_rules_fails_for_good(
    csr: KubeObject, message: str
) -> None:
    """The requester reads why in the object; there is no second try."""
    assert complaint(csr) == message


def test_kubelets_are_signed_for() -> None:
    """Nothing here runs kubelets, but tests may play one."""
    usages = ("digital signature", "client auth")
    issue(request(*NODE, signer=KUBELET_CLIENT, usages=usages))
    serving = request(
        *NODE,
        names=(x509.DNSName("n1"),),
        signer=KUBELET_SERVING,
        usages=("digital signature", "server auth", "key encipherment"),
    )
    issue(serving)


def test_a_failure_is_added_to_what_was_decided() -> None:
    """The approval stays, and so does everything else in the status."""
    csr = request(("CN", "c"), usages=())
    status = answered(csr, authority=authority(), longest=YEAR, now=NOW)
    assert status is not None
    assert status["conditions"][0] == APPROVED
    assert status["conditions"][1]["lastTransitionTime"] == "2026-06-01T12:00:00Z"


@pytest.mark.parametrize(
    ("signer", "usages", "subject"),
    [
        (
            CLIENT,
            ("client auth",),
            Subject("system:open-cluster-management:" + "c" * 70, frozenset({"o" * 81})),
        ),
        (
            KUBELET_CLIENT,
            ("client auth", "digital signature"),
            Subject("system:node:" + "n" * 81, frozenset({"system:nodes"})),
        ),
    ],
)
def test_names_may_be_long(signer: str, usages: tuple[str, ...], subject: Subject) -> None:
    """X.520 once had limits that Kubernetes' names do not know: nobody is reminded of them."""
    pem = build_request(ec.generate_private_key(ec.SECP256R1()), subject=subject)
    csr = request(*NODE, signer=signer, usages=usages)
    csr["spec"]["request"] = base64.b64encode(pem).decode()
    status = answered(csr, authority=authority(), longest=YEAR, now=NOW)
    assert status is not None
    assert "certificate" in status, status
