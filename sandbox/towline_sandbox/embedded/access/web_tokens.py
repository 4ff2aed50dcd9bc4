"""JSON Web Tokens (RFC 7519) signed with ES256, as an API server issues them to accounts."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ALGORITHM = "ES256"
_HALF = 32  # bytes of each of the two numbers of a P-256 signature

Claims = Mapping[str, Any]
"""What a token says."""


class TokenError(Exception):
    """A token is not good; the text says why, in Kubernetes' words."""


def key_id_of(key: ec.EllipticCurvePublicKey) -> str:
    """Return the name that Kubernetes gives a key: a hash of its public half."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _encode(hashlib.sha256(der).digest())


def sign_claims(claims: Claims, *, key: ec.EllipticCurvePrivateKey) -> str:
    """Return a token that says `claims`."""
    header = {"alg": _ALGORITHM, "kid": key_id_of(key.public_key())}
    signed = f"{_encode_json(header)}.{_encode_json(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode("ascii"), ec.ECDSA(SHA256())))
    signature = r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
    return f"{signed}.{_encode(signature)}"


def find_claims(token: str) -> dict[str, Any] | None:
    """Return what a token says, unverified; None if it is no token at all."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(_decode(parts[1]))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def verify_signature(token: str, *, key: ec.EllipticCurvePublicKey) -> None:
    """Do nothing if this key has signed the token.

    Raises:
        TokenError: It has not.
    """
    signed, _, encoded_signature = token.rpartition(".")
    try:
        header = json.loads(_decode(signed.partition(".")[0]))
        signature = _decode(encoded_signature)
    except ValueError:
        raise TokenError("invalid bearer token") from None
    if not isinstance(header, dict) or header.get("kid", key_id_of(key)) != key_id_of(key):
        raise TokenError("invalid signature, no keys found")
    # The header comes from whoever made the token: it may not choose another algorithm.
    if header.get("alg") != _ALGORITHM or len(signature) != 2 * _HALF:
        raise TokenError(_BAD_SIGNATURE)
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        key.verify(encode_dss_signature(r, s), signed.encode("ascii"), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise TokenError(_BAD_SIGNATURE) from None


_BAD_SIGNATURE = "go-jose/go-jose: error in cryptographic primitive"


def _encode_json(value: object) -> str:
    # Sorted and compact, as Go writes a map.
    return _encode(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        ValueError: It is not that.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
