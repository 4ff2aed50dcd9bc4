"""The certificates that Kubernetes' own signer makes, field by field.

It puts into a certificate what the request says about its owner, the usages that the request object
names, and nothing else: no key usage at all if none was asked for, no subject key identifier.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from towline_api.errors import ConfigError
from towline_certs.authority import Authority
from towline_certs.keys import signature_hash
from towline_sandbox.embedded.request_subjects import subject_of

BACKDATE = timedelta(minutes=5)
"""How far before now a certificate begins, for peers whose clocks are behind."""

_LONG = timedelta(hours=8)
"""From here on five minutes do not matter, and the end is counted from the backdated beginning."""

_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED_KEY_USAGES = {
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
}

_SUBJECT_ORDER = (
    NameOID.COUNTRY_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.STREET_ADDRESS,
    NameOID.POSTAL_CODE,
    NameOID.COMMON_NAME,
    NameOID.SERIAL_NUMBER,
)
"""The attributes that survive, in the order they are written."""
_SINGLE = (NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER)


def sign(
    request: x509.CertificateSigningRequest,
    *,
    usages: Sequence[str],
    lifetime: timedelta,
    authority: Authority,
    now: datetime,
) -> bytes:
    """Return the certificate (PEM) that answers a request.

    Args:
        request: Whose subject, alternative names and key the certificate takes over.
        usages: `spec.usages` of the request object, those of `kube-apiserver-client` and kubelets.
        lifetime: How long the certificate is to be valid; cut to what the authority has left.
        authority: Signs it.
        now: The moment of signing, aware UTC.

    Raises:
        ConfigError: The authority has expired.
    """
    last = authority.certificate.not_valid_after_utc
    if now >= last:
        raise ConfigError(f"signing authority expired at {last:%Y-%m-%dT%H:%M:%SZ}; replace it")
    now = now.replace(microsecond=0)
    begins = now - BACKDATE
    ends = (now if lifetime < _LONG else begins) + lifetime
    builder = (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .issuer_name(authority.certificate.subject)
        .subject_name(_subject(subject_of(request)))
        .public_key(request.public_key())
        .not_valid_before(begins)
        .not_valid_after(min(ends, last))
    )
    for extension, critical in _extensions(request, usages=usages, authority=authority):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(authority.key, signature_hash(authority.key))
    return certificate.public_bytes(Encoding.PEM)


def _extensions(
    request: x509.CertificateSigningRequest, *, usages: Sequence[str], authority: Authority
) -> Sequence[tuple[x509.ExtensionType, bool]]:
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    asked = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if asked:
        flags = {name: name in asked for name in _KEY_USAGES.values()}
        extensions.append((x509.KeyUsage(**flags), True))
    extended = {
        _EXTENDED_KEY_USAGES[usage]: None for usage in usages if usage in _EXTENDED_KEY_USAGES
    }
    if extended:
        in_order = sorted(extended, key=lambda oid: oid.dotted_string)
        extensions.append((x509.ExtendedKeyUsage(in_order), False))
    extensions.append((x509.BasicConstraints(ca=False, path_length=None), True))
    own = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    key_identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
    extensions.append((key_identifier, False))
    names = _alternative_names(request)
    if names:
        # A certificate without a subject is known by these names alone.
        extensions.append((x509.SubjectAlternativeName(names), not list(subject_of(request))))
    return extensions


def _alternative_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kinds = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
    return [name for kind in kinds for name in found if isinstance(name, kind)]


def _subject(asked: x509.Name) -> x509.Name:
    parts = []
    for oid in _SUBJECT_ORDER:
        attributes = asked.get_attributes_for_oid(oid)
        if oid in _SINGLE:
            attributes = attributes[-1:]
        if attributes:
            parts.append(x509.RelativeDistinguishedName(dict.fromkeys(attributes)))
    return x509.Name(parts)
