"""Checking certificates and keys before OpenSSL does, whose messages name no file and no cure."""

from cryptography import x509

from towline_api.errors import ConfigError
from towline_certs.errors import KeyParseError
from towline_certs.keys import format_public_key, parse_key, public_key_digest


def check_authorities(pem: bytes, *, where: str) -> None:
    """Return if `pem` holds at least one certificate to trust.

    Raises:
        ConfigError: It does not; the message starts with `where`.
    """
    _certificates(pem, where=where, expected="at least one CA certificate")


def check_key_pair(certificate_pem: bytes, key_pem: bytes, *, where: str) -> None:
    """Return if the (first) certificate and the private key belong together.

    Whether the certificate is valid now is not asked: what an expired one means, the caller knows.

    Raises:
        ConfigError: One of them cannot be read, or they do not match; starts with `where`.
    """
    leaf = _certificates(certificate_pem, where=where, expected="a client certificate")[0]
    try:
        key = parse_key(key_pem)
    except KeyParseError as error:
        raise ConfigError(f"{where}: client key: {error}") from None
    try:
        public = leaf.public_key()
        certified = format_public_key(public)  # type: ignore[arg-type] # other kinds format as well
    except Exception:  # noqa: BLE001 - the library raises several kinds for keys it does not know
        raise ConfigError(
            f"{where}: the client certificate's public key is of an unknown kind; "
            "ask for another certificate"
        ) from None
    if certified != format_public_key(key):
        raise ConfigError(
            f"{where}: the client certificate does not belong to the client key "
            f"(key digest {public_key_digest(key)[:16]}); replace both with one pair"
        )


def _certificates(pem: bytes, *, where: str, expected: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigError(
            f"{where}: expected {expected} as PEM (-----BEGIN CERTIFICATE-----), "
            f"found {len(pem)} bytes that are none; replace them"
        ) from None
