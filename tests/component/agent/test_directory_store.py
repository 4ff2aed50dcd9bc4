"""A credential in a directory of this machine, for agents that run outside of a cluster."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.tasks import background
from support.waiting import eventually
from towline_agent.credentials.cluster_identity import cluster_order
from towline_agent.credentials.enrollment import Paused
from towline_agent.credentials.signing_requests import new_pending
from towline_agent.credentials.stored import Stored, StoredCredential
from towline_agent.credentials.stores import DirectoryCredentialStore
from towline_api.errors import ConfigError
from towline_certs.identities import ClusterIdentity

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORDER = cluster_order(ClusterIdentity("c1", "agent"), lifetime=None)
CREDENTIAL = StoredCredential(
    files={"tls.key": b"key", "tls.crt": b"crt", "cluster-name": b"c1"},
    issued_at=NOW,
    hub="https://hub",
)
NAMES_ALONE = Stored(credential=StoredCredential(files={"tls.crt": b"crt", "cluster-name": b"c1"}))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryCredentialStore:
    return DirectoryCredentialStore(tmp_path / "state" / "agent")


async def test_a_new_directory_holds_nothing(store: DirectoryCredentialStore) -> None:
    """Every first start looks like this."""
    assert await store.read() == Stored()


async def test_what_was_written_is_read_by_the_next_process(
    store: DirectoryCredentialStore, tmp_path: Path
) -> None:
    """The credential, the pending key, the pause: all of what a restart needs."""
    pending = new_pending(ORDER, now=NOW)
    paused = Paused(until=NOW, failures=2, reason="denied", subject=ORDER.subject)
    again = DirectoryCredentialStore(tmp_path / "state" / "agent")
    await store.write_progress(pending)
    assert await again.read() == Stored(progress=pending)
    await store.write_credential(CREDENTIAL)
    assert await again.read() == Stored(credential=CREDENTIAL, progress=pending)
    await store.write_progress(paused)
    assert (await again.read()).progress == paused
    await store.write_progress(None)
    assert await again.read() == Stored(credential=CREDENTIAL)
    await store.remove()
    assert await again.read() == Stored()


async def test_nobody_else_can_read_it(store: DirectoryCredentialStore, tmp_path: Path) -> None:
    """A private key is in there."""
    await store.write_progress(new_pending(ORDER, now=NOW))
    await store.write_credential(CREDENTIAL)
    for path in (tmp_path / "state").rglob("*"):
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & 0o077, f"{path} has mode {mode:o}"


async def test_a_damaged_file_counts_as_nothing_stored(
    store: DirectoryCredentialStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and the credential is earned again: no reason to stop. The names stay."""
    await store.write_credential(CREDENTIAL)
    (key,) = [path for path in (tmp_path / "state").rglob("tls.key") if not path.is_symlink()]
    key.write_bytes(b"edited")
    assert await store.read() == NAMES_ALONE
    assert "cannot be used" in caplog.text
    await store.write_credential(CREDENTIAL)
    assert await store.read() == Stored(credential=CREDENTIAL)


async def test_a_key_that_others_may_read_counts_as_lost(
    store: DirectoryCredentialStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup that was put back, say. Another one is made, and nobody has to clear up first."""
    await store.write_credential(CREDENTIAL)
    (key,) = [path for path in (tmp_path / "state").rglob("tls.key") if not path.is_symlink()]
    key.chmod(0o644)
    assert await store.read() == NAMES_ALONE
    assert "open to other users" in str(caplog.records[-1].__dict__["error"])
    await store.write_credential(CREDENTIAL)
    assert await store.read() == Stored(credential=CREDENTIAL)


async def test_a_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """The parent is a file: nothing gets better by itself, and the line says where."""
    (tmp_path / "file").write_text("")
    store = DirectoryCredentialStore(tmp_path / "file" / "state")
    with pytest.raises(ConfigError, match="state"):
        await store.read()


@asynccontextmanager
async def watched(store: DirectoryCredentialStore) -> AsyncIterator[asyncio.Event]:
    changed = asyncio.Event()
    async with background(store.watch(changed.set), name="watch"):
        yield changed


async def test_somebody_elses_change_is_noticed(
    store: DirectoryCredentialStore, tmp_path: Path
) -> None:
    """The keeper then puts it right from memory."""
    await store.read()
    await store.write_credential(CREDENTIAL)
    async with watched(store) as changed:
        # What was changed after the last reading, and before anybody listened.
        await eventually(changed.is_set, what=lambda: "nobody is told to look once more")
        changed.clear()
        (tmp_path / "state" / "agent" / "current" / "x").write_bytes(b"")
        await eventually(changed.is_set, what=lambda: "no change was noticed")
