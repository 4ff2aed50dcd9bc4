"""One generation of stored files: a private directory that is written once and never changed.

Its name holds a digest of its content, so whoever reads it knows whether it is whole. Everything is
done relative to an open directory: a path that somebody swaps meanwhile leads nobody astray.
"""

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress

from towline_certs.errors import StoreError, StoreProblem

LARGEST_FILE = 1024 * 1024
"""Bytes; what a whole Secret may hold."""
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_NAME = re.compile(r"\.\.(?P<digest>[0-9a-f]{32})\.[0-9a-f]{8}")
_NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_CHUNK = 65536


def is_generation(name: str) -> bool:
    """Return whether an entry of a store is the directory of a generation."""
    return _NAME.fullmatch(name) is not None


def is_whole(generation: str, files: Mapping[str, bytes]) -> bool:
    """Return whether these files are all that was written as this generation."""
    match = _NAME.fullmatch(generation)
    return match is not None and match["digest"] == _digest(files)


def write_generation(root: int, files: Mapping[str, bytes]) -> str:
    """Write files as a new generation, synced to disk, and return its name.

    Raises:
        OSError: It cannot be written; what is there of it counts for nothing.
    """
    generation = f"..{_digest(files)}.{secrets.token_hex(4)}"
    os.mkdir(generation, mode=0o700, dir_fd=root)
    folder = os.open(generation, OPEN_DIRECTORY | _NO_LINKS, dir_fd=root)
    try:
        for name, content in files.items():
            _write_file(folder, name, content)
        os.fsync(folder)
    finally:
        os.close(folder)
    return generation


def read_generation(root: int, generation: str, *, where: str) -> dict[str, bytes]:
    """Return the files of a generation, whole or not; see `is_whole`.

    Args:
        root: The open directory of the store.
        generation: Name of the generation.
        where: Path of the store, for messages.

    Raises:
        FileNotFoundError: It is not there, or was removed while it was read.
        StoreError: It is open to other users, belongs to one, or holds something else than files.
    """
    name = f"{where}/{generation}"
    try:
        folder = os.open(generation, OPEN_DIRECTORY | _NO_LINKS, dir_fd=root)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise foreign(name, "it is not a directory") from error
        raise
    try:
        _check_private(folder, name)
        entries = sorted(os.listdir(folder))  # noqa: PTH208 - a descriptor, which has no path
        return {entry: _read_file(folder, entry, where=name) for entry in entries}
    finally:
        os.close(folder)


def read_remains(root: int, generation: str) -> dict[str, bytes]:
    """Return those files of a generation that can be read, whoever may have changed or seen them.

    Raises:
        OSError: The generation itself cannot be read.
    """
    folder = os.open(generation, OPEN_DIRECTORY | _NO_LINKS, dir_fd=root)
    found = {}
    try:
        for entry in sorted(os.listdir(folder)):  # noqa: PTH208 - a descriptor, which has no path
            with suppress(OSError, StoreError):
                found[entry] = _read_file(folder, entry, where=generation, is_private=False)
    finally:
        os.close(folder)
    return found


def remove_generation(root: int, generation: str) -> None:
    """Remove a generation and its files.

    Raises:
        OSError: Something cannot be removed.
    """
    folder = os.open(generation, OPEN_DIRECTORY | _NO_LINKS, dir_fd=root)
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - a descriptor, which has no path
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(generation, dir_fd=root)


def foreign(where: str, what: str) -> StoreError:
    """Return the error for something in a store that towline did not put there."""
    return StoreError(
        f"{where} is not what towline stores: {what}; move it away or name another directory",
        reason=StoreProblem.FOREIGN,
    )


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            # Lengths keep apart what would run together: "a" + "bc" is not "ab" + "c".
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return digest.hexdigest()[:32]


def _write_file(folder: int, name: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
    file = os.open(name, flags, mode=0o600, dir_fd=folder)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)


def _read_file(folder: int, entry: str, *, where: str, is_private: bool = True) -> bytes:
    name = f"{where}/{entry}"
    try:
        # Not blocking, in case somebody put a pipe there.
        file = os.open(entry, os.O_RDONLY | os.O_NONBLOCK | _NO_LINKS, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise foreign(name, "it is not a plain file") from error
        raise
    try:
        if is_private:
            _check_private(file, name)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise foreign(name, "it is not a plain file")
        content = bytearray()
        while chunk := os.read(file, _CHUNK):
            content += chunk
            if len(content) > LARGEST_FILE:
                raise foreign(name, f"it exceeds {LARGEST_FILE} bytes")
        return bytes(content)
    finally:
        os.close(file)


def _check_private(descriptor: int, name: str) -> None:
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid():
        raise foreign(
            name, f"it belongs to user {found.st_uid}, this process runs as {os.geteuid()}"
        )
    if found.st_mode & _OTHERS:
        raise StoreError(
            f"{name} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}, expected "
            "nothing for group and others), so a key in it counts as known to them; "
            "remove it to have another one made",
            reason=StoreProblem.NOT_PRIVATE,
        )
