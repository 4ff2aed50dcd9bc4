"""TLS towards servers: exactly the given authorities, and our key in no folder."""

import logging
import ssl
from dataclasses import dataclass, field

from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.key_pair import check_authorities, check_key_pair
from towline_kube.memory_files import named_content

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIdentity:
    """Who we are towards an endpoint, and whom we believe to be it.

    Args:
        certificate_pem: Client certificate with its intermediates; None to show none.
        key_pem: Its private key.
        ca_pem: Authorities to verify the server with.
        system_trust: Whether those of the system are trusted (as well).
        source: Where this comes from, for messages.
    """

    certificate_pem: bytes | None = field(default=None, repr=False)
    key_pem: bytes | None = field(default=None, repr=False)
    ca_pem: bytes | None = field(default=None, repr=False)
    system_trust: bool = False
    source: str = "code"


def ssl_context(connection: Connection) -> ssl.SSLContext:
    """Return the TLS settings of a connection.

    Verification follows Go's, and so kubectl's: TLS 1.2 or later; the given certificates are the
    trust anchors whether or not they are self-signed; host names match against alternative names,
    never the common name. With authorities given, the system's trust store is not even loaded.

    Raises:
        ConfigError: A certificate or key cannot be used, or authorities are given together with
            insecure-skip-tls-verify.
    """
    context = _strict_context()
    context.set_alpn_protocols(["http/1.1"])
    if connection.insecure_skip_tls_verify:
        if connection.ca_pem is not None:
            raise ConfigError(
                f"{connection.source}: has both a certificate authority and "
                "insecure-skip-tls-verify; remove insecure-skip-tls-verify"
            )
        log.warning(
            "server certificate is not verified",
            extra={"object": connection.host, "reason": "insecure-skip-tls-verify is set"},
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif connection.ca_pem is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust_only(context, connection.ca_pem, source=connection.source)
    _present(
        context,
        certificate=connection.client_certificate_pem,
        key=connection.client_key_pem,
        source=connection.source,
    )
    return context


def endpoint_context(identity: TlsIdentity) -> ssl.SSLContext:
    """Return TLS settings for any endpoint, with the same verification as towards API servers.

    The system's trust store is loaded only where the identity says so; whoever is to be trusted
    with neither that nor authorities does not exist. Nothing is said about protocols above TLS.

    Raises:
        ConfigError: A certificate, key or authority cannot be used, or there is nobody to trust.
    """
    context = _strict_context()
    if identity.ca_pem is not None:
        _trust_only(context, identity.ca_pem, source=identity.source)
    elif not identity.system_trust:
        raise ConfigError(
            f"{identity.source}: no authority is given that servers are to be verified with; "
            "name one, or ask for the system's trust store"
        )
    if identity.system_trust:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    _present(
        context,
        certificate=identity.certificate_pem,
        key=identity.key_pem,
        source=identity.source,
    )
    return context


def _strict_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    return context


def _trust_only(context: ssl.SSLContext, ca_pem: bytes, *, source: str) -> None:
    check_authorities(ca_pem, where=f"{source}: certificate authority")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        # Bundles often have text in between, which may be any bytes.
        context.load_verify_locations(cadata=ca_pem.decode("ascii", errors="ignore"))
    except ssl.SSLError as error:
        raise ConfigError(
            f"{source}: certificate authority cannot be used: {error.reason or 'malformed'}"
        ) from None


def _present(
    context: ssl.SSLContext, *, certificate: bytes | None, key: bytes | None, source: str
) -> None:
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = "certificate" if certificate is None else "key"
        raise ConfigError(f"{source}: the client {missing} is missing")
    check_key_pair(certificate, key, where=source)
    with named_content(certificate.rstrip() + b"\n" + key) as path:
        try:
            # An empty password instead of none: none would make OpenSSL ask the terminal.
            context.load_cert_chain(path, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or "malformed"
            raise ConfigError(
                f"{source}: client certificate and key cannot be used: {reason}"
            ) from None
