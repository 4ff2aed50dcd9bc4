"""Whom a client certificate makes its holder, and when it makes them nobody."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from support.policies import NOW
from towline_certs.authority import (
    CLIENT_ONLY,
    SERVER_ONLY,
    Authority,
    ExtendedUsage,
    create_authority,
)
from towline_certs.certificates import parse_chain
from towline_certs.identities import Subject
from towline_certs.keys import generate_key
from towline_sandbox.embedded.access.client_certificates import ClientCertificates
from towline_sandbox.embedded.model.failures import ApiFailure

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return the authority for clients."""
    return create_authority("clients", now=NOW, lifetime=DAY * 10, backdate=DAY)


def _issue(
    authority: Authority,
    *,
    name: str = "alice",
    groups: Sequence[str] = (),
    usages: frozenset[ExtendedUsage] = CLIENT_ONLY,
) -> bytes:
    pem = authority.issue(
        generate_key().public_key(),
        subject=Subject(name, frozenset(groups)),
        now=NOW,
        lifetime=DAY,
        usages=usages,
    )
    return parse_chain(pem)[0].public_bytes(Encoding.DER)


def test_common_name_is_the_user_and_organizations_are_the_groups(authority: Authority) -> None:
    """Kubernetes' rule, by which every agent has its identity."""
    der = _issue(authority, groups=("b", "a"))
    user = ClientCertificates([authority.certificate]).find_user(der, now=NOW)
    assert user is not None
    assert user.name == "alice"
    assert user.groups == ("a", "b", "system:authenticated")
    (credential,) = user.extra["authentication.kubernetes.io/credential-id"]
    assert credential == f"X509SHA256={parse_chain_fingerprint(der)}"


def parse_chain_fingerprint(der: bytes) -> str:
    """Return what `openssl x509 -fingerprint -sha256` shows, as Kubernetes writes it."""
    return x509.load_der_x509_certificate(der).fingerprint(SHA256()).hex()


@pytest.mark.parametrize(
    ("after", "is_good"),
    [
        pytest.param(-timedelta(seconds=1), False, id="not-yet-valid"),
        pytest.param(timedelta(0), True, id="first-instant"),
        pytest.param(DAY, True, id="last-instant"),
        pytest.param(DAY + timedelta(seconds=1), False, id="expired"),
    ],
)
def test_dates_are_checked_on_every_call(
    authority: Authority, after: timedelta, is_good: bool
) -> None:
    """A connection may stay open long after its certificate has expired."""
    der = _issue(authority)
    certificates = ClientCertificates([authority.certificate])
    assert certificates.find_user(der, now=NOW) is not None
    if is_good:
        assert certificates.find_user(der, now=NOW + after) is not None
        return
    with pytest.raises(ApiFailure) as failure:
        certificates.find_user(der, now=NOW + after)
    assert failure.value.code == 401


def test_a_certificate_of_somebody_else_is_refused(authority: Authority) -> None:
    """An authority of the same name is another authority all the same."""
    other = create_authority("clients", now=NOW, lifetime=DAY * 10)
    with pytest.raises(ApiFailure) as failure:
        ClientCertificates([authority.certificate]).find_user(_issue(other), now=NOW)
    assert failure.value.code == 401


def test_a_certificate_for_servers_is_refused(authority: Authority) -> None:
    """Whoever holds a serving certificate is not a user by that."""
    der = _issue(authority, usages=SERVER_ONLY)
    with pytest.raises(ApiFailure) as failure:
        ClientCertificates([authority.certificate]).find_user(der, now=NOW)
    assert failure.value.code == 401


def test_a_certificate_without_common_name_names_nobody(authority: Authority) -> None:
    """It is no credential then, so its holder is anonymous, not refused."""
    key = generate_key()
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "devs")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .sign(authority.key, SHA256())
    )
    der = certificate.public_bytes(Encoding.DER)
    assert ClientCertificates([authority.certificate]).find_user(der, now=NOW) is None


def test_garbage_is_refused(authority: Authority) -> None:
    """What cannot be read is no certificate."""
    with pytest.raises(ApiFailure):
        ClientCertificates([authority.certificate]).find_user(b"garbage", now=NOW)
