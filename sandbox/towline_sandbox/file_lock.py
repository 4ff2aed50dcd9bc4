"""A lock among processes that a crash cannot leave behind: it ends with whoever holds it."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

_POLL = timedelta(milliseconds=200)


@asynccontextmanager
async def file_lock(path: Path, *, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock on `path`; waits as long as somebody else does.

    Args:
        path: The file, made when it is not there; it stays.
        on_wait: Called once when the lock is not free.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        waited = False
        while not _try(descriptor):
            if not waited:
                on_wait()
                waited = True
            # Asked again and again because a blocked call could not be interrupted.
            await asyncio.sleep(_POLL.total_seconds())
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
