"""The shell that leaves a hub for another: the next one has to take the cluster first.

While the credential for the present hub is good, a second session earns one at the next hub and
keeps it in a store of its own. Only when that hub has accepted the cluster does its credential take
the place of the old one; until then whoever uses the channel notices nothing, and a process that is
killed at any point goes on from there. Without a good credential there is nothing to lose, and the
move is made at once.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import timedelta

from towline_agent.cluster_session import ClusterSession
from towline_agent.credentials.state import Standing
from towline_agent.credentials.stores import CredentialStore
from towline_agent.hubs.bootstraps import Bootstraps
from towline_agent.moving.choice import (
    BOOTSTRAP_PATIENCE,
    Departure,
    Reason,
    Stay,
    find_departure,
)
from towline_agent.moving.probe import find_obstacle
from towline_agent.running.resting import rest
from towline_api.errors import TowlineError
from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_PROBES = Backoff(first=timedelta(seconds=5), limit=timedelta(minutes=5))
"""Between two rounds of looking for a hub that takes the cluster."""
_LOOK_EVERY = timedelta(seconds=5)
"""How often it is looked whether the present hub is to be left; costs no call."""
_SETTLING_LOOK = timedelta(milliseconds=250)
_ANSWERS_WITHIN = timedelta(seconds=10)


class HubMover:
    """Watches one session's hub, and prepares the next stay when it is to be left.

    Args:
        session: The present stay.
        bootstraps: The hubs there are, in order.
        store: Where the credential of the present hub rests.
        next_store: Where that of the next hub rests until it takes over.
        successor: Makes the session at another hub, with its store and no further parts.
        timeout: How long a hub may be silent before it is left.
        clock: Time.
    """

    def __init__(
        self,
        session: ClusterSession,
        *,
        bootstraps: Bootstraps,
        store: CredentialStore,
        next_store: CredentialStore,
        successor: Callable[[str], ClusterSession],
        timeout: timedelta,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._session = session
        self._bootstraps = bootstraps
        self._store = store
        self._next_store = next_store
        self._make_successor = successor
        self._timeout = timeout
        self._clock = clock
        self._began = clock.monotonic()
        self._bell = asyncio.Event()
        self._move: tuple[ClusterSession, Departure] | None = None
        self._told = ""
        session.overlook_move = self._describe_move

    @property
    def successor(self) -> ClusterSession | None:
        """The session at the hub that is being moved to."""
        return self._move[0] if self._move is not None else None

    def look_again(self) -> None:
        """Look now: a bootstrap kubeconfig has changed."""
        self._bell.set()

    async def run(self, *, tidies: bool) -> str:
        """Return the URL of the next hub, once the present one is to be left.

        Args:
            tidies: Whether something may be left of an earlier move.
        """
        if tidies:
            await self._tidy()
        failures = 0
        while True:
            self._bell.clear()
            # Before the store was looked at nobody knows what there is to lose.
            departure = self._find_departure() if self._session.keeper.has_looked else None
            if departure is None:
                failures, self._told = 0, ""
                pause = min(_LOOK_EVERY, self._timeout / 4)
                if not self._session.keeper.has_looked:
                    pause = min(pause, _SETTLING_LOOK)
                await rest(self._clock, pause, unless=self._bell)
                continue
            if departure.reason is not Reason.SILENT or not await self._hub_answers():
                target = await self._choose(departure)
                if target is not None and await self._go(target, departure):
                    return target
            failures += 1
            pause = _PROBES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
            await rest(self._clock, pause, unless=self._bell)

    def _find_departure(self) -> Departure | None:
        session, keeper = self._session, self._session.keeper
        trouble, since = "", keeper.stuck_since
        failing_for = None if since is None else self._clock.now() - since
        if keeper.facts.is_refused:
            failing_for = BOOTSTRAP_PATIENCE
        if failing_for is not None:
            trouble = keeper.status.message
        stay = Stay(
            hub=session.hub.server,
            listed=self._bootstraps.listed,
            holds_credential=keeper.credential is not None,
            standing=session.view.standing,
            failing_for=failing_for,
            trouble=trouble,
            silent_for=self._silence(),
        )
        return find_departure(stay, timeout=self._timeout)

    def _silence(self) -> timedelta:
        contacts = [self._session.contact, self._bootstraps.at(self._session.hub.server).contact]
        ages = [contact.age for contact in contacts if contact is not None]
        stay = timedelta(seconds=self._clock.monotonic() - self._began)
        return min([stay, *(age for age in ages if age is not None)])

    async def _hub_answers(self) -> bool:
        """Return whether a hub that nobody happened to hear of answers when it is asked."""
        channel = self._session.channel
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN.total_seconds()):
                if channel.is_ready:
                    await channel.client.whoami()
                else:
                    client = await self._bootstraps.at(self._session.hub.server).client()
                    await client.whoami()
        except (TowlineError, TimeoutError):
            return False
        return True

    async def _choose(self, departure: Departure) -> str | None:
        """Return the first hub that takes the cluster, as far as can be seen; None for none."""
        if departure.reason is Reason.NOT_LISTED and len(departure.targets) == 1:
            # There is no choice; what is wrong there, the session there says.
            return departure.targets[0]
        obstacles = []
        for hub in departure.targets:
            obstacle = await find_obstacle(
                self._bootstraps.at(hub), cluster=self._session.identity.cluster
            )
            if obstacle is None:
                return hub
            obstacles.append(f"{hub}: {obstacle}")
        self._tell(
            "the hub is to be left, and no other one takes the cluster so far",
            f"{departure.message}; {'; '.join(obstacles)}",
        )
        return None

    async def _go(self, target: str, departure: Departure) -> bool:
        """Return whether the move to a hub was made."""
        session = self._session
        self._tell(
            "moving to another hub", f"{departure.message}: {session.hub.server} -> {target}"
        )
        if session.keeper.credential is None:
            return True
        successor = self._make_successor(target)
        self._move = successor, departure
        moved = False
        try:
            with one_failure():
                async with TaskGroup() as group:
                    joining = group.create_task(successor.run(), name="join-next-hub")
                    try:
                        moved = await self._settle(successor, target)
                    finally:
                        joining.cancel("the move has ended")
        finally:
            self._move = None
        if not moved:
            log.info(
                "staying at the hub", extra={"object": session.hub.server, "reason": "no move"}
            )
        return moved

    async def _settle(self, successor: ClusterSession, target: str) -> bool:
        """Return True once the next hub's credential is the agent's; False to stay."""
        failures = 0
        while True:
            departure = self._find_departure()
            if departure is None or target not in departure.targets:
                return False
            if len(departure.targets) > 1 and self._is_hopeless(successor):
                return False
            pause = _SETTLING_LOOK
            if successor.channel.is_ready and successor.view.accepted_cluster is not None:
                try:
                    return await self._hand_over(successor)
                except TowlineError as error:
                    failures += 1
                    self._tell("the next hub's credential cannot be stored", str(error))
                    pause = _PROBES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
            await self._clock.sleep(pause)

    def _is_hopeless(self, successor: ClusterSession) -> bool:
        stuck = successor.keeper.stuck_since
        return (
            successor.view.standing in (Standing.DENIED, Standing.GONE)
            or successor.keeper.facts.is_refused
            or (stuck is not None and self._clock.now() - stuck >= BOOTSTRAP_PATIENCE)
        )

    async def _hand_over(self, successor: ClusterSession) -> bool:
        """Put the next hub's credential in the place of the old one; return whether there is one.

        Killed in between, the next process finds the new one in its place, and its copy is tidied.
        """
        # Neither of them is to put right what now is changed on purpose.
        await self._session.retire()
        await successor.retire()
        credential = successor.keeper.stored
        if credential is None:
            return False
        await self._store.write_credential(credential)
        await self._store.write_progress(None)
        await self._next_store.remove()
        return True

    async def _tidy(self) -> None:
        """Remove what an earlier move to the present hub has left behind."""
        hub = self._session.hub.server
        try:
            found = await self._next_store.read()
            kept = (found.credential, found.progress)
            if any(item is not None and item.hub == hub for item in kept):
                await self._next_store.remove()
        except TowlineError as error:
            log.debug("an earlier move cannot be tidied up", extra={"error": str(error)})

    def _describe_move(self) -> str:
        if self._move is None:
            return ""
        successor, departure = self._move
        report = successor.state.look()
        return (
            f"moving to {successor.hub.server} ({departure.message}): "
            f"{report.state} ({report.reason}): {report.message}"
        )

    def _tell(self, what: str, reason: str) -> None:
        """Log what is news; the same thing again is not."""
        if reason != self._told:
            self._told = reason
            log.warning(what, extra={"cluster": self._session.identity.cluster, "reason": reason})
