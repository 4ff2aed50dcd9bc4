"""A mounted credential is taken over live, whole, and only when it can be used."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_agent.channel.mounted_credential import MountedCredential
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


def token_generation(token: bytes) -> dict[str, bytes]:
    """Return the files of a credential that is a token."""
    return {"kubeconfig": format_kubeconfig(HUB, token_file="token").encode(), "token": token}


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
    monkeypatch.setattr(credential._folder, "_listen", never)
    async with background(credential.watch(used.append), name="watch"):
        await clock.settle()
        mount(tmp_path, generation())
        await clock.settle()
        assert len(used) == 1
        await clock.advance(timedelta(minutes=1))
        assert len(used) == 2


async def test_a_token_is_taken_over_with_its_generation(tmp_path: Path) -> None:
    """Its file goes with the generation, so what is handed on is the token itself."""
    mount(tmp_path, token_generation(b"first\n"))
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig")
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        mount(tmp_path, token_generation(b"first"))
        mount(tmp_path, token_generation(b"second"))
        await eventually(lambda: len(used) == 2)
    assert [(each.token, each.token_file) for each in used] == [("first", None), ("second", None)]
    assert "second" not in repr(used[1])


@pytest.mark.parametrize("broken", [b"", b" \n", b"\xff\xfe", b"two words"])
async def test_what_is_no_token_leaves_the_last_good_one(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A token's file is empty between being opened and being written."""
    mount(tmp_path, token_generation(b"good"))
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig")
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        mount(tmp_path, token_generation(broken))
        await eventually(lambda: "mounted credential cannot be used" in caplog.text)
        assert len(used) == 1


async def test_the_driver_may_change_under_a_program(tmp_path: Path) -> None:
    """From tokens to certificates: the same Secret, other files."""
    mount(tmp_path, token_generation(b"token"))
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig")
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        certificate = generation()
        mount(tmp_path, certificate)
        await eventually(lambda: len(used) == 2)
    assert used[1].client_certificate_pem == certificate["tls.crt"]
    assert used[1].token is None


async def test_a_folder_that_goes_and_comes_back_is_listened_to_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever looks after it may remove and make it anew; nothing crashes, nothing is lost."""
    folder = tmp_path / "hub"
    mount(folder, generation())
    used: list[Connection] = []
    clock = FakeClock()
    credential = MountedCredential(folder / "kubeconfig", clock=clock)
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        folder.rename(tmp_path / "away")
        shutil.rmtree(tmp_path / "away")
        await eventually(lambda: "mounted credential cannot be used" in caplog.text)
        for number in (2, 3):
            # Each once more than what an event of the folder's return alone would bring.
            mount(folder, generation())
            await clock.advance(timedelta(seconds=5))
            await eventually(lambda: len(used) == number)  # noqa: B023
    assert caplog.text.count("mounted credential cannot be used") == 1


async def test_a_folder_that_is_replaced_by_another_is_listened_to(tmp_path: Path) -> None:
    """The watch of a folder stays with that folder, wherever it is moved."""
    folder, other = tmp_path / "hub", tmp_path / "other"
    mount(folder, generation())
    used: list[Connection] = []
    credential = MountedCredential(folder / "kubeconfig", clock=FakeClock())
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        mount(other, generation())
        folder.rename(tmp_path / "away")
        other.rename(folder)
        await eventually(lambda: len(used) == 2)
        mount(folder, generation())
        await eventually(lambda: len(used) == 3)


async def test_files_rewritten_in_place_are_used_when_they_belong_together(tmp_path: Path) -> None:
    """A person's copy is no swap: certificate and key come one after the other."""
    files = generation()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    used: list[Connection] = []
    credential = MountedCredential(tmp_path / "kubeconfig")
    async with background(credential.watch(used.append), name="watch"):
        await eventually(lambda: len(used) == 1)
        second = generation()
        (tmp_path / "tls.crt").write_bytes(second["tls.crt"])
        await asyncio.sleep(0)
        (tmp_path / "tls.key").write_bytes(second["tls.key"])
        await eventually(lambda: len(used) == 2)
    assert used[1].client_key_pem == second["tls.key"]
