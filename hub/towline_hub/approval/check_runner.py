"""Running operators' checks so that none of them can hurt the hub."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from towline_certs.approval import Deny, Ignore, Reason
from towline_hub.approval.checks import ApprovalCheck, CheckedRequest, named

log = logging.getLogger(__name__)

CHECK_LIMIT = timedelta(seconds=5)
"""How long one check may take. A pass holds one of ten workers meanwhile."""

_MOST_THREADS = 16
"""More calls than workers could be waiting for means that earlier ones never came back."""


class CheckRunner:
    """Asks checks, one after the other, until one has something against a request.

    Args:
        checks: Which, in order.
        limit: How long each may take.
    """

    def __init__(
        self, checks: Sequence[ApprovalCheck] = (), *, limit: timedelta = CHECK_LIMIT
    ) -> None:
        self._checks = tuple(checks)
        self._limit = limit
        self._threads = 0
        # Asyncio itself holds tasks weakly; one that was given up on has to come to its end.
        self._given_up: set[asyncio.Task[object]] = set()

    def __bool__(self) -> bool:
        """Return whether there is any check to ask."""
        return bool(self._checks)

    async def review(self, request: CheckedRequest) -> Deny | Ignore | None:
        """Return the first objection; None if no check has one."""
        for check in self._checks:
            try:
                opinion = await self._ask(check, request)
            except _Failure as failure:
                # Details stay in the log: whoever asks can read Events.
                log.warning(
                    "approval check failed",
                    extra={
                        "csr": request.name,
                        "csr_uid": request.uid,
                        "cluster": request.cluster,
                        "object": check.name,
                        "error": str(failure),
                    },
                )
                return Ignore(
                    Reason.CHECK_FAILED,
                    f"check {check.name!r} failed, and is tried again; the hub's log says why",
                )
            if opinion is not None:
                return named(opinion, check=check.name)
        return None

    async def _ask(self, check: ApprovalCheck, request: CheckedRequest) -> Deny | Ignore | None:
        task: asyncio.Future[object] = (
            asyncio.ensure_future(self._in_loop(check, request))
            if check.is_async
            else self._in_thread(check, request)
        )
        try:
            await asyncio.wait({task}, timeout=self._limit.total_seconds())
        finally:
            is_late = not task.done()
            if is_late:
                self._give_up(task)
        if is_late:
            raise _Failure(f"no answer within {self._limit.total_seconds():g} s")
        if task.cancelled():
            raise _Failure("it was cancelled from inside")
        opinion = task.result()
        if opinion is None or isinstance(opinion, Deny | Ignore):
            return opinion
        raise _Failure(f"it returned {type(opinion).__name__}, expected None, Deny or Ignore")

    async def _in_loop(self, check: ApprovalCheck, request: CheckedRequest) -> object:
        call: Any = check.function
        try:
            return await call(request)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            # Even sys.exit() in a check is its failure, not the end of the hub.
            raise _Failure(f"{type(error).__name__}: {error}") from error

    def _in_thread(self, check: ApprovalCheck, request: CheckedRequest) -> asyncio.Future[object]:
        """Call a check that blocks, in a thread that nobody waits for at the end of the program."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        if self._threads >= _MOST_THREADS:
            raise _Failure(f"{self._threads} earlier calls have not come back")

        def deliver(result: object, error: BaseException | None) -> None:
            self._threads -= 1
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(_Failure(f"{type(error).__name__}: {error}"))

        def call() -> None:
            result: object = None
            failure: BaseException | None = None
            try:
                result = check.function(request)
            except BaseException as error:  # noqa: BLE001 - told where the answer is waited for
                failure = error
            try:
                loop.call_soon_threadsafe(deliver, result, failure)
            except RuntimeError:
                return  # the loop has ended, and with it whoever wanted to know

        self._threads += 1
        threading.Thread(target=call, name=f"check-{check.name}", daemon=True).start()
        return future

    def _give_up(self, task: asyncio.Future[object]) -> None:
        task.cancel()
        if isinstance(task, asyncio.Task):
            self._given_up.add(task)
            task.add_done_callback(self._given_up.discard)
            task.add_done_callback(_forget_outcome)


class _Failure(Exception):  # noqa: N818 - a failure of the check, not of the hub
    """A check did not come to an answer."""


def _forget_outcome(task: asyncio.Future[object]) -> None:
    if not task.cancelled():
        task.exception()  # nobody else asks, and asyncio would complain
