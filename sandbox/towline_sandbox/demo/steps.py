"""The steps of a demonstration: what was shown, how long it took, whether it held."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TextIO

from rich.console import Console
from rich.text import Text

from towline_api.errors import TowlineError


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the demonstration showed.

    Args:
        step: What was to happen.
        seconds: How long it took.
        ok: Whether it happened.
        detail: What was seen, a line each.
    """

    step: str
    seconds: float
    ok: bool
    detail: tuple[str, ...] = ()


class StepFailedError(TowlineError):
    """A step did not hold; the demonstration ends and says so by its exit status."""


@dataclass(slots=True)
class Story:
    """Runs steps one after another, keeps them and shows each as it ends.

    Args:
        show: Called with every step as soon as it has ended.
    """

    show: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there were steps and all of them held."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    @contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """Run the body as one step; it appends what it saw to the list it is given.

        Raises:
            StepFailedError: The body raised an error a step may fail with; it is in the detail.
        """
        seen: list[str] = []
        started = time.monotonic()
        try:
            yield seen
        except (TowlineError, TimeoutError, OSError, AssertionError) as error:
            self._record(title, started, [*seen, str(error) or type(error).__name__], ok=False)
            raise StepFailedError(f"step {title!r} failed: {error}") from error
        except BaseException:
            self._record(title, started, [*seen, "interrupted"], ok=False)
            raise
        self._record(title, started, seen, ok=True)

    def _record(self, title: str, started: float, seen: list[str], *, ok: bool) -> None:
        step = Step(title, round(time.monotonic() - started, 3), ok, tuple(seen))
        self.steps.append(step)
        self.show(step)


def console_reporter(console: Console) -> Callable[[Step], None]:
    """Return what shows each step to a person: mark, seconds, title, and what was seen below."""

    def show(step: Step) -> None:
        mark = Text("ok  ", "bold green") if step.ok else Text("FAIL", "bold red")
        console.print(mark, Text(f"{step.seconds:6.2f} s", "cyan"), Text(step.step, "bold"))
        for line in step.detail:
            console.print(Text(f"               {line}", "dim" if step.ok else "red"))

    return show


def write_json(steps: list[Step], out: TextIO) -> None:
    """Write the steps for machines: a list of objects with `step`, `seconds`, `ok`, `detail`."""
    json.dump([asdict(step) for step in steps], out, indent=2)
    out.write("\n")
