"""All bootstrap credentials of an agent, in the order their hubs are to be tried."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn, Self

from towline_agent.channel.contact import HubContact, both
from towline_agent.hubs.bootstrap import Bootstrap
from towline_api.errors import ConfigError
from towline_kube.client import Call, Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.patience import Patience, ReturnPolicy
from towline_kube.task_groups import TaskGroup


class BootstrapEntry:
    """One bootstrap credential, with what is heard from its hub through it.

    Args:
        source: A kubeconfig, or the connection if the settings told it.
        on_call: Told each call, for counting.
        patience: How long the hub is left alone while it fails.
        clock: Time.
    """

    def __init__(
        self,
        source: Path | Connection,
        *,
        on_call: Callable[[Call], None] | None,
        patience: Patience | None,
        clock: Clock,
    ) -> None:
        self.contact = HubContact(clock=clock)
        """When the hub last answered the bootstrap identity."""
        self.bootstrap = Bootstrap(
            source, on_call=both(on_call, self.contact.note), patience=patience, clock=clock
        )


class Bootstraps:
    """The bootstrap credentials, read again whenever their files change.

    Args:
        sources: Kubeconfigs or connections, in order. A file that cannot be read is passed over
            until it can be.
        on_call: Told each call of their clients, for counting.
        hub_return: How long each hub is left alone while it fails; None leaves it to who asks.
        clock: Time.
    """

    def __init__(
        self,
        sources: Sequence[Path | Connection],
        *,
        on_call: Callable[[Call], None] | None = None,
        hub_return: ReturnPolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._entries = [
            BootstrapEntry(
                each,
                on_call=on_call,
                patience=None if hub_return is None else Patience(hub_return, clock=clock),
                clock=clock,
            )
            for each in sources
        ]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for entry in self._entries:
            await self._stack.enter_async_context(entry.bootstrap)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called after each change of one of them."""
        for entry in self._entries:
            entry.bootstrap.on_change(listener)

    @property
    def listed(self) -> tuple[str, ...]:
        """URLs of the hubs that those which can be read name, in order, each once."""
        return tuple(dict.fromkeys(connection.server for connection in self._connections()))

    @property
    def trouble(self) -> str:
        """Why there is no way to a hub by those that cannot be used."""
        if not self._entries:
            return "no bootstrap kubeconfig is set"
        troubles = (entry.bootstrap.trouble for entry in self._entries)
        return "; ".join(dict.fromkeys(filter(None, troubles)))

    def find_connection(self, hub: str) -> Connection | None:
        """Return how a hub is reached as a bootstrap identity; None if none of them names it."""
        return next((each for each in self._connections() if each.server == hub), None)

    def find(self, hub: str) -> BootstrapEntry | None:
        """Return the credential for a hub; None if none of them names it now."""
        for entry in self._entries:
            connection = entry.bootstrap.connection
            if connection is not None and connection.server == hub:
                return entry
        return None

    def at(self, hub: str) -> "HubBootstrap":
        """Return whatever is, at the time it is needed, the bootstrap credential for a hub."""
        return HubBootstrap(self, hub)

    async def watch(self) -> NoReturn:
        """Take over changes of the files until cancelled."""
        async with TaskGroup() as group:
            for number, entry in enumerate(self._entries, start=1):
                group.create_task(entry.bootstrap.watch(), name=f"watch-bootstrap/{number}")
            await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody completes this future")

    def _connections(self) -> list[Connection]:
        found = (entry.bootstrap.connection for entry in self._entries)
        return [connection for connection in found if connection is not None]


class HubBootstrap:
    """The bootstrap credential for one hub. Files may begin and cease to name that hub.

    Args:
        bootstraps: All there are.
        hub: URL of the hub.
    """

    def __init__(self, bootstraps: Bootstraps, hub: str) -> None:
        self._bootstraps = bootstraps
        self._hub = hub

    async def client(self) -> Client:
        """Return the client that speaks as the bootstrap identity.

        Raises:
            ConfigError: No bootstrap kubeconfig that can be used names the hub.
        """
        entry = self._bootstraps.find(self._hub)
        if entry is None:
            why = self._bootstraps.trouble or f"no bootstrap kubeconfig names {self._hub}"
            raise ConfigError(f"the hub cannot be asked for a certificate: {why}")
        return await entry.bootstrap.client()

    def trust(self, ca_pem: bytes | None) -> None:
        """Have the client trust these authorities to be the hub."""
        entry = self._bootstraps.find(self._hub)
        if entry is not None:
            entry.bootstrap.trust(ca_pem)

    @property
    def contact(self) -> HubContact | None:
        """When the hub last answered the bootstrap identity; None while there is none."""
        entry = self._bootstraps.find(self._hub)
        return None if entry is None else entry.contact
