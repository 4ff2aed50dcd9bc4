"""The webhook's server over real TLS: who is answered, what is refused, what changes in use."""

import asyncio
import io
import json
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from towline_api.errors import ConfigError
from towline_hub.webhook import server as server_module
from towline_hub.webhook.server import ConversionServer
from towline_hub.webhook.serving_certificate import (
    Certificates,
    Lifetimes,
    ServerNames,
    make_certificates,
)

GROUP = "addon.open-cluster-management.io"


def certificates() -> Certificates:
    return make_certificates(
        ServerNames(ip=("127.0.0.1",)),
        lifetimes=Lifetimes.of_leaf(timedelta(hours=1)),
        now=datetime.now(UTC),
    )


def trusting(held: Certificates) -> ssl.SSLContext:
    """Return a client's TLS settings, strict as those of an API server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=held.trusted_pem.decode())
    return context


def review(count: int = 1, **changes: Any) -> dict[str, Any]:
    objects = [
        {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "ManagedClusterAddOn",
            "metadata": {"name": f"a{number}", "namespace": "c1"},
            "spec": {"installNamespace": "x"},
            "status": {"conditions": [{"type": "Available", "message": "m" * 500}]},
        }
        for number in range(count)
    ]
    request = {"uid": "u", "desiredAPIVersion": f"{GROUP}/v1beta1", "objects": objects, **changes}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request}


@pytest.fixture
def held() -> Certificates:
    return certificates()


@pytest_asyncio.fixture
async def server(held: Certificates) -> AsyncIterator[ConversionServer]:
    made = ConversionServer()
    made.use(held.certificate_pem, held.key_pem)
    await made.start(host="127.0.0.1", port=0)
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def url(server: ConversionServer, path: str = "/convert") -> str:
    return f"https://127.0.0.1:{server.port}{path}"


async def ask(
    session: aiohttp.ClientSession, server: ConversionServer, held: Certificates, body: object
) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(url(server), data=io.BytesIO(data), ssl=trusting(held)) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith("{") else text


async def test_a_review_is_answered(
    server: ConversionServer, session: aiohttp.ClientSession, held: Certificates
) -> None:
    """Over the connection and with the trust that an API server has."""
    status, answer = await ask(session, server, held, review(3))
    assert status == 200
    assert answer["response"]["result"]["status"] == "Success"
    assert [item["apiVersion"] for item in answer["response"]["convertedObjects"]] == (
        [f"{GROUP}/v1beta1"] * 3
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"\x00\xff", 400, id="no text"),
        pytest.param(b"[" * 200_000, 400, id="deep"),
        pytest.param({"kind": "Pod"}, 400, id="no review"),
        pytest.param(review(desiredAPIVersion="v1"), 200, id="unknown version"),
    ],
)
async def test_what_cannot_be_answered_is_refused_and_the_next_is_not(
    server: ConversionServer,
    session: aiohttp.ClientSession,
    held: Certificates,
    body: object,
    status: int,
) -> None:
    """One bad request is nobody else's problem."""
    found, answer = await ask(session, server, held, body)
    assert found == status
    if status == 200:
        assert answer["response"]["result"]["status"] == "Failure"
    assert (await ask(session, server, held, review()))[0] == 200


async def test_what_is_converted_is_counted_by_where_to_and_whether(
    held: Certificates, session: aiohttp.ClientSession
) -> None:
    """Whatever a peer writes makes no more labels than these."""
    counted: list[tuple[str, str, int]] = []
    made = ConversionServer(count=lambda *each: counted.append(each))
    made.use(held.certificate_pem, held.key_pem)
    await made.start(host="127.0.0.1", port=0)
    try:
        for body in (
            review(3),
            review(desiredAPIVersion=f"{GROUP}/v1alpha1"),
            review(2, desiredAPIVersion=f"{GROUP}/v9"),
            {"kind": "Pod"},
        ):
            await ask(session, made, held, body)
    finally:
        await made.close()
    assert counted == [
        ("v1beta1", "converted", 3),
        ("v1alpha1", "converted", 1),
        ("unknown", "refused", 2),
        ("unknown", "refused", 1),
    ]


async def test_a_body_beyond_all_bounds_is_not_even_read(
    held: Certificates, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reaches the port could fill the hub's memory."""
    monkeypatch.setattr(server_module, "LONGEST_BODY", 10_000)
    made = ConversionServer()
    made.use(held.certificate_pem, held.key_pem)
    await made.start(host="127.0.0.1", port=0)
    try:
        assert (await ask(session, made, held, b" " * 20_000))[0] == 413
        assert (await ask(session, made, held, review()))[0] == 200
    finally:
        await made.close()


async def test_only_conversion_is_served(
    server: ConversionServer, session: aiohttp.ClientSession, held: Certificates
) -> None:
    """Nothing else of the hub is to be had there."""
    async with session.get(url(server), ssl=trusting(held)) as answer:
        assert answer.status == 405
    async with session.post(url(server, "/metrics"), ssl=trusting(held)) as answer:
        assert answer.status == 404


async def test_old_versions_of_tls_are_refused(
    server: ConversionServer, session: aiohttp.ClientSession, held: Certificates
) -> None:
    """As an API server does."""
    old = trusting(held)
    # Below what OpenSSL offers by itself.
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.post(url(server), ssl=old)


async def test_a_certificate_changes_without_anybody_noticing(
    server: ConversionServer, session: aiohttp.ClientSession, held: Certificates
) -> None:
    """New connections see the new one, and those that are open go on."""
    context = trusting(held)
    async with session.post(url(server), json=review(), ssl=context) as answer:
        assert answer.status == 200
    new = certificates()
    assert server.use(new.certificate_pem, new.key_pem)
    assert not server.use(new.certificate_pem, new.key_pem), "it is the same"
    async with session.post(url(server), json=review(), ssl=context) as answer:
        assert answer.status == 200, "the connection that was open"
    assert (await ask(session, server, new, review()))[0] == 200
    async with aiohttp.ClientSession() as other:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await other.post(url(server), ssl=trusting(held))


async def test_a_large_review_leaves_room_for_others(
    server: ConversionServer, session: aiohttp.ClientSession, held: Certificates
) -> None:
    """The hub approves and renews while ten thousand add-ons are converted."""
    turns = 0
    large = asyncio.ensure_future(ask(session, server, held, review(5_000)))
    while not large.done():
        await asyncio.sleep(0)
        turns += 1
    status, answer = await large
    assert status == 200
    assert len(answer["response"]["convertedObjects"]) == 5_000
    assert turns > 50


async def test_a_port_that_is_taken_is_said_or_gone_around(held: Certificates) -> None:
    """An operator's port is the operator's to free; any other will do on this machine."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = ConversionServer()
        made.use(held.certificate_pem, held.key_pem)
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}.*--webhook-port"):
            await made.start(host="127.0.0.1", port=port)
        assert not made.port
        try:
            await made.start(host="127.0.0.1", port=port, is_preference=True)
            assert made.port not in (None, port)
        finally:
            await made.close()
        with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
            await ConversionServer().start(host="192.0.2.1", port=0, is_preference=True)
