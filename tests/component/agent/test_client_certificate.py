"""A certificate of an add-on's own signer: current in every connection, and in no log."""

import asyncio
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from support.clock import FakeClock
from support.pki import LIFETIME, Pki
from support.tasks import background
from support.tls_server import TlsServer
from support.waiting import eventually
from towline_agent.channel.client_certificate import (
    CertificateNotReadyError,
    ClientCertificate,
    ClientCertificates,
)
from towline_agent.channel.mounted_certificate import MountedCertificate, mounted_certificate_folder
from towline_api.errors import ConfigError
from towline_api.names import KUBE_CLIENT_SIGNER
from towline_certs.credentials import Credential, parse_credential
from towline_certs.store import DirectoryStore

SIGNER = "example.com/alerts"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def credential(pki: Pki, user: str) -> Credential:
    certificate, key = pki.client_pair(user)
    return parse_credential(key_pem=key, certificate_pem=certificate)


async def ok(request: web.Request) -> web.StreamResponse:
    return web.Response()


async def test_it_is_there_before_its_certificate(pki: Pki) -> None:
    """A program sets up its connections at start, and says what it waits for."""
    certificate = ClientCertificate(SIGNER)
    context = certificate.ssl_context(server_ca=pki.ca_pem)
    assert not certificate.is_ready
    with pytest.raises(
        CertificateNotReadyError, match=r"no certificate of example\.com/alerts yet"
    ):
        await certificate.wait_ready(timeout=timedelta(0))
    async with TlsServer(pki.server_context(clients=pki), ok) as server:
        port = int(server.host.partition(":")[2])
        with pytest.raises(CertificateNotReadyError):
            await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate.offer(credential(pki, "one"))
    await certificate.wait_ready(timeout=timedelta(0))
    assert certificate.is_ready


async def test_who_waits_is_told(pki: Pki) -> None:
    """Without a limit this may take as long as a person takes to approve."""
    certificate = ClientCertificate(SIGNER)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(certificate.wait_ready(), name=f"wait-for-certificate/{number}")
        await asyncio.sleep(0)
        certificate.offer(credential(pki, "one"))


async def test_no_call_fails_while_certificates_rotate_under_load(pki: Pki) -> None:
    """The promise of the channel, for endpoints of the add-on's own."""
    certificate = ClientCertificate(SIGNER)
    certificate.offer(credential(pki, "user-0"))
    context = certificate.ssl_context(server_ca=pki.ca_pem)
    done = False
    made = 0
    server = TlsServer(pki.server_context(clients=pki), ok)
    connector = aiohttp.TCPConnector(force_close=True, ssl=context)

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal made
        while not done:
            async with session.post(server.url) as response:
                assert response.status == 200
            made += 1

    async with (
        server,
        aiohttp.ClientSession(connector=connector) as session,
        asyncio.TaskGroup() as group,
    ):
        for number in range(3):
            group.create_task(work(session), name=f"call-server/{number}")
        for number in range(1, 4):
            before = made
            await eventually(lambda: made >= before + 6, what=lambda: made)  # noqa: B023
            certificate.offer(credential(pki, f"user-{number}"))
        before = made
        await eventually(lambda: made >= before + 6, what=lambda: made)
        done = True
    assert {seen.client for seen in server.seen} == {f"user-{number}" for number in range(4)}


async def test_nobody_is_trusted_unasked(pki: Pki, tmp_path: Path) -> None:
    """Whose server it is has to be said: by authorities, or by asking for the system's."""
    certificate = ClientCertificate(SIGNER)
    with pytest.raises(ConfigError, match="give server_ca, or system_trust=True"):
        certificate.ssl_context()
    with pytest.raises(ConfigError, match="server_ca: expected at least one CA certificate"):
        certificate.ssl_context(server_ca=b"-----BEGIN")
    with pytest.raises(ConfigError, match="cannot read the authorities in"):
        certificate.ssl_context(server_ca=tmp_path / "missing")


async def test_authorities_in_a_file_are_followed(
    pki: Pki, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server's CA rotates too; a mounted ConfigMap brings the next one."""
    file = tmp_path / "ca.crt"
    file.write_bytes(pki.ca_pem)
    certificate = ClientCertificate(SIGNER)
    certificate.offer(credential(pki, "one"))
    context = certificate.ssl_context(server_ca=file)
    new = Pki("new-ca")
    async with (
        TlsServer(pki.server_context(clients=pki), ok) as before,
        TlsServer(new.server_context(clients=pki), ok) as after,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, ssl=context)
        ) as session,
    ):
        await session.get(before.url)
        for broken in (b"", None):
            _replace(file, broken)
            for _ in range(2):
                await session.get(before.url)
        assert caplog.text.count("trusting those read before") == 2
        _replace(file, new.ca_pem)
        await session.get(after.url)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(before.url)


