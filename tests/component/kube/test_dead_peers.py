"""A peer that went without a word is noticed by the kernel, for whoever uses our connections."""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client as kubernetes_client

from support.clients import connection_to
from support.pki import Pki
from support.tls_server import TlsServer
from towline_api.resources import SECRETS
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.official_client import OfficialClient


async def by_ours(connection: Connection) -> None:
    async with Client(connection, field_manager="test") as client:
        await client.get(SECRETS, "x", namespace="c1")


async def by_the_official_client(connection: Connection) -> None:
    client = OfficialClient(connection, user_agent="test")
    try:
        await kubernetes_client.CoreV1Api(client.api_client).read_namespaced_secret("x", "c1")
    finally:
        await client.close()


@pytest.mark.parametrize("call", [by_ours, by_the_official_client])
async def test_nothing_waits_for_a_dead_peer_longer_than_a_minute(
    call: Callable[[Connection], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an idle connection nor a request that is never acknowledged."""
    limits: set[tuple[int, int]] = set()

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            limits.add((self._option(socket.TCP_KEEPIDLE), self._option(socket.TCP_USER_TIMEOUT)))
            super().connect(address)

        def _option(self, option: int) -> int:
            return self.getsockopt(socket.IPPROTO_TCP, option)

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"metadata": {"name": "x"}})

    pki = Pki()
    async with TlsServer(pki.server_context(clients=pki), answer) as server:
        monkeypatch.setattr(socket, "socket", Watched)
        await call(connection_to(server, pki))
    assert limits == {(30, 60_000)}
