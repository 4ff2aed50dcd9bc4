"""The hub and the agent as processes, which a test may pause, kill and start again."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from support.forked_programs import ForkedProgram, launch
from support.waiting import LIMIT, eventually

WITHOUT_COLLECTOR = {"GOGC": "off"}
"""For kubectl's environment: it is over before collecting garbage would have paid."""

_PATIENCE_SECONDS = 10


class Program:
    """A `towline` command that runs until it is stopped, with everything it printed in a file.

    Its standard input is ours, so that it ends when the test process does, whatever ends that.

    Args:
        arguments: What follows `towline`.
        log: Where its output goes; each start goes on in the same file.
        environment: Variables it gets beside the few it needs.
        cold: Whether Python starts anew for it, as it does in life; see `support.forked_programs`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cold: bool = False,
    ) -> None:
        self._cold = cold
        self._arguments = tuple(arguments)
        self.environment = dict(environment or {})
        self._log = log
        self._seen_from = 0
        self._process: subprocess.Popen[bytes] | ForkedProgram | None = None

    @property
    def is_running(self) -> bool:
        """Whether it runs, or is paused."""
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """What it printed since it was started last."""
        return self.said_after(0).decode(errors="replace")

    def said_after(self, start: int) -> bytes:
        """Return what it printed since it was started last, but for the first so many bytes."""
        with self._log.open("rb") as file:
            file.seek(self._seen_from + start)
            return file.read()

    def start(self) -> None:
        """Start it, for the first time or again."""
        assert not self.is_running, "it runs already"
        self._seen_from = self._log.stat().st_size if self._log.exists() else 0
        environment = _few_variables() | self.environment
        with self._log.open("ab") as output:
            if self._cold:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "towline_sandbox.tether", *self._arguments],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=environment,
                )
            else:
                self._process = launch(
                    self._arguments, stdout=output, stderr=output, environment=environment
                )

    async def until_said(self, *words: str, within: timedelta = LIMIT) -> None:
        """Wait until it has printed one of these; that has to come before it ends."""
        await eventually(
            lambda: self._has_said(words) or not self.is_running,
            what=lambda: f"{words} was not said; said: {self.said[-2000:]}",
            within=within,
        )
        assert self._has_said(words), f"it ended without saying {words}; said: {self.said[-2000:]}"

    def _has_said(self, words: tuple[str, ...]) -> bool:
        return any(each in self.said for each in words)

    def kill(self) -> None:
        """End it between any two instructions, as a power cut would."""
        self.send(signal.SIGKILL)
        self._collect()

    def pause(self) -> None:
        """Let it do nothing until it is resumed."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, and wait for nothing."""
        self.send(signal.SIGTERM)

    def finish(self) -> int:
        """Return the exit status of one that was asked to end."""
        return self._collect()

    def stop(self) -> int | None:
        """Ask it to end, as a service manager does; return its exit status."""
        if self._process is None:
            return None
        if self.is_running:
            self.resume()
            self.send(signal.SIGTERM)
        return self._collect()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, and wait for nothing."""
        assert self._process is not None, "it was never started"
        self._process.send_signal(number)

    def _collect(self) -> int:
        assert self._process is not None
        try:
            status = self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        return status


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Let a process do nothing for the length of a block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def child_running(parent: int, program: str) -> int:
    """Return the process a parent started from the executable of this name."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            stat = (process / "stat").read_text().rpartition(")")[2].split()
            executable = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
            if int(stat[1]) == parent and Path(executable).name == program:
                return int(process.name)
    raise AssertionError(f"no {program} runs below process {parent}")


@dataclass(frozen=True)
class Outcome:
    """What a command that ended did."""

    status: int
    out: str
    err: str


async def run_command(*words: str, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run a `towline` command to its end, as a process."""
    variables = {**_few_variables(), "COLUMNS": "200", **(environment or {})}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = launch(words, stdout=out, stderr=err, environment=variables)
        with process.stdin:
            status = await asyncio.to_thread(process.wait, 60)
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read().decode())
    return Outcome(status, *printed)


def _few_variables() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "HOME")}
