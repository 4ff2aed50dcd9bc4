"""What a signer's Secret holds: the authority that signs, and those that will follow. Pure.

Errors name the Secret and the key in it, and never hold anything of what stands there.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from towline_api import names
from towline_api.errors import ConfigError
from towline_api.metadata import labels_of, name_of, namespace_of
from towline_api.resources import SECRETS, KubeObject
from towline_certs.authority import Authority
from towline_certs.authority_chain import check_may_issue, parse_authority_chain
from towline_certs.certificates import is_issued_by, parse_chain
from towline_certs.keys import format_key, parse_authority_key
from towline_hub.signers.settings import SignerSettings

ROOTS_KEY = "ca.crt"
"""Certificates to publish beside the authority's own: a root above it, and authorities that will
follow. Optional."""
FOLLOWING_CERTIFICATE_KEY = "next.crt"
FOLLOWING_KEY_KEY = "next.key"
"""Where the hub keeps an authority it made that does not sign yet."""

_TLS_TYPE = "kubernetes.io/tls"
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Authorities:
    """The authorities in a Secret.

    Args:
        signing: The one that signs.
        following: The one that the hub made to take over.
        announced: Certificates of further ones, whose keys are elsewhere.
    """

    signing: Authority
    following: Authority | None = None
    announced: tuple[x509.Certificate, ...] = ()


def parse_authorities(secret: KubeObject) -> Authorities:
    """Return the authorities in a Secret.

    Raises:
        ConfigError: A key is missing, or what it holds cannot be used; names the Secret and key.
    """
    data = _Data(secret)
    announced = data.certificates(ROOTS_KEY) if ROOTS_KEY in data else ()
    signing = data.authority(names.TLS_CERTIFICATE_KEY, names.TLS_KEY_KEY, roots=announced)
    following = (
        data.authority(FOLLOWING_CERTIFICATE_KEY, FOLLOWING_KEY_KEY)
        if FOLLOWING_CERTIFICATE_KEY in data
        else None
    )
    return Authorities(signing, following, announced)


def is_managed(secret: KubeObject) -> bool:
    """Return whether a hub made this Secret, and so may replace what is in it."""
    return labels_of(secret).get(names.MANAGED_BY_LABEL) == "towline"


def managed_secret(
    settings: SignerSettings,
    *,
    namespace: str,
    signing: Authority,
    following: Authority | None = None,
    resource_version: str | None = None,
) -> KubeObject:
    """Return the Secret of a managed authority, for server-side apply.

    Args:
        settings: Whose.
        namespace: The hub's own.
        signing: The authority that signs.
        following: The one that will follow, if it is made already.
        resource_version: What it has to be now; None if it does not exist.
    """
    metadata: KubeObject = {
        "name": settings.secret,
        "namespace": namespace,
        "labels": {names.MANAGED_BY_LABEL: "towline"},
    }
    if resource_version is not None:
        metadata["resourceVersion"] = resource_version
    data = {
        names.TLS_CERTIFICATE_KEY: signing.certificate_pem,
        names.TLS_KEY_KEY: format_key(signing.key),
    }
    if following is not None:
        data |= {
            FOLLOWING_CERTIFICATE_KEY: following.certificate_pem,
            FOLLOWING_KEY_KEY: format_key(following.key),
        }
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": metadata,
        "type": _TLS_TYPE,
        "data": {key: base64.b64encode(value).decode("ascii") for key, value in data.items()},
    }


def authority_name(settings: SignerSettings, *, now: datetime) -> str:
    """Return the common name of an authority made now: no two of one signer have the same.

    Verifiers find an issuer by its name first.
    """
    return f"{settings.signer_name}@{now:%Y%m%dT%H%M%SZ}"


class _Data:
    """The data of a Secret, and errors that say where something is wrong."""

    def __init__(self, secret: KubeObject) -> None:
        self._where = SECRETS.describe(name_of(secret), namespace=namespace_of(secret))
        data = secret.get("data")
        self._data: Mapping[str, object] = data if isinstance(data, Mapping) else {}

    def __contains__(self, key: str) -> bool:
        return bool(self._data.get(key))

    def authority(
        self, certificate_key: str, key_key: str, *, roots: Sequence[x509.Certificate] = ()
    ) -> Authority:
        """Return the authority of two keys, with the certificates above it."""
        try:
            chain = parse_authority_chain(self._bytes(certificate_key))
        except ConfigError as error:
            raise self._wrong(certificate_key, error) from None
        try:
            key = parse_authority_key(self._bytes(key_key))
        except ConfigError as error:
            raise self._wrong(key_key, error) from None
        try:
            return Authority.of(_completed(chain, roots=roots), key=key)
        except ConfigError as error:
            raise self._wrong(f"{certificate_key} and {key_key}", error) from None

    def certificates(self, key: str) -> tuple[x509.Certificate, ...]:
        """Return the certificates of authorities under a key, in any order."""
        try:
            found = parse_chain(self._bytes(key))
            for certificate in found:
                check_may_issue(certificate)
        except ConfigError as error:
            raise self._wrong(key, error) from None
        except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
            raise self._wrong(key, ConfigError("expected certificates as PEM")) from None
        return found

    def _bytes(self, key: str) -> bytes:
        value = self._data.get(key)
        if not value:
            raise ConfigError("there is no such key, or nothing under it; put it there as PEM")
        try:
            return base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError):
            raise ConfigError("not base64") from None

    def _wrong(self, key: str, error: ConfigError) -> ConfigError:
        return ConfigError(f"{self._where}, key {key}: {error}")


def _completed(
    chain: Sequence[x509.Certificate], *, roots: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """Return the chain with the certificates above it that stand elsewhere."""
    found = list(chain)
    for _ in range(_LONGEST_CHAIN):
        top = found[-1]
        if top.issuer == top.subject:
            break
        issuer = next((each for each in roots if is_issued_by(top, each)), None)
        if issuer is None:
            break
        found.append(issuer)
    return tuple(found)
