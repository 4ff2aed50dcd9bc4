"""Clients of the small TLS server."""

from datetime import timedelta

from support.pki import Pki
from support.tls_server import TlsServer
from towline_kube import Connection, RetryPolicy

IMPATIENT = RetryPolicy(
    first_delay=timedelta(milliseconds=1), longest_delay=timedelta(milliseconds=5)
)
"""Real time passes in these tests, so as little of it as possible."""


def connection_to(server: TlsServer, pki: Pki, *, user: str = "one") -> Connection:
    certificate, key = pki.client_pair(user)
    return Connection(
        server=server.url,
        ca_pem=pki.ca_pem,
        client_certificate_pem=certificate,
        client_key_pem=key,
    )
