"""TLS towards an API server: exactly the given authorities, and our key in no folder."""

import logging
import ssl

from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.key_pair import check_authorities, check_key_pair
from towline_kube.memory_files import named_content

log = logging.getLogger(__name__)


def ssl_context(connection: Connection) -> ssl.SSLContext:
    """Return the TLS settings of a connection.

    Verification follows Go's, and so kubectl's: TLS 1.2 or later; the given certificates are the
    trust anchors whether or not they are self-signed; host names match against alternative names,
    never the common name. With authorities given, the system's trust store is not even loaded.

    Raises:
        ConfigError: A certificate or key cannot be used, or authorities are given together with
            insecure-skip-tls-verify.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.hostname_checks_common_name = False
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
    _present(context, connection)
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


def _present(context: ssl.SSLContext, connection: Connection) -> None:
    certificate, key = connection.client_certificate_pem, connection.client_key_pem
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = "certificate" if certificate is None else "key"
        raise ConfigError(f"{connection.source}: the client {missing} is missing")
    check_key_pair(certificate, key, where=connection.source)
    with named_content(certificate.rstrip() + b"\n" + key) as path:
        try:
            # An empty password instead of none: none would make OpenSSL ask the terminal.
            context.load_cert_chain(path, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or "malformed"
            raise ConfigError(
                f"{connection.source}: client certificate and key cannot be used: {reason}"
            ) from None
