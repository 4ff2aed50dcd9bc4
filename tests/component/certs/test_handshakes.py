"""Certificates of ours in real TLS handshakes, judged by OpenSSL at its strictest.

Each check that passes has a twin that must fail, so that the first cannot pass for no reason.
Times are real: TLS knows no other clock.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from towline_certs import (
    CLIENT_ONLY,
    SERVER_ONLY,
    AddonIdentity,
    Authority,
    ExtendedUsage,
    KeyKind,
    Subject,
    create_authority,
    format_key,
    generate_key,
)

IDENTITY = AddonIdentity("cluster-with-a-long-name", "addon-with-a-long-name", "agent")
HOUR = timedelta(hours=1)
KINDS = [KeyKind.ECDSA_P256, KeyKind.ECDSA_P384, KeyKind.RSA_2048, KeyKind.ED25519]


def now() -> datetime:
    return datetime.now(UTC)


def authority(kind: KeyKind = KeyKind.ECDSA_P256, *, age=timedelta(0)) -> Authority:
    return create_authority("hub", now=now() - age, lifetime=age + HOUR, key_kind=kind)


@dataclass
class Parties:
    """What each side shows and whom it trusts."""

    folder: Path
    server_authority: Authority
    client_authority: Authority
    trusted_by_client: Authority
    trusted_by_server: Authority
    key_kind: KeyKind = KeyKind.ECDSA_P256
    host: str = "localhost"
    server_usages: frozenset[ExtendedUsage] = SERVER_ONLY
    client_usages: frozenset[ExtendedUsage] = CLIENT_ONLY
    client_age: timedelta = timedelta(0)

    def context(self, purpose, issuer, trusted, *, subject, usages, age=timedelta(0), **names):
        key = generate_key(self.key_kind)
        certificate = issuer.issue(
            key.public_key(),
            subject=subject,
            now=now() - age,
            lifetime=timedelta(minutes=5),
            usages=usages,
            **names,
        )
        file = self.folder / f"{purpose}.pem"
        file.write_bytes(format_key(key) + certificate)
        context = ssl.SSLContext(purpose)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=trusted.certificate_pem.decode())
        context.load_cert_chain(file)
        return context

    def shake_hands(self) -> dict[str, Any]:
        """Do the handshake in memory and return the client's certificate as the server sees it."""
        server = self.context(
            ssl.PROTOCOL_TLS_SERVER,
            self.server_authority,
            self.trusted_by_server,
            subject=Subject("hub", frozenset()),
            usages=self.server_usages,
            dns_names=["localhost"],
            ip_addresses=["127.0.0.1"],
        )
        client = self.context(
            ssl.PROTOCOL_TLS_CLIENT,
            self.client_authority,
            self.trusted_by_client,
            subject=IDENTITY.subject,
            usages=self.client_usages,
            age=self.client_age,
        )
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server_side = server.wrap_bio(to_server, to_client, server_side=True)
        client_side = client.wrap_bio(to_client, to_server, server_hostname=self.host)
        sides = [server_side, client_side]
        for _ in range(10):
            for side in list(sides):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                sides.remove(side)
            if not sides:
                return server_side.getpeercert() or {}
        raise AssertionError("the handshake does not end")


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    """Return two sides that trust each other."""
    ours = authority()
    return Parties(tmp_path, ours, ours, ours, ours)


@pytest.mark.parametrize("kind", KINDS)
def test_a_strict_handshake_succeeds_both_ways(tmp_path, kind):
    """The server proves its host, the client its identity, for every kind of key."""
    ours = authority(kind)
    seen = Parties(tmp_path, ours, ours, ours, ours, key_kind=kind).shake_hands()
    subject = [pair for rdn in seen["subject"] for pair in rdn]
    assert ("commonName", IDENTITY.user) in subject
    assert sorted(value for name, value in subject if name == "organizationName") == sorted(
        IDENTITY.groups
    )


def test_an_address_is_a_host_too(parties):
    """Sandboxes are reached by address."""
    parties.host = "127.0.0.1"
    parties.shake_hands()


@pytest.mark.parametrize("host", ["hub.example", "127.0.0.2"])
def test_another_host_is_refused(parties, host):
    """Twin: the host name is checked at all."""
    parties.host = host
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        parties.shake_hands()


def test_a_server_by_another_authority_is_refused(parties):
    """Twin: trust comes from the authority's key, not from its name."""
    parties.server_authority = authority()
    with pytest.raises(ssl.SSLCertVerificationError):
        parties.shake_hands()


def test_a_client_by_another_authority_is_refused(parties):
    """Twin, the other way."""
    parties.client_authority = authority()
    with pytest.raises(ssl.SSLCertVerificationError):
        parties.shake_hands()


def test_an_expired_client_is_refused(parties):
    """Twin: lifetimes are checked."""
    old = authority(age=2 * HOUR)
    parties.client_authority = parties.trusted_by_server = old
    parties.client_age = HOUR
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        parties.shake_hands()


def test_a_client_certificate_is_no_server_certificate(parties):
    """An agent's credential must not let it pose as the hub."""
    parties.server_usages = CLIENT_ONLY
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|unsuitable"):
        parties.shake_hands()


def test_a_server_certificate_is_no_client_certificate(parties):
    """Nor the hub's certificate pass for an agent."""
    parties.client_usages = SERVER_ONLY
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|unsuitable"):
        parties.shake_hands()
