"""A kubeconfig file that stays current, for programs that know nothing of us."""

import asyncio
import contextlib
import logging
import os
import random
import stat
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from towline_agent.running.listeners import Listener
from towline_agent.running.resting import rest
from towline_api.errors import ConfigError
from towline_kube.backoff import Backoff
from towline_kube.clock import Clock
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(minutes=1)
"""How often it is looked at whether somebody changed or removed the file; costs no request."""
_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=1))
_MODE = 0o600


class KubeconfigFile:
    """A kubeconfig in a file that only its owner can read, with the credential inside.

    Args:
        path: Where it is; missing folders are made, private ones.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = path.with_name(f".{path.name}.next")
        # A thread that is still writing when its task is cancelled must not bring the file back.
        self._writing = threading.Lock()
        self._has_ended = False

    def write(self, connection: Connection) -> bool:
        """Write the file, whole or not at all; return whether there was anything to do.

        Raises:
            ConfigError: It cannot be written; what was there before still is.
        """
        content = embed_kubeconfig(connection).encode()
        with self._writing:
            if self._has_ended or self._holds(content):
                return False
            self._write_whole(content)
            return True

    def end(self, *, remove: bool) -> None:
        """Write it no more, and remove it if asked to; that it is not there is no error.

        Raises:
            ConfigError: It cannot be removed.
        """
        with self._writing:
            self._has_ended = True
            if not remove:
                return
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                raise ConfigError(
                    f"cannot remove the kubeconfig {self._path}: {error.strerror}"
                ) from error

    def _write_whole(self, content: bytes) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A writer that was killed may have left one behind.
            self._next.unlink(missing_ok=True)
            try:
                self._write_next(content)
                self._next.rename(self._path)
            finally:
                self._next.unlink(missing_ok=True)
            _sync_folder(self._path.parent)
        except OSError as error:
            raise ConfigError(
                f"cannot write the kubeconfig {self._path}: {error.strerror}; name a file in a "
                "folder that is ours to write"
            ) from error

    def _write_next(self, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(self._next, flags, _MODE), "wb") as file:
            # Whatever the umask says.
            os.fchmod(file.fileno(), _MODE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _holds(self, content: bytes) -> bool:
        try:
            found = self._path.lstat()
            is_private = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == _MODE
            return is_private and self._path.read_bytes() == content
        except OSError:
            return False


@contextlib.asynccontextmanager
async def kept_kubeconfig(
    file: KubeconfigFile,
    *,
    connection: Callable[[], Connection],
    subscribe: Callable[[Listener], Callable[[], None]],
    removed_at_end: bool,
    clock: Clock,
) -> AsyncIterator[None]:
    """Keep a kubeconfig file current for as long as the block runs.

    Args:
        file: The file.
        connection: What it is to say now.
        subscribe: Has a function told of each change of that; returns what ends it.
        removed_at_end: Whether the file goes with the block.
        clock: Time.

    Raises:
        ConfigError: It cannot be written at first. Later failures are logged and tried again.
    """
    changed = asyncio.Event()
    failed: Exception | None = None
    unsubscribe = subscribe(changed.set)
    try:
        await asyncio.to_thread(file.write, connection())
        async with TaskGroup() as group:
            keeping = group.create_task(
                _keep(file, connection=connection, changed=changed, clock=clock),
                name="keep-kubeconfig-file",
            )
            try:
                yield
            except Exception as error:  # noqa: BLE001 - the block's own: not to arrive in a group
                failed = error
            finally:
                keeping.cancel("the block has ended")
    finally:
        unsubscribe()
        file.end(remove=removed_at_end)
    if failed is not None:
        raise failed


async def _keep(
    file: KubeconfigFile,
    *,
    connection: Callable[[], Connection],
    changed: asyncio.Event,
    clock: Clock,
) -> NoReturn:
    failures = 0
    while True:
        pause = _RETRIES.delay(failures, roll=random.random()) if failures else LOOK_EVERY  # noqa: S311 - spreads load
        await rest(clock, pause, unless=changed)
        changed.clear()
        try:
            await asyncio.to_thread(file.write, connection())
        except ConfigError as error:
            failures += 1
            if failures == 1:
                log.warning("kubeconfig file is not current", extra={"error": str(error)})
        else:
            if failures:
                log.info("kubeconfig file is current again", extra={"attempt": failures + 1})
            failures = 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
