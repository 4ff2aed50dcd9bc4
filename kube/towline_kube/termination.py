"""How a program of towline is told to end: by SIGTERM, or by Ctrl-C."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_end(*, heeds_a_second: bool = True) -> Iterator[asyncio.Event]:
    """Yield an event that is set when this process is told to end.

    For the main thread's event loop, around everything that wants to end in good order. At the end
    of the block signals do what they did without it.

    Args:
        heeds_a_second: Whether a second signal ends the process at once, for whoever has no more
            patience. Otherwise it changes nothing, for programs that must not leave others behind.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin_to_end() -> None:
        told.set()
        if heeds_a_second:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, begin_to_end)
    try:
        yield told
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
