"""`towline status --watch`: the state of a fleet, shown for as long as somebody looks.

On a terminal it is a picture that is drawn anew; elsewhere a line for each change, or with `-o
json` one document a line.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any, Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from towline_api.errors import TowlineError
from towline_hub.fleet.changes import change_lines, timeless
from towline_hub.fleet.report import WIDE, status_json, status_table
from towline_hub.fleet.state import FleetStatus
from towline_hub.fleet.status import collect_status
from towline_hub.fleet.watched import WatchedFleet
from towline_kube.addon_api import choose_codec
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup
from towline_kube.termination import told_to_end

_BETWEEN_PICTURES = timedelta(milliseconds=500)
"""Nobody reads faster, and a fleet that joins changes a hundred times a second."""
_AGES_GROW = timedelta(seconds=5)

Narrow = Callable[[FleetStatus], FleetStatus]


class Display(Protocol):
    """Where a fleet is shown."""

    def show(self, fleet: FleetStatus, *, problem: TowlineError | None) -> None:
        """Show a fleet.

        Args:
            fleet: What is known of it.
            problem: Why that may be out of date; None if it is not.
        """


async def watch_status(
    client: Client,
    display: Display,
    *,
    narrow: Narrow,
    stop: asyncio.Event,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Show a fleet, and whatever changes about it, until told to stop.

    Args:
        client: Whom to ask, as somebody who may list and watch what is shown.
        display: Where to show it.
        narrow: Returns the part that somebody wants to see.
        stop: Ends it when set.
        clock: Where time comes from.

    Raises:
        ApiError: The hub cannot be asked, or this identity may not list what is shown. Later
            failures are shown and got over.
    """
    codec = await choose_codec(client)
    # What is wrong with the connection is to end the program at once, not to be tried again.
    display.show(narrow(await collect_status(client, codec=codec, clock=clock)), problem=None)
    watched = WatchedFleet(client, codec=codec, clock=clock)
    with one_failure():
        async with TaskGroup() as group:
            showing = _show(watched, display, narrow=narrow, clock=clock)
            tasks = (
                group.create_task(watched.run(), name="watch-fleet"),
                group.create_task(showing, name="show-fleet"),
            )
            await stop.wait()
            for task in tasks:
                task.cancel("told to stop")


async def _show(watched: WatchedFleet, display: Display, *, narrow: Narrow, clock: Clock) -> None:
    await watched.wait_synced()
    while True:
        display.show(narrow(watched.status()), problem=watched.problem)
        await clock.sleep(_BETWEEN_PICTURES)
        await watched.wait_changed(limit=_AGES_GROW)


async def watch_until_told(
    client: Client, *, narrow: Narrow, console: Console, as_json: bool
) -> None:
    """Show a fleet on standard output until SIGINT or SIGTERM."""
    # The picture says what goes wrong; a log in between would tear it apart.
    logging.getLogger("towline_kube").addHandler(logging.NullHandler())
    with told_to_end() as stop, _display(console, as_json=as_json) as display:
        try:
            await watch_status(client, display, narrow=narrow, stop=stop)
        except BrokenPipeError:
            # Whoever read it has seen enough. What is left to write would fail at exit again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _display(console: Console, *, as_json: bool) -> Iterator[Display]:
    if as_json:
        yield Lines(console.file, tell=_json_line)
    elif not console.is_terminal:
        yield Lines(console.file, tell=change_lines)
    else:
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield Picture(live)


class Lines:
    """Shows a fleet as lines that are added, for a pipe or a file.

    Args:
        file: Where to.
        tell: Returns the lines to add, given what was told last and what is so now.
    """

    def __init__(
        self, file: IO[str], *, tell: Callable[[FleetStatus | None, FleetStatus], list[str]]
    ) -> None:
        self._file = file
        self._tell = tell
        self._told: FleetStatus | None = None
        self._problem: str | None = None

    def show(self, fleet: FleetStatus, *, problem: TowlineError | None) -> None:
        """Add what has changed."""
        lines = self._tell(self._told, fleet)
        self._told = fleet
        found = None if problem is None else str(problem)
        if found != self._problem and self._tell is change_lines:
            lines.append("up to date again" if found is None else f"not up to date: {found}")
        self._problem = found
        for line in lines:
            self._file.write(f"{line}\n")
        self._file.flush()


def _json_line(before: FleetStatus | None, after: FleetStatus) -> list[str]:
    if before is not None and timeless(before) == timeless(after):
        return []
    document: Mapping[str, Any] = status_json(after)
    return [json.dumps(document, separators=(",", ":"))]


class Picture:
    """Shows a fleet in place of what was shown before."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, fleet: FleetStatus, *, problem: TowlineError | None) -> None:
        """Draw it anew."""
        parts: list[RenderableType] = [status_table(fleet)]
        if problem is not None:
            # First: what overflows the terminal is cut off below.
            parts.insert(0, Text(f"not up to date: {problem}", style="yellow"))
        self._live.update(_Cut(Group(*parts)), refresh=True)


class _Cut:
    """Something wide, cut off at the terminal's edge: what a terminal folds, it cannot redraw."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._shown, options.update(width=WIDE), pad=False)
        for line in lines:
            yield from Segment.adjust_line_length(line, options.max_width, pad=False)
            yield Segment.line()
