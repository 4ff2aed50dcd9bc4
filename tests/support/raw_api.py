"""Calls to an API server as whoever a kubeconfig says, with nothing in between.

For tests of the planes themselves: the client of `towline_kube` retries and explains, and these
tests want to see the bare answer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from towline_api.resources import KubeObject
from towline_kube.connection import Connection
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.own_api import Answer, OwnApi


class RawApi:
    """An API server seen by one user.

    Args:
        api: The connection.
    """

    def __init__(self, api: OwnApi) -> None:
        self._api = api

    async def call(
        self,
        method: str,
        path: str,
        body: KubeObject | None = None,
        *,
        content_type: str = "application/json",
    ) -> Answer:
        """Return the server's answer, whatever it is; no answer fails the test."""
        answer = await self._api.call(method, path, body=body, content_type=content_type)
        assert answer is not None, f"{method} {path}: the server could not be reached"
        return answer


@asynccontextmanager
async def raw_api(who: str | Connection) -> AsyncIterator[RawApi]:
    """Open a connection as the user of a kubeconfig, or with what a connection holds."""
    connection = parse_kubeconfig(who, source="test") if isinstance(who, str) else who
    headers = {} if connection.token is None else {"Authorization": f"Bearer {connection.token}"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=ssl_context(connection)),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=15),
    ) as session:
        yield RawApi(OwnApi(session, server=connection.server))
