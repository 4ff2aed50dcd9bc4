"""The few calls a plane makes to its own API server, as its administrator.

They are made while the server is still coming up, several times a second, and nothing is to be
retried or explained: that is why this is not `towline_kube.Client`.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp

from towline_api.resources import KubeObject

_CALL_LIMIT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said.

    Args:
        status: HTTP status.
        body: The object it sent; empty when it sent text (`text` holds it then).
        text: The text it sent.
    """

    status: int
    body: KubeObject
    text: str


class OwnApi:
    """An open connection to a plane's API server.

    Args:
        session: Carries the administrator's certificate.
        server: Address of the server.
    """

    def __init__(self, session: aiohttp.ClientSession, *, server: str) -> None:
        self._session = session
        self._server = server

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: KubeObject | None = None,
        content_type: str = "application/json",
    ) -> Answer | None:
        """Return the server's answer, or None when it could not be reached."""
        try:
            async with (
                asyncio.timeout(_CALL_LIMIT.total_seconds()),
                self._session.request(
                    method,
                    f"{self._server}{path}",
                    json=body,
                    headers={"Content-Type": content_type} if body is not None else None,
                ) as response,
            ):
                text = await response.text()
                is_json = response.content_type == "application/json"
                return Answer(response.status, await response.json() if is_json else {}, text)
        except (aiohttp.ClientError, TimeoutError):
            return None


@asynccontextmanager
async def open_own_api(
    server: str, *, ca: Path, certificate: Path, key: Path
) -> AsyncIterator[OwnApi]:
    """Open a connection that verifies the server with `ca` and shows it `certificate`."""
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(certificate, key)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=None),  # `call` limits each
    ) as session:
        yield OwnApi(session, server=server)
