"""The connections that a transport sends on, kept open between requests."""

import functools
import os
import socket
from typing import Any

import aiohttp

from towline_kube.connection import Connection
from towline_kube.fence import Fence, FencedSocket
from towline_kube.proxies import proxy_for
from towline_kube.tls import ssl_context

MOST_CONNECTIONS = 100
"""Requests and watches at one time; more wait their turn. Far below what one API server allows."""
IDLE_CONNECTION_KEPT = 55
"""Seconds. Balancers in front of API servers cut idle connections from 60 s on."""
_READ_BUFFER = 2**21
"""Bytes, as in the official client: one event of a watch can exceed aiohttp's default."""


class ConnectionPools:
    """Opens connections under one credential when they are first needed.

    With a fence, what changes something goes over connections of its own, on which nothing leaves
    this process once the fence is closed. So it need not be known which bytes belong to a write,
    and a half-sent one stays half-sent.

    Args:
        connection: Server, trust and identity.
        fence: What writes have to pass; None for none.

    Raises:
        ConfigError: A certificate, key or authority cannot be used.
    """

    def __init__(self, connection: Connection, *, fence: Fence | None) -> None:
        self._connection = connection
        self._fence = fence
        self._tls = ssl_context(connection)
        self.proxy = connection.proxy_url or proxy_for(connection.server, environment=os.environ)
        """URL of the proxy to go through; None for none."""
        self._rest: Any = None
        self._open: dict[bool, tuple[aiohttp.ClientSession, aiohttp.TCPConnector]] = {}
        self._closed = False

    def session(self, *, stores: bool) -> aiohttp.ClientSession:
        """Return the session to send a request with.

        Args:
            stores: Whether the request changes something.

        Raises:
            RuntimeError: The pools are closed.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        fence = self._fence if stores else None
        fenced = fence is not None
        if fenced not in self._open:
            self._open[fenced] = self._make(fence)
        return self._open[fenced][0]

    @property
    def official(self) -> Any:
        """What the official client sends its requests with, over these connections.

        Raises:
            RuntimeError: The pools are closed.
        """
        if self._rest is None:
            self._rest = self._official()
        self._rest.pool_manager = self.session(stores=False)
        return self._rest

    def _official(self) -> Any:
        # Here because these imports take a tenth of a second and ten MiB, the whole synchronous
        # client among them. Hub and agent do without.
        from kubernetes.aio.client.configuration import Configuration
        from kubernetes.aio.client.rest import RESTClientObject

        # It builds a TLS context of its own that we replace. Given authorities, it does not load
        # the system's for that.
        configuration = Configuration(
            host=self._connection.server,
            ca_cert_data=_text(self._connection.ca_pem),
            tls_server_name=self._connection.tls_server_name,
            connection_pool_maxsize=MOST_CONNECTIONS,
            proxy=self.proxy,
        )
        rest = RESTClientObject(configuration)
        rest.ssl_context = self._tls
        return rest

    async def close(self) -> None:
        """Close every connection; requests still in flight fail."""
        self._closed = True
        open_now, self._open = self._open, {}
        for session, connector in open_now.values():
            await session.close()
            await connector.close()

    def _make(self, fence: Fence | None) -> tuple[aiohttp.ClientSession, aiohttp.TCPConnector]:
        connector = aiohttp.TCPConnector(
            limit=MOST_CONNECTIONS,
            ssl=self._tls,
            keepalive_timeout=IDLE_CONNECTION_KEPT,
            socket_factory=functools.partial(_kept_alive_socket, fence=fence),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            connector_owner=False,
            # No proxy and no password from places nobody told us to look at.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BUFFER,
        )
        # Otherwise aiohttp itself sends a PUT or DELETE again when the connection breaks, which
        # is not for it to decide. There is no public switch.
        session._retry_connection = False  # noqa: SLF001 - as aiohttp's own test client does
        return session, connector


def _kept_alive_socket(address: tuple[Any, ...], *, fence: Fence | None) -> socket.socket:
    """Return a socket whose dead peer the kernel notices within a minute, whatever it waits for."""
    family, kind, protocol = address[:3]
    created = (
        socket.socket(family, kind, protocol)
        if fence is None
        else FencedSocket(fence, family=family, kind=kind, protocol=protocol)
    )
    created.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        # Milliseconds. Nothing is probed while something sent waits to be acknowledged, which by
        # default is a quarter of an hour; the official client waits five minutes for an answer.
        ("TCP_USER_TIMEOUT", 60_000),
    ):
        if hasattr(socket, option):  # macOS calls the first one otherwise
            created.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return created


def _text(pem: bytes | None) -> str | None:
    return None if pem is None else pem.decode("ascii", errors="ignore")
