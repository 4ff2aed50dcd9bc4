"""Permission to write that ends by itself: what keeps a deposed leader's hands off the cluster.

A process that is stopped for a minute, by a debugger, a busy machine or the kernel, does not know
it when it goes on: it would finish the write it was about to make, although another leads since.
So writes of a leader pass a fence that looks at a clock, at the very last moment: in the call that
hands bytes to the kernel. The clock is one that runs on while the process, or the machine, sleeps.
"""

import socket
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from towline_api.errors import TransientError


class NotLeading(TransientError):  # noqa: N818 - reads as the answer it is
    """This process may not write: it does not lead, or may not lead any more."""


def seconds_since_boot() -> float:
    """Return seconds on a clock that never goes back and never stands still."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Fence:
    """Whether this process may write at present; closed at first.

    Args:
        reading: Seconds on a clock that never goes back.
    """

    def __init__(self, *, reading: Callable[[], float] = seconds_since_boot) -> None:
        self.reading = reading
        """The clock by which the fence closes."""
        self._closes = float("-inf")
        self._ends = float("-inf")

    def open(self, *, until: float, ends: float) -> None:
        """Let writes through.

        Args:
            until: Reading from which on no write may begin.
            ends: Reading by which every write has to have ended, since another may lead then.
        """
        self._closes, self._ends = until, ends

    def close(self) -> None:
        """Let nothing through any more."""
        self._closes = self._ends = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether a write may begin now."""
        return self.reading() < self._closes

    @property
    def time_left(self) -> timedelta:
        """How long a write that begins now may take; zero if none may begin."""
        now = self.reading()
        return timedelta(seconds=self._ends - now if now < self._closes else 0.0)

    def check(self) -> None:
        """Return if a write may begin now.

        Raises:
            NotLeading: It may not.
        """
        if not self.is_open:
            raise NotLeading("this replica does not lead, or not any more, so it writes nothing")


class FencedSocket(socket.socket):
    """A socket that sends while a fence is open, and breaks when told to send once it is not.

    Asynchronous transports hand bytes to the kernel by `send` and `sendmsg` alone. Between the look
    at the clock and the system call lie the few instructions of these methods.

    Args:
        fence: What lets bytes through.
        family: As for any socket.
        kind: As for any socket.
        protocol: As for any socket.
    """

    def __init__(self, fence: Fence, *, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._fence = fence

    def send(self, *arguments: Any) -> int:
        """Send, as any socket does.

        Raises:
            ConnectionAbortedError: The fence is closed.
        """
        if not self._fence.is_open:
            raise ConnectionAbortedError("this process does not lead any more")
        return super().send(*arguments)

    def sendmsg(self, *arguments: Any) -> int:
        """Send, as any socket does.

        Raises:
            ConnectionAbortedError: The fence is closed.
        """
        if not self._fence.is_open:
            raise ConnectionAbortedError("this process does not lead any more")
        return super().sendmsg(*arguments)
