"""A kubeconfig that somebody else keeps fresh: read, watched, and handed on only when it is whole.

The kubelet swaps a mounted Secret by moving one symbolic link, `..data`; others rewrite the files
in place. Either way the kubeconfig and the key and certificate it names are read from one
generation, checked together, and one that cannot be used leaves the last good one in use.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from watchfiles import awatch

from towline_api.errors import ConfigError
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.discovery import load_kubeconfig
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

REREAD_EVERY = timedelta(minutes=1)
"""File events get lost (network file systems, a directory replaced as a whole): a renewal has hours
to spare, so a minute is early enough and costs nothing."""
_LOOK_FOR_FOLDER_EVERY = timedelta(seconds=5)
"""Nobody tells when a folder appears; whoever keeps the credential may start after us."""
_DEBOUNCE_MS = 200
"""The files of one generation arrive within this time of each other."""


class MountedCredential:
    """A kubeconfig file with the files it names, kept by a kubelet, a klusterlet or a person.

    Args:
        path: The kubeconfig; the files it names stand beside it.
        reread_every: How often to read although nothing was heard.
        clock: Time between those.
    """

    def __init__(
        self, path: Path, *, reread_every: timedelta = REREAD_EVERY, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._path = path
        self._reread_every = reread_every
        self._clock = clock

    @property
    def path(self) -> Path:
        """Where the kubeconfig is."""
        return self._path

    def read(self) -> Connection:
        """Return the connection the files describe now, read from one generation.

        Raises:
            ConfigError: They are not there, not readable, or do not belong together.
        """
        # All links resolved, so that a swap between two reads cannot mix two generations.
        return load_kubeconfig(self._path.resolve())

    async def watch(self, use: Callable[[Connection], None]) -> NoReturn:
        """Hand on the connection once it can be read, then each new one.

        What cannot be used is logged once per finding; the one before it stays in use.
        """
        changed = asyncio.Event()
        changed.set()
        async with TaskGroup() as group:
            group.create_task(self._listen(changed), name=f"watch-file/{self._path}")
            group.create_task(self._remind(changed), name=f"remind-of-file/{self._path}")
            await self._read_on(changed, use)
        raise AssertionError("unreachable: reading goes on until cancelled")

    async def _read_on(self, changed: asyncio.Event, use: Callable[[Connection], None]) -> NoReturn:
        last: Connection | None = None
        complaint: str | None = None
        while True:
            await changed.wait()
            changed.clear()
            try:
                found = self.read()
            except ConfigError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    log.warning(
                        "mounted credential cannot be used; keeping the one before it",
                        extra={"object": str(self._path), "error": complaint},
                    )
                continue
            complaint = None
            if last is None or _differs(found, last):
                last = found
                use(found)

    async def _listen(self, changed: asyncio.Event) -> NoReturn:
        """Set `changed` on every event of the folder, and when a folder that was not there is."""
        while True:
            with suppress(OSError):
                # The folder, not the file: links are replaced, and events of a target are not ours.
                async for _ in awatch(self._path.parent, debounce=_DEBOUNCE_MS, recursive=False):
                    changed.set()
            await self._clock.sleep(_LOOK_FOR_FOLDER_EVERY)
            changed.set()

    async def _remind(self, changed: asyncio.Event) -> NoReturn:
        while True:
            await self._clock.sleep(self._reread_every)
            changed.set()


def _differs(found: Connection, last: Connection) -> bool:
    """Compare all but where it was read: each generation lives in a folder of its own."""
    return dataclasses.replace(found, source=last.source) != last
