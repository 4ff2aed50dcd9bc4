"""A channel whose credential rotates under load: every way to use it goes on."""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio import client as kubernetes_client

from support.clients import connection_to
from support.pki import Pki
from support.tasks import background
from support.tls_server import TlsServer
from support.waiting import eventually
from towline_agent.channel.hub_channel import HubChannel, HubNotReadyError
from towline_api.resources import SECRETS


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
async def server(pki: Pki) -> AsyncIterator[TlsServer]:
    async def answer(request: web.Request) -> web.StreamResponse:
        user = {"username": running.seen[-1].client}
        return web.json_response({"metadata": {"name": "x"}, "status": {"userInfo": user}})

    running = TlsServer(pki.server_context(clients=pki), answer)
    async with running:
        yield running


@pytest.fixture
async def channel(server: TlsServer, pki: Pki) -> AsyncIterator[HubChannel]:
    channel = HubChannel()
    async with background(channel.run(), name="run-channel"):
        yield channel


async def test_no_way_to_use_it_fails_while_credentials_rotate(
    server: TlsServer, channel: HubChannel, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    """Our client, the official one and a library with the TLS context, all at one time."""
    caplog.set_level(logging.DEBUG)
    channel.offer(connection_to(server, pki, user="user-0"))
    await channel.wait_ready()
    core = kubernetes_client.CoreV1Api(channel.api_client)
    connector = aiohttp.TCPConnector(force_close=True, ssl=channel.ssl_context())
    made = {"own": 0, "official": 0, "library": 0}
    done = False

    async with aiohttp.ClientSession(connector=connector) as session:

        async def library() -> None:
            async with session.get(server.url) as response:
                assert response.status == 200

        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "own": lambda: channel.client.create(
                SECRETS, {"metadata": {"name": "x", "namespace": "c1"}}
            ),
            "official": lambda: core.read_namespaced_secret("x", "c1"),
            "library": library,
        }

        async def work(name: str) -> None:
            while not done:
                await calls[name]()
                made[name] += 1

        async with asyncio.TaskGroup() as group:
            for name in calls:
                group.create_task(work(name), name=f"call-hub/{name}")
            for number in range(1, 4):
                fresh = connection_to(server, pki, user=f"user-{number}")
                channel.offer(fresh)
                await eventually(lambda: channel.connection == fresh, what=lambda: made)  # noqa: B023
                server.seen.clear()
                before = dict(made)
                await eventually(
                    lambda: all(made[name] > before[name] + 1 for name in made),  # noqa: B023
                    what=lambda: made,
                )
                assert {seen.client for seen in server.seen[-3:]} == {f"user-{number}"}
            done = True
    assert "PRIVATE KEY" not in caplog.text


async def test_who_listens_finds_the_new_credential_in_use(
    server: TlsServer, channel: HubChannel, pki: Pki
) -> None:
    """What is told before it is true would be read too early. The same credential is no news."""
    found: list[str] = []
    channel.on_change(lambda: found.append(channel.connection.source))
    first = dataclasses.replace(connection_to(server, pki), source="first")
    channel.offer(first)
    await channel.wait_ready()
    channel.suspect()
    channel.offer(dataclasses.replace(connection_to(server, pki), source="second"))
    await eventually(lambda: len(found) == 2, what=lambda: found)
    assert found == ["first", "second"]


async def test_nothing_is_given_before_the_hub_has_answered(
    channel: HubChannel, server: TlsServer, pki: Pki
) -> None:
    """Each way says so itself, and what was made before works afterwards."""
    context = channel.ssl_context()
    with pytest.raises(HubNotReadyError):
        _ = channel.api_client
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        with pytest.raises(HubNotReadyError):
            await session.get(server.url)
        channel.offer(connection_to(server, pki))
        await channel.wait_ready()
        async with session.get(server.url) as response:
            assert response.status == 200


async def test_the_official_client_ends_with_the_channel(server: TlsServer, pki: Pki) -> None:
    """Nothing of it is left open, for which the developer would have to care."""
    channel = HubChannel()
    async with background(channel.run(), name="run-channel"):
        channel.offer(connection_to(server, pki))
        await channel.wait_ready()
        core = kubernetes_client.CoreV1Api(channel.api_client)
        assert channel.api_client is core.api_client
        await core.read_namespaced_secret("x", "c1")
    with pytest.raises(RuntimeError, match="closed"):
        await core.read_namespaced_secret("x", "c1")
