"""Certificate requests for tests: good ones, and ones no library would make."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from towline_api.names import (
    ADDON_NAME_LABEL,
    CLIENT_CERTIFICATE_USAGES,
    CLUSTER_NAME_LABEL,
    KUBE_CLIENT_SIGNER,
    addon_dns_name,
)
from towline_certs import (
    AddonIdentity,
    ClusterIdentity,
    KeyKind,
    PrivateKey,
    Subject,
    build_request,
    format_public_key,
    generate_key,
)
from towline_certs.pem import format_pem_block

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

UTF8, PRINTABLE, TELETEX, IA5, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1E
CN, O, OU = "2.5.4.3", "2.5.4.10", "2.5.4.11"  # noqa: E741 - their names in X.500
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
MICROSOFT_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"


@cache
def key_of(kind: KeyKind = KeyKind.ECDSA_P256, number: int = 0) -> PrivateKey:
    """Return a key that is made once per test process; `number` tells several apart."""
    return generate_key(kind)


def der(tag: int, *parts: bytes) -> bytes:
    """Return one element of DER."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    digits = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(digits)]) + digits + content


@cache
def der_oid(dotted: str) -> bytes:
    """Return an object identifier in DER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(octets))
    return der(0x06, content)


def der_attribute(oid: str, value: str | bytes, *, tag: int = UTF8) -> bytes:
    """Return one attribute of a distinguished name."""
    raw = value if isinstance(value, bytes) else value.encode()
    return der(0x30, der_oid(oid), der(tag, raw))


def der_name(*rdns: Sequence[bytes]) -> bytes:
    """Return a distinguished name from the attributes of each of its sets."""
    return der(0x30, *(der(0x31, *sorted(rdn)) for rdn in rdns))


def der_extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """Return one extension."""
    flag = der(0x01, b"\xff") if critical else b""
    return der(0x30, der_oid(oid), flag, der(0x04, value))


def der_extension_request(*extensions: bytes, oid: str = EXTENSION_REQUEST) -> bytes:
    """Return the attribute of a request that asks for extensions."""
    return der(0x30, der_oid(oid), der(0x31, der(0x30, *extensions)))


def craft_request(
    name: bytes, *, attributes: Iterable[bytes] = (), key: PrivateKey | None = None
) -> bytes:
    """Return a well-signed PEM request with any name and any attributes, given in DER."""
    signer = key or key_of()
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    info = der(0x30, der(0x02, b"\x00"), name, format_public_key(signer), der(0xA0, *attributes))
    signature = signer.sign(info, ec.ECDSA(hashes.SHA256()))
    algorithm = der(0x30, der_oid("1.2.840.10045.4.3.2"))
    whole = der(0x30, info, algorithm, der(0x03, b"\x00" + signature))
    return format_pem_block("CERTIFICATE REQUEST", whole)


def subject_rdns(subject: Subject) -> list[list[bytes]]:
    """Return a subject as sets of attributes, to be bent before `der_name`."""
    return [
        [der_attribute(O, value) for value in sorted(subject.organizations)],
        [der_attribute(CN, subject.common_name)],
    ]


def csr_object(
    request_pem: bytes | str,
    *,
    username: str,
    cluster: str | None,
    addon: str | None = None,
    signer_name: str = KUBE_CLIENT_SIGNER,
    groups: Sequence[str] = (),
    usages: Sequence[str] = CLIENT_CERTIFICATE_USAGES,
    expiration_seconds: int | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a CertificateSigningRequest as the API server would give it."""
    labels: dict[str, str] = {}
    if cluster is not None:
        labels[CLUSTER_NAME_LABEL] = cluster
    if addon is not None:
        labels[ADDON_NAME_LABEL] = addon
    request = (
        base64.b64encode(request_pem).decode() if isinstance(request_pem, bytes) else request_pem
    )
    spec: dict[str, Any] = {
        "request": request,
        "signerName": signer_name,
        "usages": list(usages),
        "username": username,
        "groups": [*groups, "system:authenticated"],
    }
    if expiration_seconds is not None:
        spec["expirationSeconds"] = expiration_seconds
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {
            "name": "request",
            "labels": labels,
            "creationTimestamp": "2026-06-01T12:00:00Z",
        },
        "spec": spec,
        "status": {"conditions": list(conditions)} if conditions else {},
    }


def cluster_request(identity: ClusterIdentity, *, key: PrivateKey | None = None) -> bytes:
    """Return the PEM request a cluster's agent makes for itself."""
    return build_request(key or key_of(), subject=identity.subject)


def addon_request(identity: AddonIdentity, *, key: PrivateKey | None = None) -> bytes:
    """Return the PEM request a cluster's agent makes for an add-on."""
    return build_request(
        key or key_of(), subject=identity.subject, dns_names=[addon_dns_name(identity.addon)]
    )
