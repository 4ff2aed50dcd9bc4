"""The Secret in which all replicas of a hub find the webhook's certificates. Pure.

Errors name the Secret and the key in it, and never hold anything of what stands there.
"""

import base64
import binascii
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from towline_api import names
from towline_api.errors import ConfigError
from towline_api.metadata import labels_of, name_of, namespace_of
from towline_api.resources import SECRETS, KubeObject
from towline_certs.authority import Authority
from towline_certs.certificates import parse_chain
from towline_certs.keys import format_key
from towline_hub.webhook.serving_certificate import Certificates
from towline_kube.key_pair import check_key_pair

SECRET = "towline-hub-webhook"  # noqa: S105 - a Secret's name

_CA, _CA_KEY = "ca.crt", "ca.key"
_NEXT_CA, _NEXT_CA_KEY = "next-ca.crt", "next-ca.key"
_FORMER_CAS = "former-ca.crt"
_MANAGED_BY = "towline"


def is_ours(secret: KubeObject) -> bool:
    """Return whether a hub made this Secret, and so may replace what is in it."""
    return labels_of(secret).get(names.MANAGED_BY_LABEL) == _MANAGED_BY


def format_secret(
    held: Certificates, *, namespace: str, resource_version: str | None
) -> KubeObject:
    """Return the Secret for server-side apply.

    Args:
        held: What it shall hold.
        namespace: The hub's own.
        resource_version: What it has to be now; None if it does not exist.
    """
    metadata: KubeObject = {
        "name": SECRET,
        "namespace": namespace,
        "labels": {names.MANAGED_BY_LABEL: _MANAGED_BY},
    }
    if resource_version is not None:
        metadata["resourceVersion"] = resource_version
    data = {
        names.TLS_CERTIFICATE_KEY: held.certificate_pem,
        names.TLS_KEY_KEY: held.key_pem,
        _CA: held.signing.certificate_pem,
        _CA_KEY: format_key(held.signing.key),
    }
    if held.following is not None:
        data[_NEXT_CA] = held.following.certificate_pem
        data[_NEXT_CA_KEY] = format_key(held.following.key)
    if held.former:
        data[_FORMER_CAS] = b"".join(each.public_bytes(Encoding.PEM) for each in held.former)
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": metadata,
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def parse_secret(secret: KubeObject) -> Certificates:
    """Return the certificates in a Secret.

    Raises:
        ConfigError: A key is missing, or what it holds cannot be used; names the Secret and key.
    """
    data = _Data(secret)
    certificate, key = data.read(names.TLS_CERTIFICATE_KEY), data.read(names.TLS_KEY_KEY)
    check_key_pair(certificate, key, where=f"{data.where}, key {names.TLS_CERTIFICATE_KEY}")
    return Certificates(
        signing=data.authority(_CA, _CA_KEY),
        certificate_pem=certificate,
        key_pem=key,
        following=data.authority(_NEXT_CA, _NEXT_CA_KEY) if _NEXT_CA in data else None,
        former=data.certificates(_FORMER_CAS) if _FORMER_CAS in data else (),
    )


class _Data:
    """The data of a Secret, and errors that say where something is wrong."""

    def __init__(self, secret: KubeObject) -> None:
        self.where = SECRETS.describe(name_of(secret), namespace=namespace_of(secret))
        data = secret.get("data")
        self._data: Mapping[str, object] = data if isinstance(data, Mapping) else {}

    def __contains__(self, key: str) -> bool:
        return bool(self._data.get(key))

    def read(self, key: str) -> bytes:
        value = self._data.get(key)
        if not value:
            raise ConfigError(f"{self.where}, key {key}: there is nothing")
        try:
            return base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError(f"{self.where}, key {key}: not base64") from None

    def authority(self, certificate: str, key: str) -> Authority:
        try:
            return Authority.parse(certificate_pem=self.read(certificate), key_pem=self.read(key))
        except ConfigError as error:
            raise ConfigError(f"{self.where}, keys {certificate} and {key}: {error}") from None

    def certificates(self, key: str) -> tuple[x509.Certificate, ...]:
        try:
            return parse_chain(self.read(key))
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigError(f"{self.where}, key {key}: expected certificates as PEM") from None
