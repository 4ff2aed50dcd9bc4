"""TLS on the server's side: its own certificate, and client certificates for whoever has one."""

import ssl

from towline_kube.memory_files import named_content

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the `ssl` module has no name for.

A client certificate that has expired is to reach authentication, which answers 401 as a real server
does; left to OpenSSL, the connection would end without a word."""


def server_context(
    *, certificate_pem: bytes, key_pem: bytes, client_ca_pem: bytes
) -> ssl.SSLContext:
    """Return the TLS settings of a server.

    Args:
        certificate_pem: Its certificate.
        key_pem: The certificate's key.
        client_ca_pem: Who signs client certificates. One signed by anybody else ends the
            handshake, where a real server would let its holder in as nobody.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with named_content(certificate_pem.rstrip() + b"\n" + key_pem) as path:
        context.load_cert_chain(path)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=client_ca_pem.decode("ascii"))
    context.verify_flags |= _NO_CHECK_TIME
    # Connections here last; whoever opens another shows its certificate again.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    return context
