"""The caller's handle on a supervisor: start processes in a private folder, and end all of them.

Nothing in it belongs to an event loop, so a group started in one loop can be stopped in another.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from towline_sandbox.plane import PlaneError
from towline_sandbox.private_folder import PrivateFolder

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_STOP_LIMIT = timedelta(seconds=10)  # killing and removing takes hundredths; the disk may be busy
_POLL = timedelta(milliseconds=5)


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run in the private folder.

    Args:
        name: What it is called in messages and log files.
        argv: The program's path and its arguments.
        env: Its whole environment; nothing of the caller's is added (a proxy, for example, would
            have no business between the parts of a plane).
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]


class ProcessGroup:
    """Processes that end, and a folder that goes, with the caller: whatever ends the caller.

    Args:
        folder: Where the processes run. From here on the supervisor owns it and removes it.
    """

    def __init__(self, folder: PrivateFolder) -> None:
        self.folder = folder.path
        with (folder.path / "supervisor.log").open("wb") as log:
            self._supervisor = subprocess.Popen(  # noqa: S603 - our own file, our own interpreter
                [sys.executable, "-I", "-S", str(_SUPERVISOR), str(folder.path), str(folder.lock)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder.path,
                pass_fds=(folder.lock,),
                start_new_session=True,  # a Ctrl-C in the caller's terminal must not reach it
            )
        folder.release()

    @property
    def supervisor_pid(self) -> int:
        """Process id of the supervisor."""
        return self._supervisor.pid

    def start(self, program: Program) -> None:
        """Have the supervisor start a program; how that went shows in `ending` and the log.

        Raises:
            PlaneError: The supervisor is gone.
        """
        order = {"name": program.name, "argv": list(program.argv), "env": dict(program.env)}
        assert self._supervisor.stdin is not None  # noqa: S101 - asked for in the constructor
        try:
            self._supervisor.stdin.write(json.dumps(order).encode() + b"\n")
            self._supervisor.stdin.flush()
        except OSError as error:
            raise PlaneError(
                f"could not start {program.name}: its supervisor is gone: {error}; "
                f"its last words: {self.log_tail('supervisor') or 'none'}"
            ) from error

    def ending(self, name: str) -> str | None:
        """Return how a program ended, or None while it runs (or was never started)."""
        try:
            return (self.folder / f"{name}.exit").read_text(encoding="utf-8")
        except OSError:
            status = self._supervisor.poll()
            return None if status is None else "went down with its supervisor"

    def log_tail(self, name: str, *, lines: int = 20) -> str:
        """Return the last lines a program wrote; empty when it wrote none or its log is gone."""
        try:
            with (self.folder / f"{name}.log").open("rb") as log:
                size = log.seek(0, 2)
                log.seek(max(0, size - lines * 1000))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    async def stop(self) -> None:
        """End all processes and remove the folder.

        Returns when that is done; the supervisor goes on even if nobody waits for it.
        """
        assert self._supervisor.stdin is not None  # noqa: S101 - asked for in the constructor
        # First, and without a chance to be interrupted: from here on the supervisor cleans up.
        with suppress(OSError):  # it may be gone already
            self._supervisor.stdin.close()
        try:
            async with asyncio.timeout(_STOP_LIMIT.total_seconds()):
                while self._supervisor.poll() is None:  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(_POLL.total_seconds())
        except TimeoutError:
            # Its children die with it; what is left of the folder goes in the next line.
            self._supervisor.kill()
            self._supervisor.wait()
        # Only left when the supervisor was killed.
        shutil.rmtree(self.folder, ignore_errors=True)
