"""What the client's tests against a real TLS server share."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from support.clients import IMPATIENT, connection_to
from support.pki import Pki
from support.tls_server import TlsServer
from towline_kube import Client


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
async def server(pki: Pki) -> AsyncIterator[TlsServer]:
    async def ok(request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "Secret", "metadata": {"name": "x"}})

    async with TlsServer(pki.server_context(clients=pki), ok) as running:
        yield running


@pytest.fixture
async def client(server: TlsServer, pki: Pki) -> AsyncIterator[Client]:
    async with Client(connection_to(server, pki), field_manager="test", retry=IMPATIENT) as made:
        yield made
