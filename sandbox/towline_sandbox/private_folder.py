"""Folders that only this user can read, and that are removed even when their owner was killed.

All of them stand in one folder of the user's beneath the system's place for temporary files. The
owner of a folder holds a lock on a file in it; a lock ends with the process that holds it, whatever
ended that process. A folder whose lock is free is a leftover, and the next owner sweeps it away.
"""

import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from towline_api.errors import ConfigError

_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """A folder of mode 0700 together with the lock that keeps it from being swept.

    Args:
        path: Where it is.
        lock: Descriptor that holds the lock. Hand it to the process that is to own the folder, then
            `release` it here.
    """

    path: Path
    lock: int

    def release(self) -> None:
        """Give up this process's share of the lock; the folder stays while another holds it."""
        os.close(self.lock)


def folders_root() -> Path:
    """Return the folder that all private folders of this user stand in."""
    return Path(tempfile.gettempdir()) / f"towline-sandbox-{os.getuid()}"


def create_private_folder(name: str, *, root: Path | None = None) -> PrivateFolder:
    """Sweep leftovers of dead owners, then make a new folder and lock it.

    Args:
        name: Readable part of the folder's name.
        root: Where to make it; `folders_root()` by default.

    Raises:
        ConfigError: `root` belongs to somebody else or is open to others.
    """
    root = folders_root() if root is None else root
    readable = re.sub(r"[^a-zA-Z0-9-]+", "-", name)[:32]
    with _locked_root(root):
        leftovers = _set_leftovers_aside(root)
        path = root / f"{readable}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True)
    return PrivateFolder(path, lock)


@contextmanager
def _locked_root(root: Path) -> Iterator[None]:
    """Keep others from creating or sweeping in `root`: neither sees the other half done."""
    with suppress(FileExistsError):
        root.mkdir(mode=0o700)
    # The name can be guessed and its parent is open to everybody: somebody else may have made it.
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError(
            f"{root} must be a folder that belongs to user {os.getuid()} and is closed to others; "
            f"found mode {stat.filemode(found.st_mode)} of user {found.st_uid}; remove it"
        )
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _set_leftovers_aside(root: Path) -> list[Path]:
    """Rename the folders whose owner is gone, so that removing them needs no lock."""
    found = []
    for path in root.iterdir():
        if not path.is_dir() or not _is_abandoned(path):
            continue
        aside = root / f".swept-{path.name.removeprefix('.swept-')}"
        path.rename(aside)
        found.append(aside)
    return found


def _is_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # removing it was interrupted
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
