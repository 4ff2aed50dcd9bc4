"""Swapping the credential of a client in use: nothing fails, nothing lingers, no key leaks."""

import asyncio
import dataclasses
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from support.clients import IMPATIENT, connection_to, follow
from support.pki import Pki
from support.tls_server import TlsServer, answers, event, stream
from support.waiting import eventually
from towline_api.errors import ConfigError
from towline_api.resources import SECRETS
from towline_certs.keys import KeyKind
from towline_kube import Client, Unreachable, UntrustedServer, WatchEvent


async def test_calls_after_the_swap_use_the_new_certificate(
    server: TlsServer, client: Client, pki: Pki
) -> None:
    """A connection kept alive still speaks for whom it was opened."""
    await client.get(SECRETS, "x", namespace="c1")
    await client.swap(connection_to(server, pki, user="two"))
    await client.get(SECRETS, "x", namespace="c1")
    assert [seen.client for seen in server.seen] == ["one", "two"]


async def test_no_call_fails_while_certificates_rotate_under_load(
    server: TlsServer, client: Client, pki: Pki
) -> None:
    """The promise of zero-downtime rotation, on real connections."""
    connections = [connection_to(server, pki, user=f"user-{number}") for number in range(6)]
    done = False
    made = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.005)
        return web.json_response({"metadata": {"name": "x"}})

    server.handler = slow

    async def call() -> None:
        nonlocal made
        while not done:
            # A create is not retried, so that one that failed would show.
            await client.create(SECRETS, {"metadata": {"name": "x", "namespace": "c1"}})
            made += 1

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(call(), name=f"call-server/{number}")
        for connection in connections:
            before = made
            await eventually(lambda: made >= before + 20, what=lambda: made)  # noqa: B023
            await client.swap(connection)
        done = True
    users = [seen.client for seen in server.seen]
    assert len(set(users)) == 7
    assert client.calls["create", "secrets"] == made == len(users)


async def test_a_request_in_flight_finishes_on_the_old_connection(
    server: TlsServer, client: Client, pki: Pki
) -> None:
    """Cutting it off would leave open whether it was carried out."""
    arrived, release = asyncio.Event(), asyncio.Event()

    async def held(request: web.Request) -> web.StreamResponse:
        if not arrived.is_set():
            arrived.set()
            await release.wait()
        return web.json_response({"metadata": {"name": server.seen[-1].client}})

    server.handler = held
    async with asyncio.TaskGroup() as group:
        old = group.create_task(client.get(SECRETS, "x", namespace="c1"), name="call-server")
        await arrived.wait()
        fresh = connection_to(server, pki, user="two")
        swap = group.create_task(client.swap(fresh), name="swap-credential")
        await eventually(lambda: client.connection is fresh, what=lambda: client.connection)
        # The new credential is in use before the old one is drained.
        new = await client.get(SECRETS, "x", namespace="c1")
        assert new["metadata"]["name"] == "two"
        assert not old.done()
        assert not swap.done()
        release.set()
        await old
        await swap


