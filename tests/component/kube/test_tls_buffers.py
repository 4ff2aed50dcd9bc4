"""Connections that take little memory carry what others carry."""

import gc
from asyncio import sslproto

import pytest
from aiohttp import web

from support.clients import connection_to
from support.pki import Pki
from support.tls_server import TlsServer
from towline_api.resources import CONFIG_MAPS
from towline_kube import Client
from towline_kube.tls_buffers import keep_tls_buffers_small


def connections() -> list[sslproto.SSLProtocol]:
    """Return the ends of TLS connections in this process, those that nobody needs included."""
    return [each for each in gc.get_objects() if isinstance(each, sslproto.SSLProtocol)]


async def test_small_buffers_carry_long_answers(
    server: TlsServer, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near the most that may be stored, both ways, over a connection that sets an eighth aside."""
    before = sslproto.SSLProtocol.max_size
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", before)  # put back at the end
    keep_tls_buffers_small()
    older = connections()
    large = {"metadata": {"name": "large", "namespace": "c1"}, "data": {"blob": "x" * 900_000}}

    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await request.read(), content_type="application/json")

    server.handler = echo
    async with Client(connection_to(server, pki), field_manager="t") as client:
        answer = await client.replace(CONFIG_MAPS, large)
        assert answer["data"] == large["data"]
        made = [each for each in connections() if each not in older]
    assert made
    for each in made:
        assert len(each._ssl_buffer) <= before / 8  # type: ignore[attr-defined]
