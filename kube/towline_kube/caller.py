"""Sending requests to one API server: counted, retried, under a credential that can be swapped."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from towline_api.errors import TransientError
from towline_kube.answers import from_status
from towline_kube.clock import Clock
from towline_kube.connection import Connection
from towline_kube.errors import ApiError, Attempt, ServerError, Unreachable
from towline_kube.fence import Fence
from towline_kube.patience import Patience
from towline_kube.retries import Repeat, RetryPolicy, with_retries
from towline_kube.transport import Request, Transport


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was made: each attempt of a retried call is one.

    Args:
        verb: What the client was asked to do, for example `apply`.
        resource: Plural name with group, and subresource if there is one.
        status: HTTP status; 0 if there was no answer.
        took: Until the answer was complete; for a watch, until it began.
        attempt: 1 for the first, more for a retry.
    """

    verb: str
    resource: str
    status: int
    took: timedelta
    attempt: int


_ONE_TRY = RetryPolicy(attempts=1)
_IN_TIME = 0.9
"""Share of its time after which a watch may end without anything being wrong."""


class Caller:
    """What a client speaks through: the transport in use, and those that are being drained.

    Args:
        connection: Server, trust and identity.
        user_agent: For the server's audit log.
        request_timeout: Limit of one attempt, and of opening a watch.
        retry: Patience within one call.
        clock: For pauses between attempts.
        on_call: Told of every request made; must not raise or block.
        fence: What requests that change something have to pass; None for none.
        patience: Says how long to leave the server alone after failures; None leaves it to whoever
            calls.

    Raises:
        ConfigError: A certificate, key or authority of the connection cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        user_agent: str,
        request_timeout: timedelta,
        retry: RetryPolicy,
        clock: Clock,
        on_call: Callable[[Call], None] | None,
        fence: Fence | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._request_timeout = request_timeout
        self._retry = retry
        self._clock = clock
        self._on_call = on_call
        self._fence = fence
        self._patience = patience
        self.calls: Counter[tuple[str, str]] = Counter()
        """How often which verb was sent for which resource."""
        self._transport = self._new_transport(connection)
        self._draining: set[Transport] = set()

    @property
    def connection(self) -> Connection:
        """The connection that new calls use."""
        return self._transport.connection

    async def close(self) -> None:
        """Close all connections; calls still in flight fail, watches end."""
        for transport in (self._transport, *self._draining):
            await transport.close()

    async def swap(self, connection: Connection, *, drain_within: timedelta) -> None:
        """Use another connection from now on; return when the old one is drained and closed.

        Raises:
            ConfigError: The new connection cannot be used; the old one stays.
        """
        fresh = self._new_transport(connection)
        old, self._transport = self._transport, fresh
        self._draining.add(old)
        try:
            await old.retire(within=drain_within)
        finally:
            self._draining.discard(old)

    async def send(
        self, attempt: Attempt, request: Request, *, counted: str, repeat: Repeat
    ) -> bytes:
        """Return the content of a successful answer.

        Args:
            attempt: What is tried, for messages.
            request: What is sent.
            counted: Under which name the request is counted.
            repeat: After which failures it may be sent again.

        Raises:
            ApiError: The last attempt's; it knows whether an earlier one may have succeeded.
            NotLeading: The request changes something, and this process may not write.
        """
        answer_lost = False

        async def once(number: int) -> bytes:
            nonlocal answer_lost
            # Asked for anew each time: the credential may have been swapped in between.
            transport = self._transport
            if self._fence is not None and request.stores:
                self._fence.check()
            try:
                with self._counting(attempt.verb, counted, number) as outcome:
                    answer = await transport.exchange(
                        request, attempt=attempt, within=self._request_timeout
                    )
                    outcome.status = answer.status
                if 200 <= answer.status < 300:
                    if self._patience is not None:
                        self._patience.note_answer()
                    return answer.body
                raise from_status(
                    attempt,
                    status=answer.status,
                    body=answer.body,
                    retry_after=answer.retry_after,
                )
            except ApiError as error:
                error.follows_lost_answer = answer_lost
                answer_lost = answer_lost or _may_have_been_done(error)
                self._note(error)
                raise

        policy = self._retry
        if self._patience is not None and self._patience.is_away:
            # Whoever calls comes again; all tries of all calls together would be a flood.
            policy = _ONE_TRY
        try:
            return await with_retries(once, repeat=repeat, policy=policy, clock=self._clock)
        except ApiError as error:
            self._advise(error)
            raise

    @asynccontextmanager
    async def stream(
        self,
        attempt: Attempt,
        request: Request,
        *,
        counted: str,
        silence: timedelta,
        lasting: timedelta,
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """Give the chunks of an answer without end; see `Transport.stream`. Not retried.

        With patience, an answer that ends before its time is a failure, as of a server that stops:
        all its watches end then, and in good order.

        Args:
            attempt: What is tried, for messages.
            request: What is sent.
            counted: Under which name the request is counted.
            silence: Longest time without one byte.
            lasting: When the server is to end it.

        Raises:
            ApiError: The server refuses, or the answer broke off.
            FellSilent: Nothing came within `silence`. Whether the server is there will show when it
                is asked again.
        """
        async with AsyncExitStack() as stack:
            transport = self._transport
            opened = transport.stream(
                request, attempt=attempt, open_within=self._request_timeout, silence=silence
            )
            with self._counting(attempt.verb, counted, 1) as outcome:
                try:
                    chunks = await stack.enter_async_context(opened)
                except ApiError as error:
                    outcome.status = error.status
                    self._note(error)
                    self._advise(error)
                    raise
                outcome.status = 200
            if self._patience is None:
                yield chunks
                return
            self._patience.note_answer()
            guarded = self._guarded(chunks, attempt=attempt, transport=transport, lasting=lasting)
            async with aclosing(guarded):
                yield guarded

    async def _guarded(
        self,
        chunks: AsyncGenerator[bytes, None],
        *,
        attempt: Attempt,
        transport: Transport,
        lasting: timedelta,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the chunks; say with each failure how long to leave the server alone."""
        began = self._clock.monotonic()
        try:
            async for chunk in chunks:
                yield chunk
            lasted = self._clock.monotonic() - began
            if not transport.retired and lasted < _IN_TIME * lasting.total_seconds():
                raise Unreachable(
                    f"{attempt}: the server ended the watch after {lasted:.0f} s, long before its "
                    "time; taking it for a restart and watching again",
                    verb=attempt.verb,
                    object=attempt.object,
                )
        except ApiError as error:
            self._note(error)
            self._advise(error)
            raise

    def _note(self, error: ApiError) -> None:
        if self._patience is not None:
            if isinstance(error, TransientError):
                self._patience.note_failure()
            else:
                self._patience.note_answer()

    def _advise(self, error: ApiError) -> None:
        if self._patience is not None and isinstance(error, TransientError):
            error.retry_after = self._patience.pause(asked=error.retry_after)

    def _new_transport(self, connection: Connection) -> Transport:
        return Transport(
            connection, user_agent=self._user_agent, clock=self._clock, fence=self._fence
        )

    @contextmanager
    def _counting(self, verb: str, resource: str, attempt: int) -> Iterator["_Outcome"]:
        """Count one request, and tell of it when it is over."""
        self.calls[verb, resource] += 1
        began = self._clock.monotonic()
        outcome = _Outcome()
        try:
            yield outcome
        finally:
            if self._on_call is not None:
                took = timedelta(seconds=self._clock.monotonic() - began)
                self._on_call(Call(verb, resource, outcome.status, took, attempt))


@dataclass(slots=True)
class _Outcome:
    status: int = 0


def _may_have_been_done(error: ApiError) -> bool:
    match error:
        case Unreachable(was_sent=was_sent):
            return was_sent
        case _:
            return isinstance(error, ServerError)
