"""The loop that lists objects, watches them, and begins again whenever that ends."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import NoReturn

from towline_api.errors import TowlineError, TransientError, WireError
from towline_api.metadata import resource_version_of
from towline_api.resources import KubeObject
from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden, Gone, NotServed, Unauthorized
from towline_kube.list_watch import ListWatcher, Selection, WatchedEvent

log = logging.getLogger(__name__)

RELIST_EVERY = timedelta(minutes=30)
"""A watch is trusted, but not for ever: a list every half hour bounds how long a lost event can go
unnoticed, and costs a server with 10,000 watchers some six lists a second."""

WATCH_BACKOFF = Backoff(first=timedelta(milliseconds=500), limit=timedelta(seconds=30))
"""Half a second spreads the watchers of an API server that restarts; half a minute is what somebody
who has just granted a permission will wait for it to be noticed."""

HEALTHY_AFTER = timedelta(seconds=30)
"""A watch that lived as long as the longest delay was healthy: the next failure is a first one."""

_SUSPICIOUS_ENDINGS = 5
_EVENTS_PER_TURN = 100  # well below a millisecond's work between two chances for other tasks


class WatchError(TowlineError):
    """Listing or watching failed in a way nobody foresaw; the cause is attached.

    Args:
        selection: What was listed or watched.
        cause: What was raised.
    """

    def __init__(self, selection: Selection, cause: Exception) -> None:
        super().__init__(
            f"list or watch of {selection} failed with {type(cause).__name__}: {cause}"
        )
        self.__cause__ = cause


class Reflector:
    """Keeps somebody informed of the selected objects, from now on and for ever.

    First a list, then a watch from there. A watch that ends is resumed where it was; one that
    cannot be resumed, and any watch once `relist_every` has passed, is replaced by a new list.
    Between two tries lies a delay that grows until a watch has been healthy for a while, so a
    server that ends every watch at once is asked twice a minute, not thousands of times.

    Args:
        client: Whom to ask; a watch that is silent for too long must end.
        selection: What to ask for.
        on_list: Called with all objects after each list.
        on_event: Called for each change; bookmarks are not passed on.
        relist_every: Longest time between two lists; up to a tenth is taken off by chance.
        clock: Where time comes from.
        roll: Source of chance: numbers from 0 up to 1.
    """

    def __init__(
        self,
        client: ListWatcher,
        selection: Selection,
        *,
        on_list: Callable[[Sequence[KubeObject]], Awaitable[None]],
        on_event: Callable[[WatchedEvent], None],
        relist_every: timedelta = RELIST_EVERY,
        clock: Clock = SYSTEM_CLOCK,
        roll: Callable[[], float] = random.random,
    ) -> None:
        if relist_every <= timedelta(0):
            raise ValueError(f"relist_every must be positive; got {relist_every}")
        self._client = client
        self._selection = selection
        self._on_list = on_list
        self._on_event = on_event
        self._relist_every = relist_every
        self._clock = clock
        self._roll = roll
        self._resource_version: str | None = None
        self._relist_due = 0.0
        self._watching_since: float | None = None
        self._failures = 0
        self._watch_failed = False  # a list that succeeds does not mean that a watch may
        self.last_error: TowlineError | None = None
        """Why there is nothing new now; None while all is well."""
        self._logged: TowlineError | None = None
        self.lists = 0
        """How many lists have succeeded."""

    async def run(self) -> NoReturn:
        """List and watch until cancelled; whatever goes wrong is logged and tried again."""
        while True:
            try:
                await self._list_and_watch()
            except Gone as error:
                # Too far behind to be told what was missed. Not a fault: compaction does that.
                self._resource_version = None
                log.debug("watch is too old to be resumed", extra=self._facts(error))
            except WireError as error:
                # The same event would come again, and break the watch again.
                self._resource_version = None
                self._note_failure(error)
            except TowlineError as error:
                self._note_failure(error)
            except Exception as error:  # noqa: BLE001 - logged with its traceback
                # A bug of ours or of the client. The next list repairs what it may have left
                # behind; ending here would take down a daemon for one odd answer.
                self._resource_version = None
                self._note_bug(error)
            await self._clock.sleep(self._next_delay())

    async def _list_and_watch(self) -> None:
        """List if needed, then watch until the watch ends; list again whenever that is due."""
        self._watching_since = None
        while True:
            if self._resource_version is None:
                await self._list()
            self._watching_since = self._clock.monotonic()
            if not await self._watch():
                return
            self._resource_version = None

    async def _list(self) -> None:
        selection = self._selection
        found = await self._client.list(
            selection.resource,
            namespace=selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
        )
        await self._on_list(found.items)
        self._resource_version = found.resource_version
        share = 1.0 - self._roll() / 10.0
        self._relist_due = self._clock.monotonic() + self._relist_every.total_seconds() * share
        self.lists += 1
        if not self._watch_failed or isinstance(self.last_error, TransientError):
            self._note_success()
        log.debug("listed", extra={"object": str(selection), "reason": f"{len(found.items)} found"})

    async def _watch(self) -> bool:
        """Pass events on until the watch ends; return whether it ended because a list is due.

        The date is looked at whenever something arrives, and when the watch ends, which it does
        when nothing arrives.
        """
        selection = self._selection
        if self._resource_version is None:
            raise ValueError("a watch starts from the resource version of a list")
        watch = self._client.watch(
            selection.resource,
            resource_version=self._resource_version,
            namespace=selection.namespace,
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            on_open=self._note_open,
        )
        received = 0
        async with aclosing(watch) as events:
            async for event in events:
                self._note_success()
                if event.type != "BOOKMARK":
                    self._on_event(event)
                self._resource_version = resource_version_of(event.object)
                if self._is_list_due():
                    return True
                received += 1
                if received % _EVENTS_PER_TURN == 0:
                    await asyncio.sleep(0)
        if self._was_healthy():
            self._note_success()
        return self._is_list_due()

    def _is_list_due(self) -> bool:
        return self._clock.monotonic() >= self._relist_due

    def _was_healthy(self) -> bool:
        since = self._watching_since
        lived = self._clock.monotonic() - since if since is not None else 0.0
        return lived >= HEALTHY_AFTER.total_seconds()

    def _next_delay(self) -> timedelta:
        if self._was_healthy():
            self._failures = 0
        self._failures += 1
        if self._failures == _SUSPICIOUS_ENDINGS and self.last_error is None:
            log.warning("watch keeps ending soon after it began", extra=self._facts(None))
        delay = WATCH_BACKOFF.delay(self._failures, roll=self._roll())
        if isinstance(self.last_error, TransientError) and self.last_error.retry_after:
            delay = max(delay, self.last_error.retry_after)
        return delay

    def _note_open(self) -> None:
        # No news yet for the log, where a server that ends every watch at once would tell twice a
        # minute that all is well, and that it is not.
        self._watch_failed = False
        self.last_error = None

    def _note_success(self) -> None:
        self._note_open()
        if self._logged is not None:
            log.info("list and watch work again", extra=self._facts(None))
        self._logged = None

    def _note_failure(self, error: TowlineError) -> None:
        """Log a failure if it is news, and keep it for whoever asks."""
        known = self._keep(error)
        facts = self._facts(error)
        needs = f"needs the verbs list and watch on {self._selection}"
        if type(known) is type(error):
            log.debug("list or watch failed again", extra=facts)
        elif isinstance(error, Forbidden):
            log.warning(
                "not allowed to list or watch; will keep asking", extra=facts | {"reason": needs}
            )
        elif isinstance(error, Unauthorized):
            log.warning(
                "credential not accepted; will keep asking", extra=facts | {"reason": needs}
            )
        elif isinstance(error, NotServed):
            log.warning("kind is not served; will keep asking until its CRD is there", extra=facts)
        else:
            log.warning("list or watch failed; will try again", extra=facts)

    def _note_bug(self, error: Exception) -> None:
        known = self._keep(WatchError(self._selection, error))
        if not isinstance(known, WatchError):
            log.error(
                "list or watch failed unexpectedly; will list again",
                extra=self._facts(error),
                exc_info=error,
            )

    def _keep(self, error: TowlineError) -> TowlineError | None:
        """Remember what went wrong; return what went wrong before that."""
        self.last_error = error
        known, self._logged = self._logged, error
        self._watch_failed = self._watching_since is not None
        return known

    def _facts(self, error: Exception | None) -> dict[str, object]:
        facts: dict[str, object] = {"object": str(self._selection), "attempt": self._failures + 1}
        if error is not None:
            facts["error"] = str(error)
        return facts
