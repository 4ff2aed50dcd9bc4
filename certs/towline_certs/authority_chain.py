"""An authority's certificates as somebody stored them: their order, and whether they may issue."""

from collections.abc import Mapping
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from towline_api.errors import ConfigError
from towline_certs.certificates import is_issued_by, parse_chain
from towline_certs.validity import validity_of

_NOT_AN_AUTHORITY = (
    "certificate of the signing authority may not issue certificates: "
    "its basicConstraints do not say CA"
)


def parse_authority_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Return an authority's certificate and those above it, which a PEM text holds in this order.

    Raises:
        ConfigError: There is none, one may not issue certificates, one did not issue the one before
            it, or they are never valid together.
    """
    try:
        chain = parse_chain(pem)
        for certificate in chain:
            check_may_issue(certificate)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        # What the library says may quote what it read, and a key may stand there by mistake.
        raise ConfigError(
            "certificate of the signing authority cannot be read, expected PEM"
        ) from None
    for position, (lower, upper) in enumerate(pairwise(chain), start=2):
        if not is_issued_by(lower, upper):
            raise ConfigError(
                f"certificate {position} of the signing authority's did not issue the one before "
                "it; expected its own certificate first, then those above it in order"
            )
    try:
        validity_of(chain)
    except ValueError as error:
        raise ConfigError(
            f"certificates of the signing authority are never valid together: {error}"
        ) from error
    return chain


def check_may_issue(certificate: x509.Certificate) -> None:
    """Raise unless a certificate is an authority's.

    Raises:
        ConfigError: Its extensions do not let it issue others.
        ValueError: Its extensions cannot be read.
    """
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise ConfigError(_NOT_AN_AUTHORITY) from None
    if not constraints.ca:
        raise ConfigError(_NOT_AN_AUTHORITY)
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise ConfigError(
            "certificate of the signing authority may not issue certificates: its keyUsage does "
            "not hold keyCertSign"
        )


def strictness_problem(certificate: x509.Certificate) -> str | None:
    """Return what strict verifiers will not accept about an authority's certificate, if anything.

    RFC 5280 section 4.2.1 wants it; OpenSSL's strict mode, which Python has used since 3.13,
    insists. Others do not care.

    Args:
        certificate: One that `parse_authority_chain` returned.
    """
    extensions = certificate.extensions
    wanted: list[type[x509.ExtensionType]] = [x509.SubjectKeyIdentifier, x509.KeyUsage]
    if certificate.issuer != certificate.subject:
        wanted.append(x509.AuthorityKeyIdentifier)
    present = {type(extension.value) for extension in extensions}
    missing = [_EXTENSION_NAMES[each] for each in wanted if each not in present]
    if missing:
        return f"it lacks {', '.join(missing)}"
    if not extensions.get_extension_for_class(x509.BasicConstraints).critical:
        return "its basicConstraints are not critical"
    return None


_EXTENSION_NAMES: Mapping[type[x509.ExtensionType], str] = {
    x509.SubjectKeyIdentifier: "subjectKeyIdentifier",
    x509.AuthorityKeyIdentifier: "authorityKeyIdentifier",
    x509.KeyUsage: "keyUsage",
}
