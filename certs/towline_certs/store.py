"""Files in a directory that change together or not at all.

The layout is that of a Secret mounted by the kubelet, so a program in any language may read it::

    DIRECTORY/
    ├── ..data -> ..4f1c....9a7b2c01      the generation that counts, switched by one rename
    ├── ..4f1c....9a7b2c01/               0700; its name holds the digest of its content
    │   ├── tls.crt                       0600
    │   └── tls.key
    ├── tls.crt -> ..data/tls.crt         fixed paths
    └── tls.key -> ..data/tls.key

A new generation is written and synced beside the old one; then `..data` is renamed over. Whenever
the process dies or the disk fills, `..data` leads to the whole old generation or the whole new one.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from towline_certs.errors import NothingStoredError, StoreError, StoreProblem
from towline_certs.generations import (
    LARGEST_FILE,
    OPEN_DIRECTORY,
    foreign,
    is_generation,
    is_whole,
    read_generation,
    read_remains,
    remove_generation,
    write_generation,
)

CURRENT = "..data"

_NEXT = "..data_next"
_FILE_NAME = re.compile(r"(?!\.\.)[A-Za-z0-9._-]{1,253}")
_READ_ATTEMPTS = 5


class DirectoryStore:
    """A directory holding one generation of files, readable by its owner only.

    The calls block for a few file operations. Only one process may write at a time; a second one
    gets an error.

    Args:
        path: The directory; made by the first write. Its own permissions are left as they are,
            for it may be a mounted volume: what is private is the generation inside.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, bytes]:
        """Return all files of the current generation, by name.

        Raises:
            NothingStoredError: Nothing was written yet, or it was removed.
            StoreError: Somebody changed what was written or opened it to others, or the directory
                is not one of ours or cannot be read.
        """
        try:
            with self._directory() as root:
                return self._read(root)
        except FileNotFoundError:
            raise NothingStoredError(f"nothing is stored in {self.path}") from None
        except OSError as error:
            raise self._io_error("read", error) from error

    def salvage(self) -> dict[str, bytes]:
        """Return what can be read of the current generation, whole or not; nothing if nothing can.

        Nobody vouches for it, and keys in it count as known to others. Names may be worth a look.
        """
        try:
            with self._directory() as root:
                current = self._find_current(root)
                return {} if current is None else read_remains(root, current)
        except (StoreError, OSError):
            return {}

    def write(self, files: Mapping[str, bytes]) -> None:
        """Make these files the current generation; files of the last one that are not here go.

        Writing what is stored already changes nothing but clears leftovers of a crash.

        Raises:
            ValueError: There is no file, a name is no name for a file of a Secret, or one is larger
                than a Secret may be.
            StoreError: It cannot be written. The directory holds the whole old generation, or the
                whole new one if the trouble came while clearing the old.
        """
        _check_files(files)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._directory() as root, self._only_writer(root):
                for name in files:
                    self._is_linked(root, name)  # refuses what belongs to somebody else
                current = self._find_current(root)
                # A writer that dies again and again leaves one generation behind, not one each.
                self._sweep(root, keep=current)
                if current is None or not self._holds(root, current, files):
                    current = write_generation(root, files)
                    self._link(root, files)
                    self._switch(root, current)
                else:
                    self._link(root, files)
                self._unlink_others(root, files)
                self._sweep(root, keep=current)
        except OSError as error:
            raise self._io_error("write", error) from error

    def remove(self) -> None:
        """Remove the current generation and everything around it; the directory itself stays.

        Raises:
            StoreError: It cannot be removed.
        """
        try:
            with self._directory() as root, self._only_writer(root):
                # First the one link that counts: from here on nothing is stored.
                if self._find_current(root) is not None:
                    os.unlink(CURRENT, dir_fd=root)
                    os.fsync(root)
                self._unlink_others(root, ())
                self._sweep(root, keep=None)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._io_error("remove", error) from error

    @contextmanager
    def _directory(self) -> Iterator[int]:
        root = os.open(self.path, OPEN_DIRECTORY)
        try:
            yield root
        finally:
            os.close(root)

    @contextmanager
    def _only_writer(self, root: int) -> Iterator[None]:
        try:
            fcntl.flock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another process is writing to {self.path}; "
                "every agent needs a directory of its own",
                reason=StoreProblem.UNSTABLE,
            ) from None
        # Closing the directory gives the lock back.
        yield

    def _read(self, root: int) -> dict[str, bytes]:
        for _ in range(_READ_ATTEMPTS):
            current = self._find_current(root)
            if current is None:
                raise NothingStoredError(f"nothing is stored in {self.path}")
            try:
                files = read_generation(root, current, where=str(self.path))
            except FileNotFoundError:
                files = {}
            if is_whole(current, files):
                return files
            if self._find_current(root) == current:
                raise StoreError(
                    f"files in {self.path} are not those that were written: somebody changed, "
                    "added or removed one; what was stored there has to be made anew",
                    reason=StoreProblem.CORRUPTED,
                )
            # A writer switched meanwhile and clears what was being read: read the new one.
        raise StoreError(
            f"{self.path} changed {_READ_ATTEMPTS} times while it was read; try again",
            reason=StoreProblem.UNSTABLE,
        )

    def _find_current(self, root: int) -> str | None:
        try:
            target = os.readlink(CURRENT, dir_fd=root)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise foreign(f"{self.path}/{CURRENT}", "it is not a link") from error
        if not is_generation(target):
            raise foreign(f"{self.path}/{CURRENT}", f"it leads to {target!r}")
        return target

    def _holds(self, root: int, generation: str, files: Mapping[str, bytes]) -> bool:
        try:
            return read_generation(root, generation, where=str(self.path)) == files
        except (StoreError, FileNotFoundError):
            # Damaged, or opened to others: writing heals it.
            return False

    def _is_linked(self, root: int, name: str) -> bool:
        """Return whether the fixed path of a file is there.

        Raises:
            StoreError: Something of somebody else's is in its place.
        """
        try:
            target = os.readlink(name, dir_fd=root)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise foreign(f"{self.path}/{name}", "it is not a link") from error
        if target != f"{CURRENT}/{name}":
            raise foreign(f"{self.path}/{name}", f"it leads to {target!r}")
        return True

    def _link(self, root: int, names: Iterable[str]) -> None:
        """Lay the fixed paths. Those of new files lead nowhere until the switch, as if absent."""
        for name in names:
            if not self._is_linked(root, name):
                os.symlink(f"{CURRENT}/{name}", name, dir_fd=root)

    def _switch(self, root: int, generation: str) -> None:
        os.symlink(generation, _NEXT, dir_fd=root)
        # What the link leads to has to be on disk before the link is.
        os.fsync(root)
        os.rename(_NEXT, CURRENT, src_dir_fd=root, dst_dir_fd=root)
        os.fsync(root)

    def _unlink_others(self, root: int, names: Iterable[str]) -> None:
        """Remove our fixed paths of other files than these; what is not ours stays."""
        kept = set(names)
        for entry in os.listdir(root):
            if entry in kept or _FILE_NAME.fullmatch(entry) is None:
                continue
            with suppress(StoreError):
                if self._is_linked(root, entry):
                    os.unlink(entry, dir_fd=root)

    def _sweep(self, root: int, *, keep: str | None) -> None:
        """Remove all generations but one, and a link that was to be renamed when a writer died."""
        for entry in os.listdir(root):
            if entry == _NEXT:
                os.unlink(entry, dir_fd=root)
            elif entry != keep and is_generation(entry):
                remove_generation(root, entry)
        os.fsync(root)

    def _io_error(self, verb: str, error: OSError) -> StoreError:
        if error.errno == errno.ENOTDIR or isinstance(error, FileExistsError):
            return foreign(str(self.path), "it is not a directory")
        return StoreError(
            f"cannot {verb} {self.path}: {error.strerror or error}", reason=StoreProblem.IO
        )


def _check_files(files: Mapping[str, bytes]) -> None:
    if not files:
        raise ValueError("a generation needs at least one file; use remove() to have none")
    for name, content in files.items():
        if _FILE_NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} cannot name a stored file")
        if len(content) > LARGEST_FILE:
            raise ValueError(f"{name!r} has {len(content)} bytes, expected up to {LARGEST_FILE}")
