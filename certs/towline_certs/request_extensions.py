"""The extensions a certificate request asks for, every kind of alternative name among them."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

SUBJECT_ALTERNATIVE_NAME = ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string
BASIC_CONSTRAINTS = ExtensionOID.BASIC_CONSTRAINTS.dotted_string
KEY_USAGE = ExtensionOID.KEY_USAGE.dotted_string
EXTENDED_KEY_USAGE = ExtensionOID.EXTENDED_KEY_USAGE.dotted_string


@dataclass(frozen=True, slots=True)
class AlternativeNames:
    """Subject alternative names by kind, each in the order of the request.

    Args:
        dns_names: dNSName.
        email_addresses: rfc822Name.
        ip_addresses: iPAddress, in text.
        uris: uniformResourceIdentifier.
        directory_names: directoryName, as RFC 4514 text.
        registered_ids: registeredID, dotted.
        other_names: otherName, the OID of its type.
    """

    dns_names: tuple[str, ...] = ()
    email_addresses: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    directory_names: tuple[str, ...] = ()
    registered_ids: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the names for messages: `DNS:a, URI:b`, or `none`."""
        kinds = (
            ("DNS", self.dns_names),
            ("email", self.email_addresses),
            ("IP", self.ip_addresses),
            ("URI", self.uris),
            ("directory", self.directory_names),
            ("registered-id", self.registered_ids),
            ("other", self.other_names),
        )
        return ", ".join(f"{kind}:{value}" for kind, values in kinds for value in values) or "none"


@dataclass(frozen=True, slots=True)
class RequestedExtension:
    """One extension of a request.

    Args:
        oid: Its type, dotted.
        critical: Whether a reader that does not know it must refuse.
    """

    oid: str
    critical: bool


@dataclass(frozen=True, slots=True)
class RequestedExtensions:
    """What the extensions of a request ask for.

    Args:
        extensions: All of them, in order.
        alternative_names: Subject alternative names.
        is_ca: basicConstraints with `cA` true.
        key_usages: RFC 5280 names of the keyUsage bits.
        extended_key_usages: OIDs of the extendedKeyUsage.
    """

    extensions: tuple[RequestedExtension, ...]
    alternative_names: AlternativeNames
    is_ca: bool
    key_usages: frozenset[str]
    extended_key_usages: frozenset[str]


def read_extensions(request: x509.CertificateSigningRequest) -> RequestedExtensions:
    """Return what a request's extensions ask for.

    Raises:
        ValueError: An extension cannot be decoded.
        x509.DuplicateExtension: One comes twice.
        x509.UnsupportedGeneralNameType: An alternative name is of a kind nobody uses.
    """
    names, is_ca = AlternativeNames(), False
    key_usages: frozenset[str] = frozenset()
    extended: frozenset[str] = frozenset()
    extensions = list(request.extensions)
    for extension in extensions:
        match extension.value:
            case x509.SubjectAlternativeName() as value:
                names = _alternative_names(list(value))
            case x509.BasicConstraints() as value:
                is_ca = value.ca
            case x509.KeyUsage() as value:
                key_usages = _key_usages(value)
            case x509.ExtendedKeyUsage() as value:
                extended = frozenset(usage.dotted_string for usage in value)
            case _:
                pass  # listed by its OID, and that is enough to refuse it
    return RequestedExtensions(
        extensions=tuple(
            RequestedExtension(extension.oid.dotted_string, extension.critical)
            for extension in extensions
        ),
        alternative_names=names,
        is_ca=is_ca,
        key_usages=key_usages,
        extended_key_usages=extended,
    )


def _alternative_names(names: Sequence[x509.GeneralName]) -> AlternativeNames:
    found: dict[type[x509.GeneralName], list[str]] = {}
    for name in names:
        match name:
            case x509.DNSName() | x509.RFC822Name() | x509.UniformResourceIdentifier():
                text = name.value
            case x509.IPAddress():
                text = str(name.value)
            case x509.DirectoryName():
                text = name.value.rfc4514_string()
            case x509.RegisteredID():
                text = name.value.dotted_string
            case x509.OtherName():
                text = name.type_id.dotted_string
            case _:
                raise ValueError(f"unknown kind of alternative name {type(name).__name__}")
        found.setdefault(type(name), []).append(text)
    return AlternativeNames(
        dns_names=tuple(found.get(x509.DNSName, ())),
        email_addresses=tuple(found.get(x509.RFC822Name, ())),
        ip_addresses=tuple(found.get(x509.IPAddress, ())),
        uris=tuple(found.get(x509.UniformResourceIdentifier, ())),
        directory_names=tuple(found.get(x509.DirectoryName, ())),
        registered_ids=tuple(found.get(x509.RegisteredID, ())),
        other_names=tuple(found.get(x509.OtherName, ())),
    )


def _key_usages(value: x509.KeyUsage) -> frozenset[str]:
    flags = {
        "digitalSignature": value.digital_signature,
        "contentCommitment": value.content_commitment,
        "keyEncipherment": value.key_encipherment,
        "dataEncipherment": value.data_encipherment,
        "keyAgreement": value.key_agreement,
        "keyCertSign": value.key_cert_sign,
        "cRLSign": value.crl_sign,
        # These two say something only beside keyAgreement; the library refuses to tell otherwise.
        "encipherOnly": value.key_agreement and value.encipher_only,
        "decipherOnly": value.key_agreement and value.decipher_only,
    }
    return frozenset(name for name, is_set in flags.items() if is_set)
