"""Leader election among replicas by a Lease: the loop around `candidacy`."""

import asyncio
import logging
import random
import secrets
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NoReturn

from towline_api.errors import TowlineError
from towline_api.resources import LEASES
from towline_kube.cache import Cache
from towline_kube.candidacy import Candidate, Claim, LeaseTimes, Rest
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, Conflict, NotFound
from towline_kube.fence import Fence
from towline_kube.store import Change
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_RELEASE_WITHIN = timedelta(seconds=2)
"""A process that is told to end has not long, and a Lease that is not released runs out anyway."""


def new_identity() -> str:
    """Return a name for this process that no other process has, before or after it."""
    # A restarted process must not take itself for the one that led before it.
    return f"{socket.gethostname()}_{secrets.token_hex(8)}"


class LeaderElector:
    """Runs something while this process leads, and stops it when it does not.

    One that leads renews the Lease; the others watch it, and ask the API server for nothing until
    it runs out or is given up. Losing the lead ends no process: it stands by again.

    Args:
        client: Reads and writes the Lease; one of its own, that no fence holds back, that does not
            wait for connections others use, and that tries each call once.
        identity: Names this process; see `new_identity`.
        name: Name of the Lease.
        namespace: Its namespace, which has to exist.
        fence: Opened for as long as this process surely leads.
        times: How fast a lost leader is replaced.
        clock: Where time comes from.
        roll: Source of chance: numbers from 0 up to 1.
    """

    def __init__(
        self,
        client: Client,
        *,
        identity: str,
        name: str,
        namespace: str,
        fence: Fence,
        times: LeaseTimes,
        clock: Clock = SYSTEM_CLOCK,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace
        self._fence = fence
        self._times = times
        self._clock = clock
        self._candidate = Candidate(
            identity, name=name, namespace=namespace, times=times, roll=roll
        )
        self._watched = Cache(
            client,
            LEASES,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            clock=clock,
        )
        self._news = asyncio.Event()
        self._gained = asyncio.Event()
        self._lost = asyncio.Event()
        self._told_of = ""
        self._failing = False

    @property
    def leads(self) -> bool:
        """Whether this process leads."""
        return self._fence.is_open

    @property
    def holder(self) -> str:
        """Who leads, as far as known; empty for nobody."""
        return self._candidate.holder

    async def run(self, lead: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
        """Campaign until cancelled.

        Args:
            lead: Called each time this process begins to lead; cancelled when it ceases to. What it
                raises ends the campaign.
        """
        try:
            async with TaskGroup() as group:
                group.create_task(self._watched.run(), name="watch-leader-lease")
                group.create_task(self._campaign(), name="campaign-to-lead")
                while True:
                    await self._gained.wait()
                    await self._lead(lead)
        finally:
            self._fence.close()
        raise AssertionError("the campaign ended by itself")

    async def release(self) -> None:
        """Give the Lease up, so that another leads at once. Call it when `run` has ended.

        Nothing may be under way any more that was begun as a leader.
        """
        self._fence.close()
        try:
            async with asyncio.timeout(_RELEASE_WITHIN.total_seconds()):
                await self._release()
        except (TowlineError, TimeoutError) as error:
            log.warning(
                "lease could not be given up; it runs out by itself", extra=self._facts(error)
            )

    async def _release(self) -> None:
        while (given_up := self._candidate.release(now=self._clock.now())) is not None:
            try:
                lease = await self._client.replace(LEASES, given_up.body)
            except Conflict:
                # The last renewal may have been carried out although it was cut short.
                await self._read()
            else:
                self._candidate.released(lease, at=self._fence.reading())
                log.info("lease given up", extra=self._facts())

    async def _lead(self, lead: Callable[[], Awaitable[NoReturn]]) -> None:
        """Run what a leader runs until this process does not lead any more."""
        log.info("this replica leads", extra=self._facts() | {"reason": self._candidate.identity})
        async with TaskGroup() as group:
            work = group.create_task(_awaited(lead), name="lead")
            await self._lost.wait()
            work.cancel("another may lead")
        log.warning(
            "this replica does not lead any more; it stands by",
            extra=self._facts() | {"reason": f"held by {self.holder or 'nobody'}"},
        )

    async def _campaign(self) -> NoReturn:
        await self._look()
        self._watched.on_change(self._take)
        while True:
            self._news.clear()
            match self._candidate.plan(at=self._fence.reading(), now=self._clock.now()):
                case Claim() as claim:
                    await self._claim(claim)
                case Rest(until=until):
                    await self._rest(until)
            self._settle()

    async def _claim(self, claim: Claim) -> None:
        write = self._client.create if claim.is_new else self._client.replace
        sent = self._fence.reading()
        try:
            async with asyncio.timeout(self._limit):
                lease = await write(LEASES, claim.body)
        except (Conflict, AlreadyExists) as error:
            log.debug("lease was changed by another", extra=self._facts(error))
            self._candidate.failed(at=self._fence.reading())
            await self._look()
        except (TowlineError, TimeoutError) as error:
            self._note_failure(error)
            if isinstance(error, NotFound) and not claim.is_new:
                await self._look()
        else:
            self._note_success()
            self._candidate.claimed(lease, sent=sent, at=self._fence.reading())

    async def _look(self) -> None:
        """Read the Lease itself: what a watch has told may be old."""
        try:
            async with asyncio.timeout(self._limit):
                await self._read()
        except (TowlineError, TimeoutError) as error:
            self._note_failure(error)

    async def _read(self) -> None:
        lease = await self._client.find(LEASES, self._name, namespace=self._namespace)
        self._candidate.see(lease, at=self._fence.reading())

    def _take(self, change: Change) -> None:
        self._candidate.see(change.new, at=self._fence.reading())
        self._settle()
        self._news.set()

    async def _rest(self, until: float) -> None:
        if self._fence.is_open:
            until = min(until, self._candidate.leads_until)
        async with TaskGroup() as group:
            alarm = group.create_task(self._ring_at(until), name="await-lease-time")
            await self._news.wait()
            alarm.cancel("no longer needed")

    async def _ring_at(self, until: float) -> None:
        await self._clock.sleep(timedelta(seconds=until - self._fence.reading()))
        self._news.set()

    def _settle(self) -> None:
        """Bring the fence, and whoever waits for the lead or its loss, up to date."""
        if self._fence.reading() < self._candidate.leads_until:
            self._fence.open(until=self._candidate.leads_until, ends=self._candidate.writes_end)
            self._lost.clear()
            self._gained.set()
        else:
            self._fence.close()
            self._gained.clear()
            self._lost.set()
        if self.holder not in (self._told_of, self._candidate.identity, ""):
            log.info("another replica leads", extra=self._facts() | {"reason": self.holder})
        self._told_of = self.holder

    @property
    def _limit(self) -> float:
        """How many seconds one call may take: a leader has time for another one then."""
        return self._times.renew_deadline.total_seconds() / 2

    def _note_failure(self, error: Exception) -> None:
        self._candidate.failed(at=self._fence.reading())
        log.log(
            logging.DEBUG if self._failing else logging.WARNING,
            "lease cannot be read or written; will try again",
            extra=self._facts(error),
        )
        self._failing = True

    def _note_success(self) -> None:
        if self._failing:
            log.info("lease can be written again", extra=self._facts())
        self._failing = False

    def _facts(self, error: Exception | None = None) -> dict[str, str]:
        facts = {"lease": f"{self._namespace}/{self._name}"}
        if error is not None:
            facts["error"] = str(error) or type(error).__name__
        return facts


async def _awaited(lead: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    await lead()
