"""The connections of a server that is to end at once, whoever is still about to connect."""

import asyncio

from aiohttp import web
from aiohttp.web_protocol import RequestHandler


class Connections(web.Server):
    """The connections that are open, and those on which TLS is still being agreed."""

    _is_over = False

    def abort(self) -> None:
        """Close every connection at once, and those that are only half made when they are whole."""
        self._is_over = True
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take in a connection, TLS included; called by the handler."""
        super().connection_made(handler, transport)
        if self._is_over:
            transport.abort()
