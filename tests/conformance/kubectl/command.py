"""kubectl as a client of a plane: one process per command, with a home of its own."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from towline_api.resources import KubeObject

_LIMIT_SECONDS = 30
"""Far more than any command takes: it only decides how long a hanging one takes to say so."""

_HEADING = re.compile(r"\S+(?: \S+)*")
_LOGGED = re.compile(r"^W\d{4} .*reflector.go.*\n", re.MULTILINE)
_AGE = re.compile(r"(\d+[smhd])+")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended.

    Args:
        words: The command, for the message of a failing test.
        code: Exit status.
        out: Standard output.
        err: Standard error.
    """

    words: Sequence[str]
    code: int
    out: str
    err: str

    def ok(self) -> str:
        """Return what a command printed that worked, and had nothing to complain about."""
        assert (self.code, self.err) == (0, ""), self
        return self.out

    def assert_said(self, *lines: str) -> None:
        """Compare the output of a command that worked."""
        assert self.ok().splitlines() == list(lines), self

    def assert_failed(self, *lines: str) -> None:
        """Compare the complaint of a command that failed and did nothing."""
        assert (self.code, self.out) == (1, ""), self
        assert self.err.rstrip().splitlines() == list(lines), self

    def table(self) -> list[list[str]]:
        """Return the cells of a printed table, headings first; ages are only looked at."""
        return cells(self.ok().splitlines())


def cells(lines: Sequence[str]) -> list[list[str]]:
    """Cut the lines of a table where the headings begin; ages are only looked at."""
    starts = [heading.start() for heading in _HEADING.finditer(lines[0])]
    ends = [*starts[1:], None]
    rows = [[line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in lines]
    if "AGE" in rows[0]:
        column = rows[0].index("AGE")
        for row in rows[1:]:
            assert _AGE.fullmatch(row[column]), row
            row[column] = "AGE"
    return rows


class Running:
    """A command that goes on until it is stopped.

    Args:
        process: The process, whose output has not been read yet.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def lines(self, count: int) -> list[str]:
        """Return the next lines that it prints."""
        assert self._process.stdout is not None
        found: list[str] = []
        async with asyncio.timeout(_LIMIT_SECONDS):
            while len(found) < count:
                line = await self._process.stdout.readline()
                assert line, f"it ended after {found}"
                found.append(line.decode().rstrip("\n"))
        return found

    async def stop(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.communicate()


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl in one namespace.

    Args:
        program: Where it is.
        home: The folder that it takes for its user's, with what it remembers of the plane.
        kubeconfig: Says which plane, and who it is there.
        namespace: Where the kubeconfig says that it works.
    """

    program: Path
    home: Path
    kubeconfig: Path
    namespace: str

    def by(self, kubeconfig: str, *, folder: Path) -> "Kubectl":
        """Return the same, as somebody else, whose kubeconfig is kept in this folder."""
        path = folder / "kubeconfig"
        path.write_text(in_namespace(kubeconfig, namespace=self.namespace))
        return replace(self, kubeconfig=path)

    async def __call__(
        self,
        *words: str,
        stdin: KubeObject | Sequence[KubeObject] | None = None,
        editor: str | None = None,
    ) -> Ran:
        """Run one command to its end.

        Args:
            words: What follows `kubectl`.
            stdin: Objects that are its input.
            editor: The program that changes the file it is given.
        """
        process = await self._start(words, editor=editor)
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                out, err = await process.communicate(_as_input(stdin))
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            raise AssertionError(f"{words} goes on and on: {out!r} {err!r}") from None
        assert process.returncode is not None
        # Newer kubectls also say where they delete.
        said = out.decode().replace(f" deleted from {self.namespace} namespace", " deleted")
        # Its log is not what it says: at the end of a timeout it complains of watches cut short.
        complaint = _LOGGED.sub("", err.decode())
        return Ran(words, process.returncode, said, complaint)

    @asynccontextmanager
    async def going_on(self, *words: str) -> AsyncIterator[Running]:
        """Run a command that does not end by itself; it is stopped with the block."""
        running = Running(await self._start(words))
        try:
            yield running
        finally:
            await running.stop()

    async def _start(
        self, words: Sequence[str], *, editor: str | None = None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self.program,
            f"--cache-dir={self.home / 'cache'}",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "GOGC": "off",  # a command is over before collecting garbage would have paid
                "HOME": str(self.home),
                "KUBECONFIG": str(self.kubeconfig),
                "KUBE_EDITOR": editor or "false",
            },
        )


def in_namespace(kubeconfig: str, *, namespace: str) -> str:
    """Return a kubeconfig with which commands work in this namespace.

    To name it in every command would be taken amiss by those about objects that are in none.
    """
    config = yaml.safe_load(kubeconfig)
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    return yaml.safe_dump(config)


def _as_input(objects: KubeObject | Sequence[KubeObject] | None) -> bytes:
    match objects:
        case None:
            return b""
        case dict():
            return json.dumps(objects).encode()
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}).encode()
