"""`towline` commands as processes of their own, forked from one that has imported everything.

Starting Python and importing what a command needs takes half a second of a core, and tests start
hundreds of commands. The launcher imports once, and each command begins where its `main` does. What
a cold start does is tested where a program is installed, and by the demonstration.

The launcher is this module, run as a program. It is asked over a socket whose other end closes with
the test process, which ends it. Between it and each command stands a process that waits for the
command's end and tells it: the test process may not wait for what is no child of its own.
"""

import atexit
import functools
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO, Any, NoReturn

_PRELOADED = (
    "towline_agent.commands",
    "towline_hub.commands",
    "towline_hub.daemon",
    "towline_hub.decisions.cluster_commands",
    "towline_hub.joining.token_commands",
    "towline_agent.daemon",
    "towline_sandbox.cli",
)
_REQUEST_LIMIT = 1 << 20
_UNKNOWN = 255


class ForkedProgram:
    """One command; what `subprocess.Popen` offers, as far as tests use it.

    Args:
        pid: Its process.
        stdin: The writing end of its standard input.
        status: Tells how it ended.
    """

    def __init__(self, pid: int, *, stdin: IO[bytes], status: socket.socket) -> None:
        self.pid = pid
        self.stdin = stdin
        self._status = status
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, negative for a signal.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Raises:
            subprocess.TimeoutExpired: It still runs after that many seconds.
        """
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                told = self._status.recv(64)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0) from None
            self._status.close()
            self.returncode = int(told) if told else _UNKNOWN
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it between any two instructions."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def _launcher() -> socket.socket:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        launcher = subprocess.Popen(
            [sys.executable, "-m", __name__, str(its.fileno())],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            # As everything else that Python starts here finds its modules.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def end() -> None:
        ours.close()
        launcher.wait()

    atexit.register(end)
    return ours


def launch(
    words: Sequence[str],
    *,
    stdout: IO[bytes],
    stderr: IO[bytes],
    environment: Mapping[str, str],
) -> ForkedProgram:
    """Start a `towline` command that ends when its standard input does.

    Args:
        words: What follows `towline`.
        stdout: Where its output goes.
        stderr: Where what it says about itself goes.
        environment: All its variables.
    """
    reading, writing = os.pipe()
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        request = json.dumps([list(words), dict(environment)]).encode()
        handed = [reading, stdout.fileno(), stderr.fileno(), its.fileno()]
        socket.send_fds(_launcher(), [request], handed)
    os.close(reading)
    # It answers at once, but for the first time, when it has everything to import.
    ours.settimeout(60)
    pid = int(ours.recv(64))
    return ForkedProgram(pid, stdin=os.fdopen(writing, "wb"), status=ours)


def _serve(asked: socket.socket) -> NoReturn:
    """Start a process for each request until nobody can make one any more."""
    for name in _PRELOADED:
        import_module(name)
    gc.collect()
    gc.freeze()
    # Those who stand between are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, handed, _, _ = socket.recv_fds(asked, _REQUEST_LIMIT, 4)
        if not request:
            sys.exit(0)
        if os.fork() == 0:
            asked.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _stand_between(json.loads(request), handed)
        for descriptor in handed:
            os.close(descriptor)


def _stand_between(request: Any, handed: list[int]) -> NoReturn:
    stdin, stdout, stderr, status = handed
    pid = os.fork()
    if pid == 0:
        os.close(status)
        for descriptor, number in ((stdin, 0), (stdout, 1), (stderr, 2)):
            os.dup2(descriptor, number)
            os.close(descriptor)
        _become(*request)
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    with socket.socket(fileno=status) as teller:
        teller.send(str(pid).encode())
        _, ended = os.waitpid(pid, 0)
        with suppress(OSError):
            teller.send(str(os.waitstatus_to_exitcode(ended)).encode())
    os._exit(0)


def _become(words: list[str], environment: dict[str, str]) -> NoReturn:
    """Be the command, as the tether would start it."""
    from towline_sandbox.tether import run

    os.environ.clear()
    os.environ.update(environment)
    # Those that begin alike are not to roll alike.
    random.seed()
    sys.exit(run(words))


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
