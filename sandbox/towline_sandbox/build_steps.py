"""Running the tools of a build: their output is shown in short, and in full where they fail."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from towline_api.durations import format_duration
from towline_api.errors import ConfigError
from towline_kube.task_groups import TaskGroup

_LAST_LINES = 12
_LONGEST_LINE = 1024 * 1024
_GRACE = timedelta(seconds=5)


class BuildError(ConfigError):
    """The control plane could not be built; the message says what failed and what to do."""


class ToolFailed(BuildError):  # noqa: N818 - what happened, as a fact to look at
    """A tool of the build ended with an error.

    Args:
        message: Names the tool.
        output: The last lines it wrote.
    """

    def __init__(self, message: str, *, output: Sequence[str]) -> None:
        super().__init__("\n  ".join([message, *output]))
        self.output = tuple(output)

    def mentions(self, *words: str) -> bool:
        """Return whether the tool's last lines hold one of these."""
        return any(word in line for line in self.output for word in words)


class Progress:
    """Tells a person how far a long step is: on one line of a terminal, or now and then in a log.

    Args:
        output: Where to; by default standard error.
        every: How often a log that is no terminal gets a line.
    """

    def __init__(
        self, output: TextIO | None = None, *, every: timedelta = timedelta(seconds=30)
    ) -> None:
        self._output = sys.stderr if output is None else output
        self._interactive = self._output.isatty()
        self._erase = "\r\x1b[K" if self._interactive else ""
        self._every = every.total_seconds()
        self._started = time.monotonic()
        self._last = self._started

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._write(f"{self._erase}== {text}\n")
        self._started = self._last = time.monotonic()

    def update(self, text: str) -> None:
        """Show how far the step that was last said is; in a log, only if enough time has passed."""
        now = time.monotonic()
        elapsed = format_duration(timedelta(seconds=int(now - self._started)))
        if self._interactive:
            self._write(f"{self._erase}   {text}, {elapsed}")
        elif now - self._last >= self._every:
            self._last = now
            self._write(f"   {text}, {elapsed}\n")

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()


async def run_tool(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None] = lambda _: None,
    on_tick: Callable[[], None] = lambda: None,
    tick: timedelta = timedelta(seconds=1),
) -> list[str]:
    """Run a program to its end and return the lines of its standard output.

    A build may take as long as it takes: the only limit is the person who interrupts it.

    Args:
        argv: The program and its arguments.
        cwd: Where it runs.
        env: Its environment.
        on_line: Called with each line of its standard error.
        on_tick: Called from time to time.
        tick: How often.

    Raises:
        ToolFailed: It could not be started, or ended with a status other than 0.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)

    async with _process(argv, cwd=cwd, env=env) as process, TaskGroup() as group:
        assert process.stdout is not None  # noqa: S101 - both are pipes
        assert process.stderr is not None  # noqa: S101
        results = group.create_task(process.stdout.read(), name="read-output")

        async def keep_ticking() -> None:
            while True:
                on_tick()
                await asyncio.sleep(tick.total_seconds())

        ticking = group.create_task(keep_ticking(), name="show-progress")
        async for raw in process.stderr:
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            on_line(line)
        status = await process.wait()
        output = (await results).decode(errors="replace").splitlines()
        ticking.cancel()
    if status != 0:
        raise ToolFailed(
            f"{Path(argv[0]).name} {argv[1]} ended with status {status}:",
            output=[*last] or output[-_LAST_LINES:],
        )
    return output


@asynccontextmanager
async def _process(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process that does not outlive the block."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
    except OSError as error:
        raise ToolFailed(f"{argv[0]} could not be started: {error}", output=()) from error
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_GRACE.total_seconds()):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
