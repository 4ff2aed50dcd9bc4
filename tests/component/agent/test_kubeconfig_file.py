"""A kubeconfig file for other programs: private, whole at any time, and current."""

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from support.clients import connection_to
from support.clock import FakeClock
from support.pki import Pki
from support.tasks import background
from support.tls_server import TlsServer
from support.waiting import eventually
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.kubeconfig_file import LOOK_EVERY, KubeconfigFile
from towline_api.errors import ConfigError
from towline_kube.connection import Connection
from towline_kube.discovery import load_kubeconfig

USER = "an-addon"
REVIEW = {"status": {"userInfo": {"username": USER}}}


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


@pytest.fixture
async def server(pki: Pki) -> AsyncIterator[TlsServer]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(REVIEW)

    async with TlsServer(pki.server_context(clients=pki), answer) as running:
        yield running


@asynccontextmanager
async def channel_to(
    connection: Connection, *, clock: FakeClock | None = None
) -> AsyncIterator[HubChannel]:
    channel = HubChannel() if clock is None else HubChannel(clock=clock)
    async with background(channel.run(), name="run-channel"):
        channel.offer(connection)
        await channel.wait_ready()
        yield channel


def certificate_in(path: Path) -> bytes | None:
    return load_kubeconfig(path).client_certificate_pem


async def written(path: Path, connection: Connection) -> None:
    await eventually(
        lambda: certificate_in(path) == connection.client_certificate_pem,
        what=lambda: path.read_text(),
    )


