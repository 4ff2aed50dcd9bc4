"""Certificate requests (PKCS#10, RFC 2986): building ours, and reading anybody's to the last field.

A request is judged by the bytes that were signed. Reading is therefore complete: whatever a signer
could copy into a certificate shows up in `CertificateRequest`, and what cannot be read is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from towline_certs.der import (
    SEQUENCE,
    SET,
    DerError,
    Element,
    decode_oid,
    expect,
    expect_whole_octets,
    read_element,
)
from towline_certs.distinguished_names import (
    SubjectAttribute,
    find_plain_subject,
    format_name,
    parse_name,
)
from towline_certs.errors import RequestError, RequestProblem
from towline_certs.identities import Subject
from towline_certs.keys import (
    KeyKind,
    PrivateKey,
    PublicKey,
    kind_of,
    public_key_digest,
    signature_hash,
)
from towline_certs.pem import PemError, find_pem_blocks
from towline_certs.request_extensions import (
    AlternativeNames,
    RequestedExtension,
    read_extensions,
)

REQUEST_LABEL = "CERTIFICATE REQUEST"
LARGEST_REQUEST = 16 * 1024
"""Bytes of PEM; a request with a 4096-bit RSA key and long names needs about two thousand."""

EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_MICROSOFT_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14"
_ATTRIBUTES_TAG = 0xA0
_SOUND_HASHES = frozenset({"sha256", "sha384", "sha512"})
_DIGEST_DIGITS_IN_NAME = 20
"""80 bits: nobody finds a second key for a name, and the name stays readable."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Everything a certificate request says.

    Args:
        attributes: The subject's attributes as they stand, in order, duplicates included.
        alternative_names: Every subject alternative name, by kind.
        extensions: Every requested extension, in order.
        is_ca: Whether basicConstraints asks for a certificate authority.
        key_usages: Usages in a keyUsage extension, RFC 5280 names; empty when there is none.
        extended_key_usages: OIDs in an extendedKeyUsage extension; empty when there is none.
        other_attributes: OIDs of the request's attributes other than the extension request.
        public_key: The key that asks.
        key_kind: Its kind, None when it is none of the closed set.
        key_bits: Its size.
        signature_hash: Hash of the request's own signature, None where the key brings its own.
        self_signature_valid: Whether the requester proved that it holds the key.
    """

    attributes: tuple[SubjectAttribute, ...]
    alternative_names: AlternativeNames
    extensions: tuple[RequestedExtension, ...]
    is_ca: bool
    key_usages: frozenset[str]
    extended_key_usages: frozenset[str]
    other_attributes: tuple[str, ...]
    public_key: PublicKey = field(repr=False)
    key_kind: KeyKind | None
    key_bits: int
    signature_hash: str | None
    self_signature_valid: bool

    @property
    def subject(self) -> Subject | None:
        """The subject, if a `Subject` can hold all of it; see `find_plain_subject`."""
        return find_plain_subject(self.attributes)

    @property
    def public_key_digest(self) -> str:
        """SHA-256 of the key's SubjectPublicKeyInfo, as 64 hex digits."""
        return public_key_digest(self.public_key)

    @property
    def key_description(self) -> str:
        """The key for messages, for example `ecdsa-p256` or `rsa with 1024 bits`."""
        if self.key_kind is not None:
            return self.key_kind.value
        family = "rsa" if isinstance(self.public_key, rsa.RSAPublicKey) else "ecdsa"
        return f"{family} with {self.key_bits} bits"

    @property
    def proves_possession(self) -> bool:
        """Whether its signature is valid and was made with a hash that still means something."""
        hash_is_sound = (
            self.signature_hash in _SOUND_HASHES
            if self.signature_hash is not None
            else isinstance(self.public_key, ed25519.Ed25519PublicKey)
        )
        return self.self_signature_valid and hash_is_sound


