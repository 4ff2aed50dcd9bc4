"""Waiting for changes: one reader's queue of what it has not seen yet."""

import asyncio
from collections.abc import AsyncIterator, Callable

from towline_sandbox.embedded.storage.changes import Change

LONGEST_QUEUE = 16_384
"""A reader that is this far behind is not reading any more; it is cut off and has to start anew."""


class Subscription:
    """Changes for one reader, in the order they happened.

    Args:
        since: Changes up to this revision are not told.
        leave: Takes the subscription out of the store.
    """

    def __init__(self, *, since: int, leave: Callable[["Subscription"], None]) -> None:
        self.since = since
        self._leave = leave
        self._queue: list[Change] = []
        self._waiter: asyncio.Future[None] | None = None
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether more can come."""
        return self._is_open

    def offer(self, change: Change) -> None:
        """Queue a change; called by the store."""
        if not self._is_open or change.revision <= self.since:
            return
        if len(self._queue) >= LONGEST_QUEUE:
            self.close()
            return
        self._queue.append(change)
        self._wake()

    def close(self) -> None:
        """Tell nothing more. What is queued already can still be taken."""
        if self._is_open:
            self._is_open = False
            self._leave(self)
            self._wake()

    def take(self) -> list[Change]:
        """Return what is queued, without waiting."""
        taken, self._queue = self._queue, []
        return taken

    async def changes(self, *, within: float | None = None) -> list[Change]:
        """Return all changes that are new, waiting for the first.

        Args:
            within: Seconds to wait at most; None waits as long as it takes.

        Returns:
            The changes; nothing if the time is over or the subscription was closed.
        """
        if not self._queue and self._is_open:
            loop = asyncio.get_running_loop()
            self._waiter = waiter = loop.create_future()
            timer = None if within is None else loop.call_later(max(within, 0), self._wake)
            try:
                await waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        return self.take()

    async def __aiter__(self) -> AsyncIterator[Change]:
        """Iterate over changes until the subscription is closed."""
        while found := await self.changes():
            for change in found:
                yield change

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
