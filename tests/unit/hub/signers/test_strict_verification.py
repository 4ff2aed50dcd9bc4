"""Certificates by every kind of authority, in handshakes with TLS at its strictest."""

import os
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from support.csrs import key_of
from towline_certs import Authority, KeyKind, Subject, create_authority, format_key
from towline_certs.authority import CLIENT_ONLY, SERVER_ONLY, ExtendedUsage
from towline_certs.keys import signature_hash

LIFE = timedelta(hours=1)
SUBJECT = Subject("agent", frozenset({"group"}))


def authority(kind: KeyKind | None) -> Authority:
    """Return an authority, valid now as far as TLS is concerned; None is P-521."""
    made = create_authority(
        "ca", now=datetime.now(UTC), lifetime=LIFE, backdate=timedelta(minutes=10)
    )
    key = ec.generate_private_key(ec.SECP521R1()) if kind is None else key_of(kind)
    own = x509.BasicConstraints(ca=True, path_length=0)
    usage = made.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(made.certificate.subject)
        .issuer_name(made.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made.certificate.not_valid_before_utc)
        .not_valid_after(made.certificate.not_valid_after_utc)
        .add_extension(own, critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, signature_hash(key))
    )
    return Authority(certificate, key)


def context(signer: Authority, *, server: bool, usages: frozenset[ExtendedUsage]) -> ssl.SSLContext:
    """Return one side of a handshake in which each trusts the authority alone, strictly."""
    key = key_of(KeyKind.ECDSA_P256)
    leaf = signer.issue(
        key.public_key(),
        subject=SUBJECT,
        now=datetime.now(UTC),
        lifetime=LIFE,
        dns_names=["addon.example.com"],
        usages=usages,
        backdate=timedelta(minutes=5),
    )
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_verify_locations(cadata=signer.certificate_pem.decode())
    descriptor = os.memfd_create("pair")
    try:
        os.write(descriptor, leaf + format_key(key))
        made.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return made


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
    """Run a handshake in memory; return the server's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="addon.example.com"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1]


@pytest.mark.parametrize("kind", [*KeyKind, None])
def test_both_sides_accept_each_other(kind: KeyKind | None) -> None:
    """Python is strict since 3.13, and others before it."""
    signer = authority(kind)
    both = CLIENT_ONLY | SERVER_ONLY
    server = shake_hands(
        context(signer, server=False, usages=CLIENT_ONLY),
        context(signer, server=True, usages=both),
    )
    seen = server.getpeercert()
    assert seen is not None
    assert (("commonName", "agent"),) in seen["subject"]


def test_a_certificate_for_clients_is_none_for_a_server() -> None:
    """An agent must not be able to play the service it talks to."""
    signer = authority(KeyKind.ECDSA_P256)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(
            context(signer, server=False, usages=CLIENT_ONLY),
            context(signer, server=True, usages=CLIENT_ONLY),
        )
