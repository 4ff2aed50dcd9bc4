"""A mounted credential is taken over live, whole, and only when it can be used."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_agent.mounted_credential import MountedCredential
from towline_api.errors import ConfigError
from towline_certs.authority import create_authority
from towline_certs.identities import Subject
from towline_certs.keys import format_key, generate_key
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import format_kubeconfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUTHORITY = create_authority("test", now=NOW, lifetime=timedelta(days=1))
HUB = Connection(server="https://hub:6443", ca_pem=AUTHORITY.certificate_pem)


def generation() -> dict[str, bytes]:
    """Return the files of a fresh credential."""
    key = generate_key()
    certificate = AUTHORITY.issue(
        key.public_key(),
        subject=Subject("u", frozenset()),
        now=NOW,
        lifetime=timedelta(hours=1),
    )
    kubeconfig = format_kubeconfig(HUB).encode()
    return {"kubeconfig": kubeconfig, "tls.key": format_key(key), "tls.crt": certificate}


def mount(folder: Path, files: dict[str, bytes]) -> None:
    """Write files as the kubelet does: a new folder, and one link moved to it."""
    number = len(list(folder.glob("..g*")))
    fresh = folder / f"..g{number}"
    fresh.mkdir(parents=True)
    for name, content in files.items():
        (fresh / name).write_bytes(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    link = folder / "..new"
    link.symlink_to(fresh.name)
    os.replace(link, folder / "..data")  # noqa: PTH105 - the call the kubelet makes


async def eventually(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():  # noqa: ASYNC110 - what happens is file events
            await asyncio.sleep(0.02)


async def test_each_generation_is_handed_on_once(tmp_path: Path) -> None:
    """The channel is swapped for a new credential, and left alone for the same one."""
    first, second = generation(), generation()
    mount(tmp_path, first)
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig")
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        assert used[0].client_certificate_pem == first["tls.crt"]
        assert used[0].server == HUB.server
        mount(tmp_path, first)
        mount(tmp_path, second)
        await eventually(lambda: len(used) == 2)
        assert used[1].client_certificate_pem == second["tls.crt"]


async def test_a_folder_that_appears_later_is_listened_to(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever keeps the credential may start after us; its first file is not to wait a minute."""
    folder = tmp_path / "later"
    used: list[Connection] = []
    credential = MountedCredential(folder / "kubeconfig", clock=clock)
    async with background(credential.watch(used.append), name="watch"):
        await clock.settle()
        mount(folder, generation())
        await clock.advance(timedelta(seconds=5))
        await eventually(lambda: len(used) == 1)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"tls.crt": b"-----BEGIN"}, id="half-a-certificate"),
        pytest.param({"tls.key": b""}, id="empty-key"),
        pytest.param({"tls.key": generation()["tls.key"]}, id="key-of-another-certificate"),
        pytest.param({"kubeconfig": b"{"}, id="half-a-kubeconfig"),
    ],
)
async def test_what_cannot_be_used_leaves_the_last_good_one(
    tmp_path: Path, broken: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Parsed before it replaces anything: a bad write must not cut the channel."""
    first, last = generation(), generation()
    mount(tmp_path, first)
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig")
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        mount(tmp_path, {**last, **broken})
        await eventually(lambda: "mounted credential cannot be used" in caplog.text)
        assert len(used) == 1
        mount(tmp_path, last)
        await eventually(lambda: len(used) == 2)
    assert caplog.text.count("mounted credential cannot be used") == 1
    assert "BEGIN EC" not in caplog.text


async def test_a_credential_may_come_later(tmp_path: Path) -> None:
    """The program often starts before its agent has earned anything."""
    credential = MountedCredential(tmp_path / "kubeconfig")
    with pytest.raises(ConfigError, match="kubeconfig"):
        credential.read()
    used: list[Connection] = []
    async with background(credential.watch(used.append), name="watch"):
        mount(tmp_path, generation())
        await eventually(lambda: len(used) == 1)


async def test_a_lost_file_event_costs_a_minute_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every file system tells; so the files are read again now and then."""
    mount(tmp_path, generation())
    clock = FakeClock()
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig", clock=clock)

    async def deaf(*_: object) -> None:
        await asyncio.Event().wait()

    never: Callable[..., Awaitable[None]] = deaf
    monkeypatch.setattr(credential, "_listen", never)
    async with background(credential.watch(used.append), name="watch"):
        await clock.settle()
        mount(tmp_path, generation())
        await clock.settle()
        assert len(used) == 1
        await clock.advance(timedelta(minutes=1))
        assert len(used) == 2