async def test_draining_has_a_limit(server: TlsServer, client: Client, pki: Pki) -> None:
    """A request that never ends must not keep an old identity alive."""
    arrived, never = asyncio.Event(), asyncio.Event()

    async def held(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await never.wait()
        return web.Response()

    server.handler = held
    body = {"metadata": {"name": "x", "namespace": "c1"}}

    async def create() -> None:
        with pytest.raises(Unreachable):
            await client.create(SECRETS, body)

    async with asyncio.TaskGroup() as group:
        group.create_task(create(), name="call-server")
        await arrived.wait()
        new = connection_to(server, pki, user="two")
        await client.swap(new, drain_within=timedelta(milliseconds=100))
    never.set()


async def test_watches_on_the_old_connection_end_in_good_order(
    server: TlsServer, client: Client, pki: Pki
) -> None:
    """Their owners watch on from where they were, under the new identity."""
    opened = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        opened.set()
        return await stream(request, event("ADDED", 1), then=asyncio.Event().wait())

    server.handler = handler
    seen: list[WatchEvent] = []
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        watching = group.create_task(follow(client.watch(SECRETS), into=seen), name="watch-secrets")
        await opened.wait()
        await eventually(lambda: bool(seen), what=lambda: "no event yet")
        await client.swap(connection_to(server, pki, user="two"))
        await watching
    server.handler = answers(web.Response(body=event("ADDED", 2)))
    assert [found.object["metadata"]["name"] async for found in client.watch(SECRETS)] == ["o2"]
    assert [request.client for request in server.seen] == ["one", "two"]


async def test_a_swap_from_inside_a_watch_does_not_wait_for_itself(
    server: TlsServer, client: Client, pki: Pki
) -> None:
    """What announces a new credential is often an event of the very client that is to use it."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(
            request, event("ADDED", 1), event("ADDED", 2), then=asyncio.Event().wait()
        )

    server.handler = handler
    async with asyncio.timeout(5):
        async for _ in client.watch(SECRETS):
            await client.swap(connection_to(server, pki, user="two"))


async def test_an_unusable_connection_leaves_the_old_one_in_use(
    server: TlsServer, client: Client, pki: Pki
) -> None:
    """A Secret somebody edited must not cut a working channel."""
    good = connection_to(server, pki, user="two")
    _, other_key = pki.client_pair("three")
    with pytest.raises(ConfigError, match="does not belong to the client key"):
        await client.swap(dataclasses.replace(good, client_key_pem=other_key))
    await client.get(SECRETS, "x", namespace="c1")
    assert [seen.client for seen in server.seen] == ["one"]


async def test_a_new_authority_is_trusted_after_the_swap_and_the_old_is_not(pki: Pki) -> None:
    """Rotating the hub's CA is a swap as well; trust is replaced, never added to."""
    new = Pki("new-ca")

    async def ok(request: web.Request) -> web.StreamResponse:
        return web.json_response({"gitVersion": "v1"})

    async with (
        TlsServer(pki.server_context(), ok) as before,
        TlsServer(new.server_context(), ok) as after,
        Client(connection_to(before, pki), field_manager="test", retry=IMPATIENT) as client,
    ):
        await client.server_version()
        await client.swap(dataclasses.replace(connection_to(after, pki), ca_pem=new.ca_pem))
        await client.server_version()
        await client.swap(dataclasses.replace(connection_to(before, pki), ca_pem=new.ca_pem))
        with pytest.raises(UntrustedServer):
            await client.create(SECRETS, {"metadata": {"name": "x", "namespace": "c1"}})


@pytest.mark.parametrize("kind", [KeyKind.ECDSA_P256, KeyKind.RSA_2048, KeyKind.ED25519])
async def test_no_file_ever_holds_the_key(
    server: TlsServer, pki: Pki, kind: KeyKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official loader writes keys to temporary files that outlive a crash."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    written: list[str] = []

    def note(event_name: str, arguments: tuple[object, ...]) -> None:
        if watching and event_name == "open":
            path, _, flags = arguments[:3]
            if isinstance(flags, int) and flags & 0o3:
                written.append(str(path))

    watching = True
    sys.addaudithook(note)
    try:
        certificate, key = pki.client_pair("one", kind=kind)
        connection = dataclasses.replace(
            connection_to(server, pki), client_certificate_pem=certificate, client_key_pem=key
        )
        async with Client(connection, field_manager="test") as client:
            await client.get(SECRETS, "x", namespace="c1")
    finally:
        watching = False
    assert not [path for path in written if not path.startswith("/dev/")]
    assert not os.listdir(tmp_path)  # noqa: PTH208


async def test_closing_leaves_no_task_and_no_connection(server: TlsServer, pki: Pki) -> None:
    """A closed client is done; using it is a mistake of the program and says so."""
    client = Client(connection_to(server, pki), field_manager="test")
    await client.get(SECRETS, "x", namespace="c1")
    before = asyncio.all_tasks()
    await client.close()
    await client.close()
    assert asyncio.all_tasks() <= before
    with pytest.raises(RuntimeError, match="closed"):
        await client.get(SECRETS, "x", namespace="c1")
