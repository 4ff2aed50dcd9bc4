"""The process that owns a plane's processes and leaves nothing behind when its caller is gone.

It is run as a file, by `python -I -S`, so that it starts in a few hundredths of a second; it may
import nothing but the standard library, not even its neighbours.

Its standard input is a pipe that only the caller holds. Each line is a child to start::

    {"name": "etcd", "argv": ["/path/etcd", "…"], "env": {"GOGC": "100"}}

The end of the input means that the caller is finished, or dead: the system closes the pipe in
either case. Then every child is killed and the private folder removed. Should this process itself
be killed, the children die with it where the kernel offers that (Linux), and the folder is swept by
the next plane that starts (see `private_folder`).

A child's output goes to `NAME.log` in the private folder; how it ended is written to `NAME.exit`.
"""

import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(folder: Path) -> None:
    """Run children in `folder` until the input ends, then kill them and remove the folder."""
    # Ctrl-C and a closed terminal are the caller's business; its end is seen on the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    children: dict[int, str] = {}
    try:
        _serve(folder, children)
    finally:
        for pid in children:
            # What they store is thrown away, so there is nothing to ask them to finish.
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, children: dict[int, str]) -> None:
    """Start what the input asks for and note which children end; return when the input ends."""
    wake_up, on_signal = os.pipe()
    os.set_blocking(on_signal, False)
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(on_signal, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler has to exist for the wake-up
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    source = sys.stdin.fileno()
    pending = b""
    while not stopped:
        readable, _, _ = select.select([source, wake_up], [], [])
        if wake_up in readable:
            os.read(wake_up, 4096)
            _reap(folder, children)
        if source in readable:
            received = os.read(source, 65536)
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                _start(folder, children, json.loads(line))


def _start(folder: Path, children: dict[int, str], order: dict[str, object]) -> None:
    name = str(order["name"])
    supervisor = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def die_with_supervisor() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != supervisor:  # it died before the line above took effect
                os._exit(1)

    with (folder / f"{name}.log").open("ab") as log:
        try:
            child = subprocess.Popen(  # noqa: S603 - the caller chose the program
                order["argv"],  # type: ignore[call-overload]
                env=order["env"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_supervisor,
            )
        except OSError as error:
            _note_exit(folder, name, f"could not be started: {error}")
            return
    children[child.pid] = name
    child.returncode = 0  # reaped below, not by Popen


def _reap(folder: Path, children: dict[int, str]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        ending = (
            f"was killed by {signal.Signals(-code).name}"
            if code < 0
            else f"exited with status {code}"
        )
        _note_exit(folder, children.pop(pid), ending)


def _note_exit(folder: Path, name: str, ending: str) -> None:
    # Renamed into place, so that whoever sees the file sees all of it.
    draft = folder / f"{name}.exit.part"
    draft.write_text(ending, encoding="utf-8")
    draft.rename(folder / f"{name}.exit")


if __name__ == "__main__":
    # The lock on the private folder came with an inherited descriptor; it is held by being open.
    fcntl.fcntl(int(sys.argv[2]), fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    main(Path(sys.argv[1]))
