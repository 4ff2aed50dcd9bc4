"""Workers that call a reconciler for each key that may need attention."""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, NoReturn, TypeVar

from towline_api.errors import ConfigError, TowlineError, TransientError, WireError
from towline_api.resources import KubeObject
from towline_kube.backoff import Backoff
from towline_kube.cache import Cache
from towline_kube.cancellation import heed_cancellation
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Conflict
from towline_kube.fence import NotLeading
from towline_kube.log_context import log_context
from towline_kube.queue import RECONCILE_BACKOFF, KeyedQueue
from towline_kube.store import Change
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

PASS_TIMEOUT = timedelta(minutes=2)
"""A pass makes a handful of calls of at most half a minute each, retries included in that; one that
takes longer is stuck, and holds a worker that others wait for."""

_CONFLICTS_TO_EXPECT = 3
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended well.

    Args:
        look_again_in: Have another pass after this long at the latest; None for only when
            something changes.
    """

    look_again_in: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass that has ended.

    Args:
        controller: Whose it was.
        waited: How long its key had waited for a worker after it was due.
        took: From its begin to its end.
        failed: Whether it raised something.
    """

    controller: str
    waited: timedelta
    took: timedelta
    failed: bool


DONE = Result()
"""Nothing to do until something changes."""


class PassTimeout(TransientError):  # noqa: N818 - one of the ends of a pass
    """A pass was stopped because it took too long."""


class PassCancelled(TowlineError):  # noqa: N818 - one of the ends of a pass
    """A pass ended as if cancelled although nobody had cancelled it."""


