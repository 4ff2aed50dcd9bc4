"""Whether the hub answers us: told from calls that are made anyway, asked only when in doubt."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.hub_return import not_before
from towline_api.errors import TowlineError
from towline_kube.client import Call
from towline_kube.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")

RECENT = timedelta(seconds=100)
"""For how long an answered call shows that the hub knows us: a beat of the cluster's lease takes
75 s at most, so an agent at rest is never made to ask, however often somebody looks."""
_ASK_WITHIN = timedelta(seconds=5)
_SHORTEST_PAUSE = timedelta(seconds=10)
"""Ten thousand agents whose hub is away are looked at as often as those of one that is there. Their
hub is not asked more often for that: the pauses of the agent's own tries hold here as well."""
_UNAUTHORIZED = 401


class HubContact:
    """When the hub last answered a call that was made under our own credential.

    Args:
        clock: Time.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._answered: float | None = None
        self._is_doubtful = False
        self._ask_from = float("-inf")
        self._problem: str | None = None
        self._asking = asyncio.Lock()
        self.at: datetime | None = None
        """When the hub last answered; None if it never has in this process."""

    def note(self, call: Call) -> None:
        """Take in a call that somebody made; give this to the channel as `on_call`."""
        # A credential that is not accepted is refused with 401, whatever was asked.
        if 0 < call.status < 500 and call.status != _UNAUTHORIZED:
            self._note_answer()
        else:
            self._is_doubtful = True

    @property
    def age(self) -> timedelta | None:
        """How long ago the hub last answered; None if it never has in this process."""
        if self._answered is None:
            return None
        return timedelta(seconds=self._clock.monotonic() - self._answered)

    async def find_problem(self, channel: HubChannel) -> str | None:
        """Return what is wrong with the way to the hub; None if nothing is.

        Asks the hub who we are if no call has shown it for a while, every ten seconds at most.
        """
        if not channel.is_ready:
            return channel.trouble or "the hub has not accepted a credential of ours yet"
        async with self._asking:
            age = self.age
            if age is not None and age < RECENT and not self._is_doubtful:
                return None
            now = self._clock.monotonic()
            if now >= self._ask_from:
                self._ask_from = now + _SHORTEST_PAUSE.total_seconds()
                self._problem = await self._ask(channel)
            return self._problem

    async def _ask(self, channel: HubChannel) -> str | None:
        try:
            async with asyncio.timeout(_ASK_WITHIN.total_seconds()):
                await channel.client.whoami()
        except TowlineError as error:
            self._leave_alone(not_before(_SHORTEST_PAUSE, error))
            return str(error)
        except TimeoutError:
            channel.patience.note_failure()
            self._leave_alone(max(_SHORTEST_PAUSE, channel.patience.pause()))
            return f"no answer within {_ASK_WITHIN.total_seconds():g} s"
        self._note_answer()
        return None

    def _leave_alone(self, pause: timedelta) -> None:
        self._ask_from = self._clock.monotonic() + pause.total_seconds()

    def _note_answer(self) -> None:
        self._answered = self._clock.monotonic()
        self._is_doubtful = False
        self._problem = None
        self.at = self._clock.now()


def both(*listeners: Callable[[T], None] | None) -> Callable[[T], None]:
    """Return one listener that tells all of these, in order."""
    present = [listener for listener in listeners if listener is not None]

    def tell(what: T) -> None:
        for listener in present:
            listener(what)

    return tell
