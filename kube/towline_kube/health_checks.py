"""Questions about a process's health, each answered by what is wrong, or None if nothing is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from towline_api.errors import TowlineError
from towline_kube.cache import Cache
from towline_kube.caller import Call
from towline_kube.client import Client
from towline_kube.clock import Clock


@dataclass(frozen=True, slots=True)
class Well:
    """Nothing is wrong, and there is something to say all the same."""

    how: str


Check = Callable[[], Awaitable[str | Well | None]]
"""Returns what is wrong in a sentence; None or how it is if nothing is."""

_LAG_LIMIT = timedelta(seconds=2)
_PAUSE = timedelta(milliseconds=10)

RECENT = timedelta(seconds=20)
"""For how long an answered call shows that the API server knows us."""
_ASK_WITHIN = timedelta(seconds=5)
_SHORTEST_PAUSE = timedelta(seconds=1)
_UNAUTHORIZED = 401


def caches_synced(caches: Iterable[Cache]) -> Check:
    """Ask whether every cache has seen a whole list, and hears of changes."""

    async def check() -> str | None:
        problems = [
            f"{cache.selection}: {cache.last_error or 'no list has arrived yet'}"
            for cache in caches
            if not cache.synced or cache.last_error is not None
        ]
        return "; ".join(problems) or None

    return check


def tasks_alive(tasks: Callable[[], Iterable[asyncio.Task[Any]]]) -> Check:
    """Ask whether tasks that are to run for ever still do."""

    async def check() -> str | None:
        ended = [task.get_name() for task in tasks() if task.done()]
        return f"ended: {', '.join(ended)}" if ended else None

    return check


def loop_responsive(clock: Clock) -> Check:
    """Ask whether the event loop gets round to everything in good time."""

    async def check() -> str | None:
        began = clock.monotonic()
        await clock.sleep(_PAUSE)
        lag = timedelta(seconds=clock.monotonic() - began) - _PAUSE
        if lag < _LAG_LIMIT:
            return None
        return f"the event loop is {lag.total_seconds():.1f} s late"

    return check


class ApiServerKnowsUs:
    """Asks whether the API server answers, and accepts our credential.

    Calls that others make show it, too, and then nothing is asked. However often this is called, it
    asks the API server once a second at most.

    Args:
        client: Whom to ask.
        clock: Where time comes from.
    """

    def __init__(self, client: Client, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._answered_at = float("-inf")
        self._asked_at = float("-inf")
        self._problem: str | None = None
        self._asking = asyncio.Lock()

    def note(self, call: Call) -> None:
        """Take in a call that somebody made; give this to a client as `on_call`."""
        # A credential that is not accepted is refused with 401, whatever was asked.
        well = 0 < call.status < 500 and call.status != _UNAUTHORIZED
        self._answered_at = self._clock.monotonic() if well else float("-inf")

    async def __call__(self) -> str | None:
        """Return what is wrong; None if nothing is."""
        async with self._asking:
            now = self._clock.monotonic()
            if now - self._answered_at < RECENT.total_seconds():
                return None
            if now - self._asked_at >= _SHORTEST_PAUSE.total_seconds():
                self._asked_at = now
                self._problem = await self._ask()
            return self._problem

    async def _ask(self) -> str | None:
        try:
            async with asyncio.timeout(_ASK_WITHIN.total_seconds()):
                await self._client.whoami()
        except TowlineError as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {_ASK_WITHIN.total_seconds():g} s"
        self._answered_at = self._clock.monotonic()
        return None
