"""A certificate authority of our own: makes its root, issues leaves, as RFC 5280 section 4 asks.

Every extension a strict verifier wants is there with its criticality (Python verifies strictly
since 3.13). Subject and names of a leaf come from the caller, never from anybody's request.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from towline_api.errors import ConfigError
from towline_certs.authority_chain import parse_authority_chain
from towline_certs.distinguished_names import format_name
from towline_certs.identities import Subject
from towline_certs.keys import (
    KeyKind,
    PrivateKey,
    PublicKey,
    generate_key,
    parse_authority_key,
    signature_hash,
)
from towline_certs.validity import Validity, validity_of


class ExtendedUsage(Enum):
    """What the holder of a leaf may use it for."""

    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


CLIENT_ONLY = frozenset({ExtendedUsage.CLIENT})
SERVER_ONLY = frozenset({ExtendedUsage.SERVER})


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that issues leaves.

    Args:
        certificate: Its own certificate.
        key: Signs what it issues.
        issuers: The certificates above its own, nearest first, as far as they are known.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    issuers: tuple[x509.Certificate, ...] = ()

    @classmethod
    def parse(cls, *, certificate_pem: bytes, key_pem: bytes) -> Self:
        """Return the authority stored as PEM; of several certificates the first one signs.

        Raises:
            ConfigError: One of them cannot be read, they do not belong together, or the certificate
                may not issue others.
        """
        key = parse_authority_key(key_pem)
        return cls.of(parse_authority_chain(certificate_pem), key=key)

    @classmethod
    def of(cls, chain: Sequence[x509.Certificate], *, key: PrivateKey) -> Self:
        """Return the authority with a chain from `parse_authority_chain`.

        Raises:
            ConfigError: Its first certificate belongs to another key.
        """
        if chain[0].public_key() != key.public_key():
            raise ConfigError("certificate of the signing authority belongs to another key")
        return cls(chain[0], key, tuple(chain[1:]))

    @property
    def certificate_pem(self) -> bytes:
        """Its certificate, for whoever is to trust it."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def anchor(self) -> x509.Certificate:
        """The highest certificate known above what it issues, its own if there is none."""
        return self.issuers[-1] if self.issuers else self.certificate

    @property
    def intermediates_pem(self) -> bytes:
        """What goes with a leaf, so that whoever trusts the root alone can follow: no root."""
        return b"".join(
            each.public_bytes(Encoding.PEM)
            for each in (self.certificate, *self.issuers)
            if each.issuer != each.subject
        )

    @property
    def validity(self) -> Validity:
        """When it, and everything known above it, is valid."""
        return validity_of((self.certificate, *self.issuers))

    def issue(
        self,
        public_key: PublicKey,
        *,
        subject: Subject,
        now: datetime,
        lifetime: timedelta,
        dns_names: Sequence[str] = (),
        ip_addresses: Sequence[str] = (),
        usages: frozenset[ExtendedUsage] = CLIENT_ONLY,
        backdate: timedelta = timedelta(0),
    ) -> bytes:
        """Return a leaf certificate as PEM.

        Args:
            public_key: Whose certificate it is.
            subject: What it says about its owner.
            now: The moment of issuing, aware UTC.
            lifetime: How long from `now` it is valid; cut to what the authority itself has left.
            dns_names: Subject alternative names, as hosts.
            ip_addresses: Subject alternative names, as addresses.
            usages: Extended key usages.
            backdate: How far before `now` it starts, for peers whose clocks are behind.

        Raises:
            ConfigError: The authority is not valid at `now`.
            ValueError: The lifetime is not positive, or no usage is given.
        """
        if lifetime <= timedelta(0) or not usages:
            raise ValueError("a certificate needs a positive lifetime and at least one usage")
        validity = self.validity
        starts, ends = validity.not_before, validity.not_after
        if not starts <= now < ends:
            raise ConfigError(
                f"signing authority is valid from {starts:%Y-%m-%dT%H:%M:%SZ} to "
                f"{ends:%Y-%m-%dT%H:%M:%SZ}, not at {now:%Y-%m-%dT%H:%M:%SZ}; replace it"
            )
        not_before = max(_whole_second(now - backdate), starts)
        not_after = min(_whole_second(now + lifetime), ends)
        builder = (
            _builder(public_key, issuer=self.certificate.subject, subject=format_name(subject))
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_leaf_key_usage(public_key), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(sorted((each.value for each in usages), key=str)),
                critical=False,
            )
            .add_extension(self._authority_key_identifier(), critical=False)
        )
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, signature_hash(self.key)).public_bytes(Encoding.PEM)

    def _authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def create_authority(
    common_name: str,
    *,
    now: datetime,
    lifetime: timedelta,
    key_kind: KeyKind = KeyKind.ECDSA_P256,
    backdate: timedelta = timedelta(0),
) -> Authority:
    """Return a new self-signed authority that may issue leaves but no further authorities.

    Args:
        common_name: Its name.
        now: The moment of making it, aware UTC.
        lifetime: How long from `now` it is valid.
        key_kind: Kind of its key.
        backdate: How far before `now` it starts.
    """
    key = generate_key(key_kind)
    name = format_name(Subject(common_name, frozenset()))
    certificate = (
        _builder(key.public_key(), issuer=name, subject=name)
        .not_valid_before(_whole_second(now - backdate))
        .not_valid_after(_whole_second(now + lifetime))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_AUTHORITY_KEY_USAGE, critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, signature_hash(key))
    )
    return Authority(certificate, key)


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    signs_certificates: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


_AUTHORITY_KEY_USAGE = _key_usage(digital_signature=True, signs_certificates=True)


def _leaf_key_usage(public_key: PublicKey) -> x509.KeyUsage:
    # RFC 8813 section 3 forbids keyEncipherment for elliptic curves, which encipher nothing.
    return _key_usage(
        digital_signature=True, key_encipherment=isinstance(public_key, rsa.RSAPublicKey)
    )


def _builder(
    public_key: PublicKey, *, issuer: x509.Name, subject: x509.Name
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