class Controller(Generic[K]):
    """Brings the world, key by key, to what it should be.

    Each pass gets a key and nothing else, looks at the present state, and may be cancelled between
    any two of its calls: it has to be such that it can run again. How it ends decides what follows:

    * `Result`: all is well; another pass at a change, or when the result says so.
    * `TransientError`: another try after a growing delay, or after the longer one the server named.
    * `ConfigError`, `WireError`: no try until something changes, for the same input fails again.
    * `Conflict`: what was read is out of date; tried again as others are, but is no news at first.
    * `NotLeading`: another replica may lead; tried again as others are, and never news.
    * any other `Exception`: another try after a growing delay; if unforeseen, with its traceback.
    * an `ExceptionGroup` of foreseen errors: like its first transient one, or else its first.

    For each key the first failure is logged, then only what differs, and the recovery.

    Args:
        name: Names its tasks and its lines in the log, for example `approve-requests`.
        reconcile: One pass.
        concurrency: How many passes may run at a time, each for another key.
        pass_timeout: How long a pass may take, in real time; then it is cancelled and tried again.
        backoff: Delays between tries.
        clock: Where time comes from.
        roll: Source of chance for the delays: numbers from 0 up to 1.
    """

    def __init__(
        self,
        name: str,
        reconcile: Callable[[K], Awaitable[Result]],
        *,
        concurrency: int = 1,
        pass_timeout: timedelta = PASS_TIMEOUT,
        backoff: Backoff = RECONCILE_BACKOFF,
        clock: Clock = SYSTEM_CLOCK,
        roll: Callable[[], float] = random.random,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"controller {name!r} needs at least one worker; got {concurrency}")
        self.name = name
        self._reconcile = reconcile
        self._concurrency = concurrency
        self._pass_timeout = pass_timeout
        self._queue: KeyedQueue[K] = KeyedQueue(backoff=backoff, clock=clock, roll=roll)
        self._caches: list[Cache] = []
        self._logged: dict[K, tuple[type[Exception], str]] = {}
        self._clock = clock
        self._on_pass: list[Callable[[Pass], None]] = []
        self.passes = 0
        """How many passes have ended, well or not."""
        self.failures = 0
        """How many of them failed."""

    @property
    def depth(self) -> int:
        """How many keys wait for a worker."""
        return len(self._queue)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return self._queue.delayed

    @property
    def running(self) -> int:
        """How many passes are under way."""
        return self._queue.processing

    @property
    def failing(self) -> int:
        """How many keys have failed and not recovered; a conflict or two do not count."""
        return len(self._logged)

    def enqueue(self, key: K, *, after: timedelta | None = None) -> None:
        """Have a pass for a key, now or after a delay.

        A pass that begins before the delay is over answers it too: each pass says itself when to
        look again.
        """
        if after is None:
            self._queue.add(key)
        else:
            self._queue.add_after(key, after)

    def feed_from(self, cache: Cache, keys_of: Callable[[KubeObject], Iterable[K]]) -> None:
        """Have a pass for the keys of every object that changes in a cache.

        Both its old and its new state are asked for keys, so that an object that moves from one to
        the other brings both up to date. Passes begin once the cache is synced.

        Args:
            cache: Where the objects are; somebody else runs it.
            keys_of: Returns the keys that an object concerns.
        """

        def enqueue_keys(change: Change) -> None:
            for obj in (change.old, change.new):
                if obj is not None:
                    for key in keys_of(obj):
                        self._queue.add(key)

        self._caches.append(cache)
        cache.on_change(enqueue_keys)

    def on_pass(self, handler: Callable[[Pass], None]) -> None:
        """Have a function called after each pass; it must neither raise nor block."""
        self._on_pass.append(handler)

    async def run(self) -> NoReturn:
        """Wait for the caches that feed this controller, then work until cancelled.

        Conclusions from half a list would be wrong ones ("there is no such cluster any more").
        """
        for cache in self._caches:
            await cache.wait_synced()
        async with TaskGroup() as group:
            for number in range(self._concurrency):
                group.create_task(self._work(), name=f"reconcile-{self.name}/{number}")
        raise AssertionError(f"the workers of controller {self.name!r} ended by themselves")

    async def drain(self) -> None:
        """Begin no pass any more; return once those under way have ended.

        For a program about to end. Bound it with `asyncio.timeout`; what is still under way then
        is cancelled along with `run`.
        """
        self._queue.stop()
        await self._queue.wait_idle()

    async def _work(self) -> NoReturn:
        while True:
            key = await self._queue.get()
            reconcile_id = secrets.token_hex(4)
            try:
                with log_context(reconcile_id=reconcile_id, task=self.name):
                    await self._pass(key, reconcile_id)
            finally:
                self._queue.done(key)

    async def _pass(self, key: K, reconcile_id: str) -> None:
        facts = {"object": str(key), "task": self.name, "reconcile_id": reconcile_id}
        began = self._clock.monotonic()
        try:
            result = await self._reconcile_in_time(key)
        except Exception as error:  # noqa: BLE001 - every kind is told apart there
            heed_cancellation()
            self._ended(key, began=began, failed=True)
            self._retry(key, _representative(error), facts)
        else:
            self._ended(key, began=began, failed=False)
            self._queue.forget(key)
            if self._logged.pop(key, None) is not None:
                log.info("pass succeeds again", extra=facts)
            if result.look_again_in is not None:
                self._queue.add_after(key, result.look_again_in)

    def _ended(self, key: K, *, began: float, failed: bool) -> None:
        self.passes += 1
        self.failures += failed
        ended = Pass(
            controller=self.name,
            waited=self._queue.waited(key),
            took=timedelta(seconds=self._clock.monotonic() - began),
            failed=failed,
        )
        for handler in self._on_pass:
            handler(ended)

    async def _reconcile_in_time(self, key: K) -> Result:
        limit = asyncio.timeout(self._pass_timeout.total_seconds())
        try:
            async with limit:
                return await self._reconcile(key)
        except TimeoutError as error:
            if not limit.expired():
                raise
            took = f"{self._pass_timeout.total_seconds():g} s"
            message = f"pass of {self.name} for {key} was stopped because it took more than {took}"
            raise PassTimeout(message) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something the pass waited for was cancelled. Taken for our own cancellation, it would
            # quietly end this worker.
            message = f"pass of {self.name} for {key} waited for something that was cancelled"
            raise PassCancelled(message) from error

    def _retry(self, key: K, error: Exception, known: Mapping[str, object]) -> None:
        """Decide what follows a failure, and log it if it is news."""
        facts = {**known, "error": str(error)}
        if isinstance(error, ConfigError | WireError):
            self._queue.forget(key)
            if self._is_news(key, error):
                log.error("pass failed; it will not be tried again before a change", extra=facts)
            return
        at_least = error.retry_after if isinstance(error, TransientError) else None
        delay = self._queue.add_failed(key, at_least=at_least or _NOTHING)
        attempt = self._queue.failures(key)
        facts |= {"attempt": attempt, "delay_s": round(delay.total_seconds(), 3)}
        if isinstance(error, NotLeading):
            # Told once, by the election; whoever leads now has a pass for the key.
            log.debug("pass given up, for another replica may lead", extra=facts)
        elif isinstance(error, Conflict) and attempt <= _CONFLICTS_TO_EXPECT:
            log.debug("pass met a newer state; will try again", extra=facts)
        elif not self._is_news(key, error):
            log.debug("pass failed again", extra=facts)
        elif isinstance(error, TowlineError | TimeoutError):
            log.warning("pass failed; will try again", extra=facts)
        else:
            log.error("pass failed unexpectedly; will try again", extra=facts, exc_info=error)

    def _is_news(self, key: K, error: Exception) -> bool:
        """Return whether this failure differs from the last one logged for the key; remember it."""
        known, self._logged[key] = self._logged.get(key), (type(error), str(error))
        return known != self._logged[key]


def _representative(error: Exception) -> Exception:
    """Return the error by which to judge a failed pass: itself, or one of its group."""
    leaves = list(_leaves(error))
    if all(isinstance(leaf, TowlineError | TimeoutError) for leaf in leaves):
        return next((leaf for leaf in leaves if isinstance(leaf, TransientError)), leaves[0])
    return error


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