def _replace(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink()
        return
    fresh = file.with_name("fresh")
    fresh.write_bytes(content)
    fresh.replace(file)


async def test_an_expired_certificate_says_so_itself(pki: Pki, clock: FakeClock) -> None:
    """Better than what a server answers, which is one alert for everything."""
    clock = FakeClock(datetime.now(UTC))
    certificate = ClientCertificate(SIGNER, clock=clock)
    certificate.offer(credential(pki, "one"))
    await clock.advance(LIFETIME)
    assert not certificate.is_ready
    with pytest.raises(CertificateNotReadyError, match=r"expired at .* has no successor"):
        _ = certificate.pair


async def test_each_rotation_is_told_once(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    """For programs that have to be told; what one listener does harms no other."""
    certificate = ClientCertificate(SIGNER)
    told: list[bytes] = []

    def fail() -> None:
        raise ZeroDivisionError

    certificate.on_change(fail)
    stop = certificate.on_change(lambda: told.append(certificate.certificate_pem))
    first, second = credential(pki, "one"), credential(pki, "two")
    certificate.offer(first)
    certificate.offer(parse_credential(**_pems(first)))
    certificate.offer(second)
    stop()
    stop()
    certificate.offer(first)
    assert told == [first.certificate_pem, second.certificate_pem]
    assert caplog.text.count("listener failed") == 3


def _pems(credential: Credential) -> dict[str, bytes]:
    return {"key_pem": credential.key_pem, "certificate_pem": credential.certificate_pem}


async def test_the_key_is_in_no_text(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    """Objects end up in logs and tracebacks, keys must not."""
    caplog.set_level(logging.DEBUG)
    certificate = ClientCertificate(SIGNER)
    assert repr(certificate) == "<ClientCertificate of 'example.com/alerts', none>"
    held = credential(pki, "one")
    certificate.offer(held)
    shown = " ".join(map(repr, (certificate, held, certificate.ssl_context(server_ca=pki.ca_pem))))
    assert "BEGIN" not in shown + caplog.text
    assert certificate.pair == (held.certificate_pem, held.key_pem)


@pytest.mark.parametrize("name", ["", "alerts", "/alerts", "example.com/", "a.b/c/d"])
def test_no_signer_can_have_that_name(name: str) -> None:
    """A typing error is told at once, not waited for."""
    with pytest.raises(ValueError, match="names no signer"):
        ClientCertificates().of(name)


def test_the_hub_s_own_signer_is_the_channel_s() -> None:
    """That certificate comes with the kubeconfig."""
    with pytest.raises(ValueError, match=r"HubChannel\.ssl_context"):
        ClientCertificates().of(KUBE_CLIENT_SIGNER)


def test_each_signer_has_one_certificate() -> None:
    """Whoever asks, and whoever earns it, mean the same."""
    wanted: list[ClientCertificate] = []
    certificates = ClientCertificates(on_wanted=wanted.append)
    alerts = certificates.of(SIGNER)
    assert certificates.of(SIGNER) is alerts
    other = certificates.of("example.com/other")
    assert wanted == [alerts, other]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({}, "/var/run/a-example.com-alerts-client-cert", id="beside-the-kubeconfig"),
        pytest.param({SIGNER: Path("/certs")}, "/certs", id="as-said"),
        pytest.param(
            {"example.com/other": Path("/certs")},
            "/var/run/a-example.com-alerts-client-cert",
            id="said-of-another",
        ),
    ],
)
def test_where_a_certificate_is_mounted(said: dict[str, Path], expected: str) -> None:
    """Where the settings say, else under its Secret's name."""
    found = mounted_certificate_folder(
        SIGNER, addon="a", said=said, hub_kubeconfig=Path("/var/run/hub/kubeconfig")
    )
    assert found == Path(expected)


async def test_a_mounted_one_is_swapped_live(pki: Pki, tmp_path: Path) -> None:
    """Through a folder that comes late, a generation that does not fit, and its removal."""
    folder = tmp_path / "mounted"
    clock = FakeClock()
    certificate = ClientCertificate(SIGNER)
    mounted = MountedCertificate(folder, clock=clock)
    first, second = credential(pki, "one"), credential(pki, "two")
    with pytest.raises(ConfigError, match=r"cannot read .*tls\.crt"):
        mounted.read()
    async with background(mounted.watch(certificate.offer), name="watch"):
        await clock.settle()
        DirectoryStore(folder).write(first.files)
        await clock.advance(timedelta(seconds=5))
        await certificate.wait_ready(timeout=timedelta(seconds=10))
        DirectoryStore(folder).write({**second.files, "tls.crt": first.certificate_pem})
        DirectoryStore(folder).remove()
        DirectoryStore(folder).write(second.files)
        expected = (second.certificate_pem, second.key_pem)
        await eventually(lambda: certificate.pair == expected, what=lambda: certificate)
    assert os.listdir(tmp_path) == ["mounted"]  # noqa: PTH208
