"""Certificate requests in parts, so that any one part can be bent before they are put together."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.csrs import NOW, der, der_extension, der_extension_request, der_name, der_oid
from towline_api.names import ADDON_NAME_LABEL, CLUSTER_NAME_LABEL
from towline_api.timestamps import format_time
from towline_certs import ApprovalContext
from towline_certs.pem import format_pem_block

AnyKey = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | dsa.DSAPrivateKey
    | x25519.X25519PrivateKey
)
Edit = Callable[[bytes], bytes]

ECDSA_OIDS = {
    "sha1": "1.2.840.10045.4.1",
    "sha224": "1.2.840.10045.4.3.1",
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
RSA_OIDS = {
    "sha1": "1.2.840.113549.1.1.5",
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a name: type, string type, and the bytes of its value."""

    oid: str
    value: bytes
    tag: int = 0x0C


@dataclass(frozen=True, slots=True)
class Extension:
    """One requested extension."""

    oid: str
    value: bytes
    critical: bool = False


@dataclass(slots=True)
class Draft:
    """A request object and the world around it, to be bent in place.

    The certificate request is put together only when something of it was bent: `is_bent`.
    """

    # The certificate request.
    rdns: list[list[Attribute]]
    extensions: list[Extension]
    key: AnyKey
    # The object.
    username: str
    labels: dict[str, str]
    signer_name: str
    # The world.
    context: ApprovalContext

    attributes: list[bytes] = field(default_factory=list)
    """Attributes beside the one that requests extensions, in DER."""
    extension_requests: list[bytes] = field(default_factory=list)
    """More of the ones that do."""
    version: bytes = b"\x00"
    public_key: bytes | None = None
    """In place of the key's own, in DER."""
    signing_key: AnyKey | None = None
    """In place of the key."""
    hash_name: str = "sha256"
    algorithm: bytes | None = None
    """In place of the one that fits, in DER."""
    edit_info: Edit | None = None
    """Changes the signed part, before it is signed."""
    edit_signature: Edit | None = None
    edit_der: Edit | None = None
    edit_pem: Edit | None = None
    edit_base64: Callable[[str], str] | None = None
    is_bent: bool = False

    groups: list[str] = field(default_factory=list)
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)
    usages: list[str] = field(
        default_factory=lambda: ["digital signature", "key encipherment", "client auth"]
    )
    expiration_seconds: int | None = None
    created: datetime = NOW
    conditions: list[dict[str, Any]] = field(default_factory=list)
    certificate: str | None = None
    annotations: dict[str, str] = field(default_factory=dict)

    original_pem: bytes = b""

    def copy(self) -> "Draft":
        """Return a draft that can be bent without bending this one."""
        return replace(
            self,
            rdns=[list(rdn) for rdn in self.rdns],
            extensions=list(self.extensions),
            labels=dict(self.labels),
            attributes=list(self.attributes),
            extension_requests=list(self.extension_requests),
            groups=list(self.groups),
            extra=dict(self.extra),
            usages=list(self.usages),
            conditions=list(self.conditions),
            annotations=dict(self.annotations),
        )

    @property
    def cluster(self) -> str:
        """The cluster label, empty if there is none."""
        return self.labels.get(CLUSTER_NAME_LABEL, "")

    @property
    def is_for_addon(self) -> bool:
        """Whether the draft is labelled for an add-on."""
        return ADDON_NAME_LABEL in self.labels

    def world(self, **changes: Any) -> None:
        """Change what is known around the request."""
        self.context = replace(self.context, **changes)

    def pem(self) -> bytes:
        """Return the certificate request in PEM."""
        if not self.is_bent and self.original_pem:
            return self.original_pem
        requests = list(self.extension_requests)
        if self.extensions:
            parts = [
                der_extension(each.oid, each.value, critical=each.critical)
                for each in self.extensions
            ]
            requests.insert(0, der_extension_request(*parts))
        name = der_name(
            *([_attribute(each) for each in rdn] for rdn in self.rdns),
        )
        public = self.public_key or spki_of(self.key)
        info = der(
            0x30,
            der(0x02, self.version),
            name,
            public,
            der(0xA0, *requests, *self.attributes),
        )
        if self.edit_info is not None:
            info = self.edit_info(info)
        signature, algorithm = sign(self.signing_key or self.key, info, self.hash_name)
        if self.edit_signature is not None:
            signature = self.edit_signature(signature)
        whole = der(0x30, info, self.algorithm or algorithm, der(0x03, b"\x00" + signature))
        if self.edit_der is not None:
            whole = self.edit_der(whole)
        pem = format_pem_block("CERTIFICATE REQUEST", whole)
        return pem if self.edit_pem is None else self.edit_pem(pem)

    def csr(self) -> dict[str, Any]:
        """Return the CertificateSigningRequest as the API server would give it."""
        text = base64.b64encode(self.pem()).decode()
        spec: dict[str, Any] = {
            "request": text if self.edit_base64 is None else self.edit_base64(text),
            "signerName": self.signer_name,
            "usages": self.usages,
            "username": self.username,
            "groups": self.groups,
        }
        if self.uid:
            spec["uid"] = self.uid
        if self.extra:
            spec["extra"] = self.extra
        if self.expiration_seconds is not None:
            spec["expirationSeconds"] = self.expiration_seconds
        status: dict[str, Any] = {}
        if self.conditions:
            status["conditions"] = self.conditions
        if self.certificate is not None:
            status["certificate"] = self.certificate
        return {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {
                "name": "request",
                "labels": self.labels,
                "annotations": self.annotations,
                "creationTimestamp": format_time(self.created),
            },
            "spec": spec,
            "status": status,
        }


@lru_cache(maxsize=8192)
def sign(key: AnyKey, data: bytes, hash_name: str) -> tuple[bytes, bytes]:
    """Return a signature and its algorithm in DER; any bytes for a key that cannot sign.

    The same for the same: half of all mutants ask for what another one asks for already, in other
    surroundings or with another blemish, and neither signing nor reading it again shows anything.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        name = hash_name if hash_name in ECDSA_OIDS else "sha256"
        return key.sign(data, ec.ECDSA(HASHES[name])), der(0x30, der_oid(ECDSA_OIDS[name]))
    if isinstance(key, rsa.RSAPrivateKey):
        name = hash_name if hash_name in RSA_OIDS else "sha256"
        algorithm = der(0x30, der_oid(RSA_OIDS[name]), der(0x05))
        return key.sign(data, padding.PKCS1v15(), HASHES[name]), algorithm
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data), der(0x30, der_oid("1.3.101.112"))
    if isinstance(key, ed448.Ed448PrivateKey):
        return key.sign(data), der(0x30, der_oid("1.3.101.113"))
    if isinstance(key, dsa.DSAPrivateKey):
        return key.sign(data, hashes.SHA256()), der(0x30, der_oid("2.16.840.1.101.3.4.3.2"))
    return bytes(64), der(0x30, der_oid("1.3.101.112"))


@lru_cache(maxsize=64)
def spki_of(key: AnyKey) -> bytes:
    """Return the public half of a key in DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=4096)
def _attribute(attribute: Attribute) -> bytes:
    return der(0x30, der_oid(attribute.oid), der(attribute.tag, attribute.value))


Mutation = Callable[[Random, Draft], None]
"""Bends one thing; which way is the chance's."""
