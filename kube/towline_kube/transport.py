"""One set of connections to one API server under one credential, from first use to drained."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from towline_kube.answers import from_status
from towline_kube.bearer import BearerTokens
from towline_kube.clock import Clock
from towline_kube.connection import Connection
from towline_kube.connection_pools import ConnectionPools
from towline_kube.errors import Attempt
from towline_kube.fence import Fence, NotLeading
from towline_kube.network_failures import unreachable
from towline_kube.retries import parse_retry_after

CONNECT_WITHIN = timedelta(seconds=10)
"""Name, TCP and TLS together. A server that is up answers in milliseconds, across oceans in one."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to an API server.

    Args:
        method: HTTP method.
        path: Path below the server's URL, encoded.
        query: Query parameters.
        body: Content to send; None for none.
        content_type: Its media type.
        stores: Whether it changes what the server has stored.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    # Bodies of Secrets and certificate requests must not turn up in a traceback.
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    stores: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered, whole.

    Args:
        status: HTTP status.
        body: Content.
        retry_after: What its `Retry-After` header asks for.
    """

    status: int
    body: bytes = field(repr=False)
    retry_after: timedelta | None = None


class FellSilent(Exception):  # noqa: N818 - an end, and often no error
    """Nothing came for too long: the other end is gone, or has nothing to say."""


class Transport:
    """The connections of one credential.

    Once retired it takes no new requests; those in flight finish, watches end, and it closes.

    Args:
        connection: Server, trust and identity.
        user_agent: Who calls, for the server's audit log.
        clock: For token files and `Retry-After` dates.
        fence: What requests that change something have to pass; None for none.

    Raises:
        ConfigError: A certificate, key or authority cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        user_agent: str,
        clock: Clock,
        fence: Fence | None = None,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._tokens = BearerTokens(connection, clock=clock)
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._fence = fence
        self._pools = ConnectionPools(connection, fence=fence)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._silences: set[asyncio.Timeout] = set()
        self._retired = False

    @property
    def retired(self) -> bool:
        """Whether a newer transport has taken over."""
        return self._retired

    async def exchange(self, request: Request, *, attempt: Attempt, within: timedelta) -> Answer:
        """Return the answer to one request, whatever its status.

        Raises:
            Unreachable: There was no whole answer within the time.
            ConfigError: A token file or exec plugin gave no token.
            NotLeading: The request changes something, and this process may not write any more.
        """
        fence = self._fence if request.stores else None
        with self._busy():
            headers = await self._headers_for(request)
            if fence is not None:
                fence.check()
                # None may be under way when another begins to lead.
                within = min(within, fence.time_left)
            was_sent = False
            try:
                async with (
                    asyncio.timeout(within.total_seconds()),
                    self._send(request, headers=headers, connect_within=within) as response,
                ):
                    was_sent = True
                    body = await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if fence is not None and not fence.is_open:
                    raise NotLeading(
                        f"{attempt}: given up, because this replica does not lead any more"
                    ) from error
                raise unreachable(attempt, error, within=within, answer_began=was_sent) from error
            if response.status == 401:
                self._tokens.refused()
            return self._answer(response, body)

    @contextlib.asynccontextmanager
    async def stream(
        self, request: Request, *, attempt: Attempt, open_within: timedelta, silence: timedelta
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """Give the chunks of an answer that has no end, as they come.

        The chunks end when the server ends the answer, and when this transport is retired.

        Args:
            request: What to ask for.
            attempt: What that is, for messages.
            open_within: Limit for the first line of the answer.
            silence: Longest time without one byte.

        Raises:
            ApiError: The server refuses.
            Unreachable: No answer, or it broke off.
            FellSilent: Nothing came within `silence`.
        """
        response: aiohttp.ClientResponse | None = None
        try:
            with self._busy():
                headers = await self._headers_for(request)
                try:
                    async with asyncio.timeout(open_within.total_seconds()):
                        response = await self._send(
                            request, headers=headers, connect_within=open_within
                        )
                        failure = await response.read() if response.status != 200 else b""
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    raise unreachable(
                        attempt, error, within=open_within, answer_began=response is not None
                    ) from error
            if response.status == 401:
                self._tokens.refused()
            if response.status != 200:
                answer = self._answer(response, failure)
                raise from_status(
                    attempt,
                    status=answer.status,
                    body=answer.body,
                    retry_after=answer.retry_after,
                )
            chunks = self._chunks(response, attempt=attempt, silence=silence)
            async with contextlib.aclosing(chunks):
                yield chunks
        finally:
            if response is not None:
                # Not released to the pool: an endless answer has no end to wait for. Nor for the
                # server's farewell, which TLS would have us do for half a minute.
                connection = response.connection
                if connection is not None and connection.transport is not None:
                    connection.transport.abort()
                response.close()

    async def retire(self, *, within: timedelta) -> None:
        """Close once requests in flight are done, at the latest after `within`; end watches now."""
        self._retired = True
        for limit in tuple(self._silences):
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._idle.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close every connection; requests still in flight fail."""
        await self._pools.close()

    def _send(
        self, request: Request, *, headers: Mapping[str, str], connect_within: timedelta
    ) -> Any:
        query = f"?{urlencode(request.query)}" if request.query else ""
        url = URL(f"{self.connection.server}{request.path}{query}", encoded=True)
        options: dict[str, Any] = {}
        if self.connection.tls_server_name:
            options["server_hostname"] = self.connection.tls_server_name
        if self._pools.proxy:
            options["proxy"] = self._pools.proxy
        # Not through the client's own request(): that follows redirects, with our credential, and
        # rewrites content types of patches.
        return self._pools.session(stores=request.stores).request(
            request.method,
            url,
            data=request.body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(
                # By asyncio's own means instead, in our callers: a task that is cancelled in the
                # moment of this limit would never learn of it, and go on (aiohttp issue 5979).
                total=None,
                sock_connect=min(CONNECT_WITHIN, connect_within).total_seconds(),
                # Exact: by default limits above five seconds are rounded up to whole ones.
                ceil_threshold=3600,
            ),
            allow_redirects=False,
            **options,
        )

    async def _headers_for(self, request: Request) -> dict[str, str]:
        headers = dict(self._headers)
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        token = await self._tokens.current()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _chunks(
        self, response: aiohttp.ClientResponse, *, attempt: Attempt, silence: timedelta
    ) -> AsyncGenerator[bytes, None]:
        while not self.retired:
            limit = asyncio.timeout(silence.total_seconds())
            try:
                async with limit:
                    self._silences.add(limit)
                    chunk = await response.content.readany()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if self._retired:  # while we waited
                    return
                if isinstance(error, TimeoutError):
                    raise FellSilent from None
                raise unreachable(attempt, error, within=silence, answer_began=True) from error
            finally:
                self._silences.discard(limit)
            if not chunk:
                return
            yield chunk

    def _answer(self, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        retry_after = parse_retry_after(response.headers.get("Retry-After"), now=self._clock.now())
        return Answer(response.status, body, retry_after)
