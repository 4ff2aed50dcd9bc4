"""A folder of files that somebody else keeps: read, watched, and used only when it is whole.

The kubelet swaps a mounted Secret by moving one symbolic link, `..data`; others rewrite the files
in place. What cannot be used leaves the last good content in use, and a folder that goes away and
comes back is found again.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from watchfiles import awatch

from towline_api.errors import ConfigError
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

REREAD_EVERY = timedelta(minutes=1)
"""File events get lost (network file systems, a directory replaced as a whole): a renewal has hours
to spare, so a minute is early enough and costs nothing."""
_LOOK_FOR_FOLDER_EVERY = timedelta(seconds=5)
"""Nobody tells when a folder appears; whoever keeps the credential may start after us."""
LISTEN_EVERY_MS = 250
"""The library looks this often for events that it has heard of, on a thread. At its usual 50 ms
that is half of what an agent at rest uses of a processor."""
_DEBOUNCE_MS = 200
"""The files of one generation arrive within this time of each other."""
_LOOK_WHICH_FOLDER_MS = 20_000
"""Whether the folder heard of is still the one at its path; reading goes by the path anyway."""

_T = TypeVar("_T")


class MountedFolder(Generic[_T]):
    """A folder whose files together say one thing.

    Args:
        path: The folder; need not be there yet.
        read: Reads what the files say now. Raises `ConfigError` while they cannot be used.
        complaint: What to log then: a constant sentence.
        is_news: Whether what was read differs from what was read before.
        reread_every: How often to read although nothing was heard.
        clock: Time between those.
    """

    def __init__(
        self,
        path: Path,
        *,
        read: Callable[[], _T],
        complaint: str,
        is_news: Callable[[_T, _T], bool],
        reread_every: timedelta = REREAD_EVERY,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._path = path
        self._read = read
        self._complaint = complaint
        self._is_news = is_news
        self._reread_every = reread_every
        self._clock = clock

    async def watch(self, use: Callable[[_T], None]) -> NoReturn:
        """Hand on what the files say once they can be read, and each time that it changes.

        What cannot be used is logged once per finding; what was there before stays in use.
        """
        changed = asyncio.Event()
        changed.set()
        async with TaskGroup() as group:
            group.create_task(self._listen(changed), name=f"watch-folder/{self._path}")
            group.create_task(self._remind(changed), name=f"remind-of-folder/{self._path}")
            await self._read_on(changed, use)
        raise AssertionError("unreachable: reading goes on until cancelled")

    async def _read_on(self, changed: asyncio.Event, use: Callable[[_T], None]) -> NoReturn:
        last: list[_T] = []
        complaint: str | None = None
        while True:
            await changed.wait()
            changed.clear()
            try:
                found = self._read_settled()
            except ConfigError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    log.warning(
                        self._complaint, extra={"object": str(self._path), "error": complaint}
                    )
                continue
            complaint = None
            if not last or self._is_news(found, last[0]):
                last[:] = [found]
                use(found)

    def _read_settled(self) -> _T:
        try:
            return self._read()
        except ConfigError:
            # A swap may have come between finding the files and reading them.
            return self._read()

    async def _listen(self, changed: asyncio.Event) -> NoReturn:
        """Set `changed` on every event of the folder, and when another one is in its place."""
        refusal: str | None = None
        while True:
            watched = _identity(self._path)
            try:
                if watched is not None:
                    # The folder, not the files: links are replaced, and events of their targets
                    # are not ours. Unfiltered: by default paths with, say, `.tox` in them are not
                    # heard of. The empty rounds between events are for another folder's sake.
                    events = awatch(
                        self._path,
                        watch_filter=None,
                        debounce=_DEBOUNCE_MS,
                        step=LISTEN_EVERY_MS,
                        rust_timeout=_LOOK_WHICH_FOLDER_MS,
                        recursive=False,
                        yield_on_timeout=True,
                    )
                    # Listening begins in the first step of the loop below, which waits only then.
                    # What changed after the last reading and before that was heard by nobody.
                    asyncio.get_running_loop().call_soon(changed.set)
                    async for batch in events:
                        refusal = None
                        if batch:
                            changed.set()
                        if _identity(self._path) != watched:
                            break
            except (OSError, RuntimeError) as error:
                # The folder went in this moment, or the system has no watches left (which the
                # library says by a RuntimeError). Then the looks now and then are what is left.
                if str(error) != refusal:
                    refusal = str(error)
                    log.info(
                        "folder cannot be listened to; looking at it now and then",
                        extra={"object": str(self._path), "error": refusal},
                    )
            changed.set()
            if _identity(self._path) in (None, watched):
                await self._clock.sleep(_LOOK_FOR_FOLDER_EVERY)
                changed.set()

    async def _remind(self, changed: asyncio.Event) -> NoReturn:
        while True:
            await self._clock.sleep(self._reread_every)
            changed.set()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which folder is there now; None for none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a handful of these a minute
    except OSError:
        return None
    return found.st_dev, found.st_ino
