"""Clients of the small TLS server."""

from collections.abc import AsyncGenerator
from datetime import timedelta

from support.pki import Pki
from support.tls_server import TlsServer
from towline_kube import Connection, RetryPolicy, WatchEvent

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


async def follow(events: AsyncGenerator[WatchEvent, None], *, into: list[WatchEvent]) -> None:
    """Run a watch to its end, keeping what came before it."""
    async for event in events:
        into.append(event)  # noqa: PERF401 - what came before a failure counts
