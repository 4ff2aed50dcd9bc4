"""The hub and the agent as processes of their own, as in life."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from towline_api.errors import TowlineError

_STOP_WITHIN = timedelta(seconds=10)


class ProgramEndedError(TowlineError):
    """A program ended by itself although it should have kept running."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running `towline` command.

    Args:
        name: How messages call it.
        process: The process.
        log: The file with everything it printed.
    """

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def resident_mebibytes(self) -> float | None:
        """Memory it holds now, where the operating system tells (`VmRSS` on Linux)."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return None

    def check_running(self) -> None:
        """Raise `ProgramEndedError` with the end of its log if the program has ended."""
        if self.process.returncode is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise ProgramEndedError(
                f"{self.name} ended with status {self.process.returncode}; its log ends:\n{tail}"
            )


@asynccontextmanager
async def running(
    name: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> AsyncIterator[Program]:
    """Run `towline` with `arguments` while the body runs; stop it as a service manager would.

    Args:
        name: How messages and the log file call it.
        arguments: What follows `towline`.
        folder: Private folder for its log.
        environment: Added to a minimal environment; nothing else of ours is passed on.
    """
    # A folder of their own: programs watch the folders of their kubeconfigs.
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "HOME")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "towline_sandbox.tether",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**kept, **environment},
        )
    try:
        yield Program(name, process, log)
    finally:
        await asyncio.shield(_stop(process))


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_WITHIN.total_seconds()):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
