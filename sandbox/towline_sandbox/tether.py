"""Runs a `towline` command that ends when the demonstration does, however the demonstration ends.

The demonstration holds the other end of this process's standard input. Should it be killed, the
kernel closes that end, and this process stops itself as if asked to.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence

from towline_sandbox.cli import main


def _stop_at_end_of_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run(arguments: Sequence[str]) -> int:
    """Run a `towline` command until it ends or standard input does; return its exit status."""
    # A thread, because reading a pipe blocks and the event loop belongs to the program.
    threading.Thread(target=_stop_at_end_of_input, name="watch-parent", daemon=True).start()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
