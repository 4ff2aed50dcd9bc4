"""The bootstrap credential: the first way to the hub, good only for asking."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn, Protocol, Self

from towline_agent.channel.hub_channel import FIELD_MANAGER
from towline_agent.channel.mounted_credential import MountedCredential
from towline_api.errors import ConfigError
from towline_kube.client import Call, Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.patience import Patience

log = logging.getLogger(__name__)


class BootstrapAccess(Protocol):
    """Whatever has the client of a bootstrap identity."""

    async def client(self) -> Client:
        """Return the client that speaks as the bootstrap identity.

        Raises:
            ConfigError: There is none that can be used.
        """
        ...

    def trust(self, ca_pem: bytes | None) -> None:
        """Have the client trust these authorities to be the hub; None for those it names."""
        ...


class Bootstrap:
    """The bootstrap credential in use: a kubeconfig, read again whenever its file changes.

    Its connection also says where the hub is and whom to trust there; our own credential is used
    with the same server and the same authorities. A new file that cannot be used leaves the old
    one in place.

    Args:
        source: The kubeconfig, or the connection if the settings told it. None or a missing file
            is fine while a credential is stored.
        on_call: Told each call of the client, for counting.
        patience: How long the hub is left alone while it fails; None leaves it to who asks.
        clock: Time.
    """

    def __init__(
        self,
        source: Path | Connection | None,
        *,
        on_call: Callable[[Call], None] | None = None,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._file = MountedCredential(source, clock=clock) if isinstance(source, Path) else None
        self._on_call = on_call
        self._patience = patience
        self._clock = clock
        self._stack = AsyncExitStack()
        self._client: Client | None = None
        self._trusted: tuple[str, bytes] | None = None
        self._listeners: list[Callable[[], None]] = []
        self.connection = source if isinstance(source, Connection) else None
        """What the file said when it last could be used; None if it never could."""
        self.trouble = "no bootstrap kubeconfig is set" if source is None else "not read yet"
        """Why there is no connection."""

    async def __aenter__(self) -> Self:
        if self._file is not None:
            try:
                self.connection = self._file.read()
                self.trouble = ""
            except ConfigError as error:
                self.trouble = str(error)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called after each change of the connection."""
        self._listeners.append(listener)

    async def client(self) -> Client:
        """Return the client that speaks as the bootstrap identity.

        Raises:
            ConfigError: The kubeconfig cannot be used.
        """
        if self.connection is None:
            raise ConfigError(f"the hub cannot be asked for a certificate: {self.trouble}")
        connection = self.connection
        if self._trusted is not None and self._trusted[0] == connection.server:
            connection = dataclasses.replace(connection, ca_pem=self._trusted[1])
        if self._client is None or self._client.connection.server != connection.server:
            # A client for another hub is left to those who still speak with that hub.
            self._client = await self._stack.enter_async_context(
                Client(
                    self.connection,
                    field_manager=FIELD_MANAGER,
                    user_agent=user_agent("agent"),
                    clock=self._clock,
                    on_call=self._on_call,
                    patience=self._patience,
                )
            )
        elif self._client.connection != connection:
            await self._client.swap(connection)
        return self._client

    def trust(self, ca_pem: bytes | None) -> None:
        """Have the client trust these authorities to be the hub that is named now."""
        if self.connection is not None and ca_pem is not None:
            self._trusted = self.connection.server, ca_pem

    async def watch(self) -> NoReturn:
        """Take over changes of the file until cancelled."""
        if self._file is None:
            # There is nothing to watch, and a task that returned would count as a bug.
            await asyncio.get_running_loop().create_future()
            raise AssertionError("nobody completes this future")
        await self._file.watch(self._use)

    def _use(self, connection: Connection) -> None:
        old = self.connection
        if old is not None and dataclasses.replace(connection, source=old.source) == old:
            return
        self.connection, self.trouble = connection, ""
        log.info(
            "bootstrap kubeconfig changed" if old is not None else "bootstrap kubeconfig read",
            extra={"object": connection.source, "reason": connection.host},
        )
        for listener in self._listeners:
            listener()