async def test_it_is_private_current_and_removed_if_asked(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """From a channel's first credential through a rotation to its end."""
    first, second = connection_to(server, pki), connection_to(server, pki)
    path = tmp_path / "for" / "kubectl" / "kubeconfig"
    async with channel_to(first) as channel:
        before = os.umask(0)
        try:
            async with channel.kubeconfig_file(path, removed_at_end=True) as given:
                assert given == path
                found = load_kubeconfig(path)
                assert (found.server, found.ca_pem) == (server.url, pki.ca_pem)
                assert certificate_in(path) == first.client_certificate_pem
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
                channel.offer(second)
                await written(path, second)
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
        finally:
            os.umask(before)
        assert not any(path.parent.iterdir())


async def test_it_stays_unless_asked(server: TlsServer, pki: Pki, tmp_path: Path) -> None:
    """Who started a program with it may not want to have it taken away."""
    async with (
        channel_to(connection_to(server, pki)) as channel,
        channel.kubeconfig_file(tmp_path / "kubeconfig"),
    ):
        pass
    assert os.listdir(tmp_path) == ["kubeconfig"]  # noqa: PTH208


async def test_whoever_reads_it_during_rotations_reads_a_whole_one(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """Key and certificate of two generations would be refused, half a file not even parsed."""
    path = tmp_path / "kubeconfig"
    connections = [connection_to(server, pki, user=f"user-{number}") for number in range(6)]
    read: set[bytes | None] = set()
    done = False

    def keep_reading() -> None:
        while not done:
            # Checks that both halves belong together.
            read.add(certificate_in(path))

    async with (
        channel_to(connections[0]) as channel,
        channel.kubeconfig_file(path),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(asyncio.to_thread(keep_reading), name="read-kubeconfig")
        try:
            for connection in connections:
                channel.offer(connection)
                await written(path, connection)
        finally:
            done = True
    assert {connection.client_certificate_pem for connection in connections} >= read


async def test_what_somebody_does_to_it_is_put_right(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """A clean-up of old files must not leave a program without its hub."""
    path = tmp_path / "kubeconfig"
    connection = connection_to(server, pki)
    clock = FakeClock()
    damages: list[Callable[[], object]] = [
        path.unlink,
        lambda: path.write_text("{}"),
        lambda: path.chmod(0o644),
        lambda: path.symlink_to(path.rename(tmp_path / "moved")),
    ]

    def is_right() -> bool:
        try:
            is_private = path.lstat().st_mode == stat.S_IFREG | 0o600
            return is_private and certificate_in(path) == connection.client_certificate_pem
        except (OSError, ConfigError):
            return False

    async with channel_to(connection, clock=clock) as channel, channel.kubeconfig_file(path):
        for damage in damages:
            damage()
            assert not is_right()
            await clock.advance(LOOK_EVERY)
            await eventually(is_right, what=lambda: os.listdir(tmp_path))  # noqa: PTH208
        written_at = path.stat().st_mtime_ns
        await clock.advance(LOOK_EVERY)
        assert path.stat().st_mtime_ns == written_at, "what is right is not written again"


async def test_a_full_disk_keeps_the_last_whole_one_and_is_tried_again(
    server: TlsServer,
    pki: Pki,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the file nor what runs in the block is harmed by a rotation that cannot be kept."""
    path = tmp_path / "kubeconfig"
    caplog.set_level(logging.INFO)
    first, second = connection_to(server, pki), connection_to(server, pki)
    clock = FakeClock()
    async with channel_to(first, clock=clock) as channel, channel.kubeconfig_file(path):
        with monkeypatch.context() as full:

            def fail(descriptor: int) -> None:
                raise OSError(28, "No space left on device")

            full.setattr(os, "fsync", fail)
            channel.offer(second)
            await eventually(lambda: "is not current" in caplog.text, what=lambda: caplog.text)
            assert certificate_in(path) == first.client_certificate_pem
            assert os.listdir(tmp_path) == ["kubeconfig"]  # noqa: PTH208
        await clock.advance(timedelta(seconds=1))
        await written(path, second)
        await eventually(lambda: "current again" in caplog.text, what=lambda: caplog.text)
    assert "BEGIN" not in caplog.text


async def test_a_file_that_cannot_be_written_is_told_at_once(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """A wrong path is the program's mistake, and says what to do."""
    (tmp_path / "file").touch()
    async with channel_to(connection_to(server, pki)) as channel:
        for path in (tmp_path / "file" / "kubeconfig", tmp_path):
            with pytest.raises(ConfigError, match="cannot write the kubeconfig"):
                async with channel.kubeconfig_file(path, removed_at_end=False):
                    pass
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


async def test_the_block_s_own_error_arrives_as_it_is(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """Keeping a file must not change how a program's errors look."""
    path = tmp_path / "kubeconfig"
    async with channel_to(connection_to(server, pki)) as channel:
        with pytest.raises(ZeroDivisionError):
            async with channel.kubeconfig_file(path, removed_at_end=True):
                raise ZeroDivisionError
    assert not path.exists()


def test_a_writer_that_is_late_does_not_bring_it_back(pki: Pki, tmp_path: Path) -> None:
    """A thread cannot be cancelled; what it still has to write counts no more."""
    file = KubeconfigFile(tmp_path / "kubeconfig")
    connection = Connection("https://hub", token="secret")
    assert file.write(connection)
    file.end(remove=True)
    assert not file.write(connection)
    assert not os.listdir(tmp_path)  # noqa: PTH208


def test_what_a_killed_writer_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    """One leftover at most, as private as the file itself, and gone with the next write."""
    (tmp_path / ".kubeconfig.next").write_text("half")
    KubeconfigFile(tmp_path / "kubeconfig").write(Connection("https://hub", token="secret"))
    assert os.listdir(tmp_path) == ["kubeconfig"]  # noqa: PTH208


async def test_two_channels_of_one_process_do_not_mix(
    server: TlsServer, pki: Pki, tmp_path: Path
) -> None:
    """Two add-ons' agents may run in one program; neither ever shows the other's credential."""
    paths = [tmp_path / name / "kubeconfig" for name in ("one", "two")]
    connections = [connection_to(server, pki, user=name) for name in ("one", "two")]
    async with (
        channel_to(connections[0]) as one,
        channel_to(connections[1]) as two,
        one.kubeconfig_file(paths[0]),
        two.kubeconfig_file(paths[1]),
    ):
        assert one.certificate("example.com/x") is not two.certificate("example.com/x")
        fresh = connection_to(server, pki, user="one")
        one.offer(fresh)
        await written(paths[0], fresh)
        assert certificate_in(paths[1]) == connections[1].client_certificate_pem
        server.seen.clear()
        await one.client.whoami()
        await two.client.whoami()
        assert [seen.client for seen in server.seen] == ["one", "two"]