def build_request(key: PrivateKey, *, subject: Subject, dns_names: Sequence[str] = ()) -> bytes:
    """Return the PEM request that asks for `subject` with this key.

    Args:
        key: Signs the request; only its public half leaves this function.
        subject: What the certificate is to say.
        dns_names: Subject alternative names; none for clusters, one for add-ons.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(format_name(subject))
    if dns_names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, signature_hash(key)).public_bytes(Encoding.PEM)


def request_name(prefix: str, *, key: PrivateKey | PublicKey) -> str:
    """Return the name of the request object for a key: the prefix and digits of its digest.

    The same key always gives the same name, so a restarted agent finds the request it already made
    instead of making another.
    """
    return f"{prefix}{public_key_digest(key)[:_DIGEST_DIGITS_IN_NAME]}"


def parse_request(pem: bytes) -> CertificateRequest:
    """Return what a PEM certificate request says.

    Raises:
        RequestError: It is not exactly one PEM block `CERTIFICATE REQUEST` of bounded size whose
            content is wholly readable. Nothing else is raised, whatever the bytes.
    """
    der = _request_der(pem)
    try:
        attributes, other_attributes = _read_raw(der)
        request = x509.load_der_x509_csr(der)
        public_key = _public_key(request)
        extensions = read_extensions(request)
        return CertificateRequest(
            attributes=attributes,
            alternative_names=extensions.alternative_names,
            extensions=extensions.extensions,
            is_ca=extensions.is_ca,
            key_usages=extensions.key_usages,
            extended_key_usages=extensions.extended_key_usages,
            other_attributes=other_attributes,
            public_key=public_key,
            key_kind=kind_of(public_key),
            key_bits=256
            if isinstance(public_key, ed25519.Ed25519PublicKey)
            else public_key.key_size,
            signature_hash=_signature_hash(request),
            self_signature_valid=_is_signature_valid(request),
        )
    except x509.UnsupportedGeneralNameType as error:
        raise RequestError(
            "certificate request carries an alternative name of a kind nobody may ask for "
            f"({_one_line(error)})",
            reason=RequestProblem.UNSUPPORTED_NAME,
        ) from error
    except (
        DerError,
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ) as error:
        raise RequestError(
            f"certificate request cannot be read as PKCS#10: {_one_line(error)}",
            reason=RequestProblem.MALFORMED,
        ) from error


def _request_der(pem: bytes) -> bytes:
    if len(pem) > LARGEST_REQUEST:
        raise RequestError(
            f"certificate request has {len(pem)} bytes, expected at most {LARGEST_REQUEST}",
            reason=RequestProblem.TOO_LARGE,
        )
    try:
        blocks = find_pem_blocks(pem)
    except PemError as error:
        raise RequestError(
            f"certificate request is not one PEM block {REQUEST_LABEL!r}: {error}",
            reason=RequestProblem.NOT_PEM,
        ) from error
    if len(blocks) != 1:
        raise RequestError(
            f"expected one PEM block {REQUEST_LABEL!r}, found {len(blocks)} blocks",
            reason=RequestProblem.SEVERAL_BLOCKS,
        )
    (block,) = blocks
    if block.label != REQUEST_LABEL:
        raise RequestError(
            f"expected a PEM block {REQUEST_LABEL!r}, found {block.label!r}",
            reason=RequestProblem.WRONG_BLOCK,
        )
    return block.der


def _read_raw(der: bytes) -> tuple[tuple[SubjectAttribute, ...], tuple[str, ...]]:
    """Return the subject's attributes, and the OIDs of attributes that request no extension."""
    outer = list(read_element(der, tag=SEQUENCE).children())
    if len(outer) != 3:
        raise DerError(f"a signed request has 3 parts, found {len(outer)}")
    expect_whole_octets(outer[2])
    parts = list(expect(outer[0], SEQUENCE).children())
    # RFC 2986 wants the attributes' element even when it is empty; some old tools leave it out.
    if not 3 <= len(parts) <= 4:
        raise DerError(f"a request has 4 parts, found {len(parts)}")
    attributes = list(expect(parts[3], _ATTRIBUTES_TAG).children()) if len(parts) == 4 else []
    oids = [_attribute_oid(attribute) for attribute in attributes]
    asks = sum(oid in {EXTENSION_REQUEST, _MICROSOFT_EXTENSION_REQUEST} for oid in oids)
    if asks > 1:
        # Readers differ on which of them counts; one that is judged must be one that is signed.
        raise DerError("extensions are requested more than once")
    return parse_name(parts[1].whole), tuple(oid for oid in oids if oid != EXTENSION_REQUEST)


def _attribute_oid(attribute: Element) -> str:
    parts = list(expect(attribute, SEQUENCE).children())
    if len(parts) != 2:
        raise DerError("an attribute is not one type with its values")
    oid = decode_oid(parts[0])
    values = list(expect(parts[1], SET).children())
    if len(values) != 1:
        raise DerError(f"attribute {oid} has {len(values)} values, expected one")
    return oid


def _public_key(request: x509.CertificateSigningRequest) -> PublicKey:
    try:
        key = request.public_key()
    except UnsupportedAlgorithm:
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return key
    raise RequestError(
        "certificate request is for a key that is neither ECDSA, RSA nor Ed25519",
        reason=RequestProblem.UNSUPPORTED_KEY,
    )


def _signature_hash(request: x509.CertificateSigningRequest) -> str | None:
    try:
        algorithm = request.signature_hash_algorithm
    except UnsupportedAlgorithm:
        # Named so that it is in no list of sound hashes.
        return f"unknown ({request.signature_algorithm_oid.dotted_string})"
    return None if algorithm is None else algorithm.name


def _is_signature_valid(request: x509.CertificateSigningRequest) -> bool:
    try:
        return request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # A signature by an algorithm that does not fit the key proves nothing.
        return False


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
