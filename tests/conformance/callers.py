"""Who calls a plane in a test: its administrator, users with certificates or tokens, or nobody."""

import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import lru_cache

import aiohttp

from conformance.api import Api
from conformance.planes import Plane
from towline_kube.connection import Connection
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context


class Callers:
    """Opens connections to a plane under any identity, and closes them all with the test.

    Args:
        plane: The plane under test.
        stack: Closed when the test ends.
    """

    def __init__(self, plane: Plane, stack: AsyncExitStack) -> None:
        self.plane = plane
        self._stack = stack
        self._admin_connection = _admin_connection(plane)

    async def admin(self, *, headers: Mapping[str, str] | None = None) -> Api:
        """Return the calls of a user who may do everything."""
        return await self.open(self._admin_connection, headers=headers)

    async def user(
        self,
        name: str,
        *,
        groups: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Api:
        """Return the calls of a user with a client certificate."""
        kubeconfig = await self.plane.control.kubeconfig_for(name, groups=groups)
        connection = parse_kubeconfig(kubeconfig, source="conformance")
        return await self.open(connection, headers=headers)

    async def token(self, token: str) -> Api:
        """Return the calls of whoever holds a bearer token."""
        return await self.open(replace(self._nobody, token=token))

    async def anonymous(self, *, headers: Mapping[str, str] | None = None) -> Api:
        """Return the calls of somebody who shows nothing (but these headers)."""
        return await self.open(self._nobody, headers=headers)

    async def kubeconfig(self, text: str) -> Api:
        """Return the calls of whoever a kubeconfig says."""
        return await self.open(parse_kubeconfig(text, source="conformance"))

    async def certificate(self, certificate_pem: bytes, key_pem: bytes) -> Api:
        """Return the calls of whoever holds this certificate and its key."""
        return await self.open(
            replace(self._nobody, client_certificate_pem=certificate_pem, client_key_pem=key_pem)
        )

    async def open(
        self, connection: Connection, *, headers: Mapping[str, str] | None = None
    ) -> Api:
        """Return calls as this connection says."""
        shown = dict(headers or {})
        if connection.token is not None:
            shown["Authorization"] = f"Bearer {connection.token}"
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=_context(connection)),
            headers={"User-Agent": "conformance/1.0 (suite)", **shown},
        )
        await self._stack.enter_async_context(session)
        return Api(session, server=connection.server)

    @property
    def _nobody(self) -> Connection:
        return replace(self._admin_connection, client_certificate_pem=None, client_key_pem=None)


@lru_cache(maxsize=8)
def _admin_connection(plane: Plane) -> Connection:
    """Return the same for all tests of a plane: to make and read it takes as long as a test."""
    return parse_kubeconfig(plane.control.admin_kubeconfig(), source="conformance")


@lru_cache(maxsize=32)
def _context(connection: Connection) -> ssl.SSLContext:
    return ssl_context(connection)
