"""Certificates as others issued them: reading a chain, its leaf's subject, its trust."""

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from towline_certs.der import INTEGER, SEQUENCE, DerError, expect, read_element
from towline_certs.distinguished_names import find_plain_subject, parse_name
from towline_certs.identities import Subject

_VERSION_TAG = 0xA0
_LONGEST_CHAIN = 8


def parse_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM text, the leaf first.

    Explanatory text between the blocks is passed over, as Kubernetes allows a signer to write it.

    Raises:
        ValueError: There is no certificate, or one that cannot be decoded.
    """
    return tuple(x509.load_pem_x509_certificates(pem))


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate in DER, as 64 hex digits."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def find_subject(certificate: x509.Certificate) -> Subject | None:
    """Return a certificate's subject, or None when a `Subject` cannot hold all of it."""
    try:
        fields = list(read_element(certificate.tbs_certificate_bytes, tag=SEQUENCE).children())
        if fields and fields[0].tag == _VERSION_TAG:
            del fields[0]
        # serialNumber, signature, issuer, validity, subject: RFC 5280 section 4.1
        expect(fields[0] if fields else None, INTEGER)
        name = expect(fields[4] if len(fields) > 4 else None, SEQUENCE)
        return find_plain_subject(parse_name(name.whole))
    except DerError:
        return None


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Return whether a certificate says that its holder may use it as a client."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def is_trusted(
    chain: Sequence[x509.Certificate], *, authorities: Sequence[x509.Certificate]
) -> bool:
    """Return whether signatures lead from the leaf to one of the authorities.

    Looks at names, signatures and basicConstraints; dates are the caller's (`validity_of`), and
    what the peer of a connection makes of the chain is that peer's.
    """
    current, others = chain[0], list(chain[1:])
    for _ in range(_LONGEST_CHAIN):
        if any(is_issued_by(current, authority) for authority in authorities):
            return True
        issuer = next((each for each in others if is_issued_by(current, each)), None)
        if issuer is None:
            return False
        others.remove(issuer)
        current = issuer
    return False


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether names and signature say that an authority issued a certificate."""
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        InvalidSignature,
        UnsupportedAlgorithm,
        ValueError,
        TypeError,
    ):
        return False
    return constraints.ca
