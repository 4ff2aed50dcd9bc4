"""The official client's `ApiClient`, whose credential can be swapped while it is in use."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from weakref import WeakSet

from towline_kube.bearer import BearerTokens
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.connection_pools import ConnectionPools

_LOOK_EVERY_SECONDS = 0.05
"""How often it is asked whether answers under way are read; nobody tells."""


class OfficialClient:
    """An `ApiClient` of `kubernetes.aio` for its typed APIs, always under the newest credential.

    `api_client` is the same object for its whole life, so the API objects made with it stay good.
    Everything else is as the official client does it: its time limits, retries and errors.

    Args:
        connection: Server, trust and identity.
        user_agent: Who calls, for the server's audit log.
        clock: For token files.

    Raises:
        ConfigError: A certificate, key or authority cannot be used.
    """

    def __init__(
        self, connection: Connection, *, user_agent: str, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        # Here because its models take half a second, which who does not use them need not pay.
        from kubernetes.aio.client import ApiClient, Configuration

        self._clock = clock
        self._line = _Line(connection, clock=clock)
        self._draining: set[_Line] = set()
        # An authority of its own keeps it from loading the system's for a context it never uses.
        ca_pem = connection.ca_pem
        self._configuration = Configuration(
            host=connection.server,
            ca_cert_data=None if ca_pem is None else ca_pem.decode("ascii", errors="ignore"),
        )
        self.api_client: Any = ApiClient(self._configuration)
        """Pass it to `CoreV1Api` and its like. `kubernetes.aio.client.ApiClient`."""
        self.api_client.user_agent = user_agent
        self.api_client.rest_client = self

    def use(self, connection: Connection) -> None:
        """Make calls with another credential from now on; watches on the old one end.

        They end as if the server had ended them, so that who runs them watches on over the new one.

        Raises:
            ConfigError: It cannot be used; the old one stays.
        """
        fresh = _Line(connection, clock=self._clock)
        old, self._line = self._line, fresh
        self._configuration.host = connection.server
        self._draining.add(old)
        old.end_watches()

    async def drain(self, *, within: timedelta) -> None:
        """Close the connections of former credentials, once what is under way on them is done."""
        for line in tuple(self._draining):
            try:
                await line.drain(within=within)
            finally:
                self._draining.discard(line)

    async def close(self) -> None:
        """Close all connections; calls still in flight fail."""
        for line in (self._line, *self._draining):
            await line.close()

    async def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request for the `ApiClient`, which believes this to be its own REST client."""
        return await self._line.request(method, url, **options)


class _Line:
    """The connections of one credential, and the answers still being read from them."""

    def __init__(self, connection: Connection, *, clock: Clock) -> None:
        self._tokens = BearerTokens(connection, clock=clock)
        self._pools = ConnectionPools(connection, fence=None)
        self._waiting = 0
        self._answers: WeakSet[Any] = WeakSet()
        self._watches: WeakSet[Any] = WeakSet()
        self._retired = False

    async def request(self, method: str, url: str, **options: Any) -> Any:
        is_watch = _is_watch(url)
        with self._busy():
            token = await self._tokens.current()
            if token is not None:
                headers = options.get("headers") or {}
                options["headers"] = {**headers, "Authorization": f"Bearer {token}"}
            answer = await self._pools.official.request(method, url, **options)
        if answer.status == 401:
            self._tokens.refused()
        response = answer.response
        (self._watches if is_watch else self._answers).add(response)
        if is_watch and self._retired:
            self.end_watches()
        return answer

    def end_watches(self) -> None:
        self._retired = True
        for response in tuple(self._watches):
            if not response.content.is_eof():
                response.content.feed_eof()

    async def drain(self, *, within: timedelta) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    while self._is_busy():  # noqa: ASYNC110 - responses tell nobody
                        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        await self._pools.close()

    def _is_busy(self) -> bool:
        unread = any(not each.content.is_eof() for each in tuple(self._answers))
        return bool(self._waiting) or unread

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


def _is_watch(url: str) -> bool:
    value = parse_qs(urlsplit(url).query).get("watch", [""])[-1]
    return value.lower() in ("true", "1")
