"""A TLS context that is always current: each new connection takes the identity of its moment."""

import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from towline_kube.tls import TlsIdentity, endpoint_context


class LiveContext(ssl.SSLContext):
    """An `ssl.SSLContext` to hand to any library once and for all.

    When a connection is opened, its certificate, key and trust are those that `identity` returns
    then, all of one generation: there is a whole context behind this one for each of them. (To load
    a new chain into a context in use would mix keys of different kinds, and could not take back
    trust.) Connections that are open already keep what they began with.

    Of what a library sets on it, the application protocols (ALPN) count and nothing else: how
    servers are verified cannot be weakened from here. On its own it trusts nobody and shows no
    certificate.

    Args:
        identity: Returns who we are now; what it raises, opening a connection raises.
    """

    def __new__(cls, identity: Callable[[], TlsIdentity]) -> "LiveContext":  # noqa: D102, PYI034
        del identity
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, identity: Callable[[], TlsIdentity]) -> None:
        self._identity = identity
        self._protocols: list[str] = []
        self._built: tuple[TlsIdentity, list[str], ssl.SSLContext] | None = None

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Offer these protocols on connections from now on."""
        self._protocols = list(alpn_protocols)

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Return a socket with the identity of this moment; see `ssl.SSLContext.wrap_socket`."""
        return self._current().wrap_socket(sock, *args, **options)

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any
    ) -> ssl.SSLObject:
        """Return a TLS session with the identity of this moment; asyncio's way to open one."""
        return self._current().wrap_bio(incoming, outgoing, *args, **options)

    def _current(self) -> ssl.SSLContext:
        identity, protocols = self._identity(), self._protocols
        if self._built is not None and self._built[:2] == (identity, protocols):
            return self._built[2]
        context = endpoint_context(identity)
        if protocols:
            context.set_alpn_protocols(protocols)
        # One assignment: threads that come here at once each get a whole context.
        self._built = (identity, protocols, context)
        return context
