"""A TLS context that is always current: each handshake is of one generation, none weaker."""

import asyncio
import dataclasses
import http.client
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from support.pki import Pki
from support.tls_server import TlsServer
from support.waiting import eventually
from towline_api.errors import ConfigError
from towline_certs.keys import KeyKind
from towline_kube.live_context import LiveContext
from towline_kube.tls import TlsIdentity


def identity_of(pki: Pki, user: str, *, kind: KeyKind = KeyKind.ECDSA_P256) -> TlsIdentity:
    certificate, key = pki.client_pair(user, kind=kind)
    return TlsIdentity(certificate_pem=certificate, key_pem=key, ca_pem=pki.ca_pem)


class Holder:
    """Whose identity is current."""

    def __init__(self, identity: TlsIdentity) -> None:
        self.identity = identity
        self.context = LiveContext(lambda: self.identity)


@pytest.fixture
def holder(pki: Pki) -> Holder:
    return Holder(identity_of(pki, "one"))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


async def call(session: aiohttp.ClientSession, server: TlsServer, context: LiveContext) -> int:
    async with session.post(server.url, ssl=context) as response:
        return response.status


async def test_no_handshake_fails_while_certificates_rotate_under_load(
    server: TlsServer, pki: Pki, holder: Holder, session: aiohttp.ClientSession
) -> None:
    """Keys of every kind follow each other; each connection gets a whole generation."""
    kinds = [KeyKind.RSA_2048, KeyKind.ED25519, KeyKind.ECDSA_P256, KeyKind.RSA_2048]
    fresh = [identity_of(pki, f"user-{n}", kind=kind) for n, kind in enumerate(kinds)]
    done = False
    made = 0

    async def work() -> None:
        nonlocal made
        while not done:
            assert await call(session, server, holder.context) == 200
            made += 1

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(work(), name=f"call-server/{number}")
        for identity in fresh:
            before = made
            await eventually(lambda: made >= before + 8, what=lambda: made)  # noqa: B023
            holder.identity = identity
        before = made
        await eventually(lambda: made >= before + 8, what=lambda: made)
        done = True
    assert [*dict.fromkeys(seen.client for seen in server.seen)] == [
        "one",
        *(f"user-{number}" for number in range(len(kinds))),
    ]


async def test_trust_is_replaced_and_never_added_to(
    server: TlsServer, pki: Pki, holder: Holder, session: aiohttp.ClientSession
) -> None:
    """An authority that was taken back is not believed any more."""
    assert await call(session, server, holder.context) == 200
    holder.identity = dataclasses.replace(holder.identity, ca_pem=Pki("another").ca_pem)
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await call(session, server, holder.context)


async def test_names_are_verified(pki: Pki, holder: Holder, session: aiohttp.ClientSession) -> None:
    """The twin that shows that somebody looks at whose certificate it is."""
    context = pki.server_context(dns_names=("elsewhere",), clients=pki)

    async def ok(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async with TlsServer(context, ok) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url, ssl=holder.context)


async def test_what_libraries_set_on_it_weakens_nothing(
    server: TlsServer, holder: Holder, session: aiohttp.ClientSession
) -> None:
    """Some switch verification off on a context that they are given, if somebody tells them to."""
    holder.identity = dataclasses.replace(holder.identity, ca_pem=Pki("another").ca_pem)
    holder.context.check_hostname = False
    holder.context.verify_mode = ssl.CERT_NONE
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await call(session, server, holder.context)


async def test_the_system_is_trusted_only_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No authority means nobody, not whoever the machine's vendor trusts."""
    loaded: list[ssl.Purpose] = []

    def note(context: ssl.SSLContext, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        loaded.append(purpose)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", note)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    nobody = LiveContext(lambda: TlsIdentity(source="here"))
    with pytest.raises(ConfigError, match="here: no authority is given"):
        nobody.wrap_bio(incoming, outgoing, server_hostname="localhost")
    assert not loaded
    asked = LiveContext(lambda: TlsIdentity(system_trust=True))
    asked.wrap_bio(incoming, outgoing, server_hostname="localhost")
    assert loaded == [ssl.Purpose.SERVER_AUTH]


async def test_libraries_that_block_can_use_it_in_a_thread(
    server: TlsServer, pki: Pki, holder: Holder
) -> None:
    """The standard library's client, and with it much else, wraps sockets."""

    def ask() -> int:
        host, _, port = server.host.partition(":")
        connection = http.client.HTTPSConnection(
            host, int(port), timeout=10, context=holder.context
        )
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    assert await asyncio.to_thread(ask) == 200
    holder.identity = identity_of(pki, "two")
    assert await asyncio.to_thread(ask) == 200
    assert [seen.client for seen in server.seen] == ["one", "two"]


async def test_protocols_are_offered_as_a_library_asks(pki: Pki, holder: Holder) -> None:
    """Over HTTP/2 and its like, who speaks what is agreed on in the handshake."""
    context = pki.server_context(clients=pki)
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def agreed() -> str | None:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=holder.context)
        found: str | None = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        writer.close()
        await writer.wait_closed()
        return found

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        assert await agreed() is None
        holder.context.set_alpn_protocols(["h2"])
        assert await agreed() == "h2"


async def test_a_context_is_made_once_for_each_generation(
    server: TlsServer, pki: Pki, holder: Holder, session: aiohttp.ClientSession
) -> None:
    """Reading keys takes milliseconds, and a busy add-on opens many connections."""
    first = holder.context._current()
    assert holder.context._current() is first
    holder.identity = dataclasses.replace(holder.identity)
    assert holder.context._current() is first
    holder.identity = identity_of(pki, "two")
    assert holder.context._current() is not first


async def test_no_key_is_in_what_it_shows(pki: Pki) -> None:
    """Settings end up in logs and tracebacks."""
    identity = identity_of(pki, "one")
    assert "BEGIN" not in repr(identity)
    assert "BEGIN" not in repr(LiveContext(lambda: identity))
