"""Private keys: making them, writing them the way OCM does, reading what others wrote."""

import hashlib
import re
from enum import StrEnum
from typing import assert_never

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from towline_certs.errors import KeyParseError, KeyProblem
from towline_certs.pem import PemError, PemProblem, find_pem_blocks

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

SMALLEST_RSA_BITS = 2048
LARGEST_RSA_BITS = 8192
"""Above this a single check costs an approver noticeable time, and nobody needs it."""


class KeyKind(StrEnum):
    """The kinds of key a credential may have."""

    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    ED25519 = "ed25519"


_RSA_KINDS = {2048: KeyKind.RSA_2048, 3072: KeyKind.RSA_3072, 4096: KeyKind.RSA_4096}
_KEY_LABELS = ("EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY")
_ENCRYPTED_LABEL = "ENCRYPTED PRIVATE KEY"
# `openssl ecparam -genkey` writes the curve in a block of its own before the key.
_IGNORED_LABEL = "EC PARAMETERS"


def generate_key(kind: KeyKind = KeyKind.ECDSA_P256) -> PrivateKey:
    """Return a fresh private key from the system's random source.

    The default is what OCM's agents use and every Kubernetes signer takes.
    """
    match kind:
        case KeyKind.ECDSA_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyKind.ECDSA_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyKind.RSA_2048 | KeyKind.RSA_3072 | KeyKind.RSA_4096:
            bits = int(kind.value.removeprefix("rsa-"))
            return rsa.generate_private_key(public_exponent=65537, key_size=bits)
        case KeyKind.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            assert_never(kind)


def format_key(key: PrivateKey) -> bytes:
    """Return the key as plain PEM: SEC1 for EC (as OCM), PKCS#1 for RSA, PKCS#8 for Ed25519."""
    shape = (
        PrivateFormat.PKCS8
        if isinstance(key, ed25519.Ed25519PrivateKey)
        else PrivateFormat.TraditionalOpenSSL
    )
    return key.private_bytes(Encoding.PEM, shape, NoEncryption())


def parse_key(pem: bytes) -> PrivateKey:
    """Return the one private key of a PEM text: PKCS#1, SEC1 or PKCS#8, not encrypted.

    Raises:
        KeyParseError: There is no key, more than one, or one that is encrypted, broken, weak or of
            a kind towline does not use. The message never holds key material.
    """
    key = _load(pem)
    if isinstance(key, ec.EllipticCurvePrivateKey) and kind_of(key.public_key()) is None:
        raise _unsupported(f"ECDSA on curve {key.curve.name}")
    return key


def parse_authority_key(pem: bytes) -> PrivateKey:
    """Return the one private key of a PEM text, as `parse_key`; P-521 is taken as well.

    Authorities made by others use it. Leaves do not: there it would be one more curve for peers to
    support, and no gain.

    Raises:
        KeyParseError: As `parse_key`.
    """
    key = _load(pem)
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(
        key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1
    ):
        raise _unsupported(f"ECDSA on curve {key.curve.name}")
    return key


def public_key_digest(key: PrivateKey | PublicKey) -> str:
    """Return the SHA-256 of the public key's SubjectPublicKeyInfo in DER, as 64 hex digits."""
    return hashlib.sha256(format_public_key(key)).hexdigest()


def format_public_key(key: PrivateKey | PublicKey) -> bytes:
    """Return the public half as SubjectPublicKeyInfo in DER."""
    public = (
        key.public_key()
        if isinstance(
            key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
        )
        else key
    )
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def kind_of(public_key: object) -> KeyKind | None:
    """Return the kind of a public key; None for any key outside the closed set."""
    match public_key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return KeyKind.ECDSA_P256
        case ec.EllipticCurvePublicKey(curve=ec.SECP384R1()):
            return KeyKind.ECDSA_P384
        case rsa.RSAPublicKey():
            return _RSA_KINDS.get(public_key.key_size)
        case ed25519.Ed25519PublicKey():
            return KeyKind.ED25519
        case _:
            return None


def signature_hash(
    key: PrivateKey,
) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Return the hash to sign with, fitting the key; None where the key brings its own."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    return hashes.SHA256()


def _load(pem: bytes) -> PrivateKey:
    der = _key_der(pem)
    try:
        key = load_der_private_key(der, password=None)
    except UnsupportedAlgorithm:
        raise _unsupported("an algorithm or curve the library does not know") from None
    except (ValueError, TypeError):
        # What the library says may quote what it read, so it goes no further than here.
        raise KeyParseError(
            "private key is damaged: its PEM block does not hold a PKCS#1, SEC1 or PKCS#8 key; "
            "restore it or make a new one",
            reason=KeyProblem.MALFORMED,
        ) from None
    match key:
        case ec.EllipticCurvePrivateKey():
            return key
        case rsa.RSAPrivateKey():
            if key.key_size < SMALLEST_RSA_BITS:
                raise KeyParseError(
                    f"private key is too weak: RSA with {key.key_size} bits, expected at least "
                    f"{SMALLEST_RSA_BITS}; make a new one",
                    reason=KeyProblem.WEAK,
                )
            if key.key_size > LARGEST_RSA_BITS:
                raise _unsupported(f"RSA with {key.key_size} bits")
            return key
        case ed25519.Ed25519PrivateKey():
            return key
        case _:
            raise _unsupported("a key that is not for such signatures")


def _key_der(pem: bytes) -> bytes:
    try:
        blocks = [block for block in find_pem_blocks(pem) if block.label != _IGNORED_LABEL]
    except PemError as error:
        if error.reason is PemProblem.HEADERS and re.search(rb"ENCRYPTED", pem):
            raise _encrypted() from None
        raise KeyParseError(
            f"private key is not usable PEM: {error}", reason=KeyProblem.NOT_PEM
        ) from None
    if any(block.label == _ENCRYPTED_LABEL for block in blocks):
        raise _encrypted()
    keys = [block for block in blocks if block.label in _KEY_LABELS]
    if len(blocks) != 1 or len(keys) != 1:
        found = ", ".join(repr(block.label) for block in blocks) or "no PEM block"
        raise KeyParseError(
            f"expected exactly one private key as PEM ({', '.join(_KEY_LABELS)}), found {found}",
            reason=KeyProblem.NOT_PEM,
        )
    return keys[0].der


def _encrypted() -> KeyParseError:
    return KeyParseError(
        "private key is encrypted with a passphrase, and nobody is there to type it; "
        "store it decrypted where only its user can read it",
        reason=KeyProblem.ENCRYPTED,
    )


def _unsupported(found: str) -> KeyParseError:
    return KeyParseError(
        f"private key is of a kind that is not supported: found {found}, expected ECDSA P-256 or "
        f"P-384, RSA with {SMALLEST_RSA_BITS} to {LARGEST_RSA_BITS} bits, or Ed25519",
        reason=KeyProblem.UNSUPPORTED,
    )
