"""The clusters an agent stands on: the managed one and, in hosted mode, the one it runs on."""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

from towline_agent.channel.hub_channel import FIELD_MANAGER
from towline_agent.channel.mounted_credential import MountedCredential
from towline_agent.settings import AgentSettings
from towline_api.errors import ConfigError
from towline_kube.client import Call, Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.discovery import in_cluster_connection, load_kubeconfig
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of one agent.

    Args:
        managed: The cluster that is managed.
        hosting: The cluster the agent runs on in hosted mode; None if that is the managed one.
        kubeconfig: The kubeconfig of the managed cluster, where somebody may renew it.
    """

    managed: Client
    hosting: Client | None = None
    kubeconfig: MountedCredential | None = None

    @property
    def home(self) -> Client:
        """The cluster the agent runs on, where its own Secrets are."""
        return self.managed if self.hosting is None else self.hosting

    async def keep_current(self) -> None:
        """Take over whatever is new in the managed cluster's kubeconfig, until cancelled.

        In hosted mode that is a mounted Secret which somebody renews. Returns at once otherwise.
        """
        if self.kubeconfig is not None:
            await _follow(self.kubeconfig, self.managed)


def managed_connection(settings: AgentSettings) -> Connection:
    """Return how the managed cluster is reached.

    Raises:
        ConfigError: The kubeconfig, or the pod's service account, cannot be used.
    """
    if settings.spoke_kubeconfig is None:
        return in_cluster_connection()
    return load_kubeconfig(settings.spoke_kubeconfig)


def hosting_connection(settings: AgentSettings) -> Connection | None:
    """Return how the hosting cluster is reached; None outside of hosted mode.

    Raises:
        ConfigError: The kubeconfig, or the pod's service account, cannot be used.
    """
    if not settings.is_hosted:
        return None
    if settings.hosting_kubeconfig is None:
        return in_cluster_connection()
    return load_kubeconfig(settings.hosting_kubeconfig)


def home_connection(settings: AgentSettings) -> Connection:
    """Return how the cluster is reached that the agent runs on.

    Raises:
        ConfigError: The kubeconfig, or the pod's service account, cannot be used.
    """
    return hosting_connection(settings) or managed_connection(settings)


@asynccontextmanager
async def open_clusters(
    settings: AgentSettings,
    *,
    on_managed_call: Callable[[Call], None] | None = None,
    on_hosting_call: Callable[[Call], None] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[Clusters]:
    """Give the clusters that the settings name, until the end of the block.

    Args:
        settings: Those of the agent.
        on_managed_call: Told each call to the managed cluster.
        on_hosting_call: Told each call to the hosting cluster.
        clock: Time.

    Raises:
        ConfigError: One of the clusters cannot be reached as the settings say.
    """
    managed_at, hosting_at = managed_connection(settings), hosting_connection(settings)

    def client(connection: Connection, on_call: Callable[[Call], None] | None) -> Client:
        return Client(
            connection,
            field_manager=FIELD_MANAGER,
            user_agent=user_agent("agent"),
            clock=clock,
            on_call=on_call,
        )

    async with AsyncExitStack() as stack:
        managed = await stack.enter_async_context(client(managed_at, on_managed_call))
        if hosting_at is None or settings.spoke_kubeconfig is None:
            yield Clusters(managed)
            return
        hosting = await stack.enter_async_context(client(hosting_at, on_hosting_call))
        kubeconfig = MountedCredential(settings.spoke_kubeconfig, clock=clock)
        yield Clusters(managed, hosting, kubeconfig)


async def _follow(credential: MountedCredential, client: Client) -> NoReturn:
    """Have a client use what a kubeconfig says, whenever that changes."""
    changed = asyncio.Event()
    newest: list[Connection] = []

    def take(connection: Connection) -> None:
        newest[:] = [connection]
        changed.set()

    async with TaskGroup() as group:
        group.create_task(credential.watch(take), name="watch-managed-kubeconfig")
        while True:
            await changed.wait()
            changed.clear()
            connection = newest[-1]
            if dataclasses.replace(connection, source="") == dataclasses.replace(
                client.connection, source=""
            ):
                continue
            try:
                await client.swap(connection)
            except ConfigError as error:
                log.warning(
                    "kubeconfig of the managed cluster cannot be used; keeping the one before it",
                    extra={"object": str(credential.path), "error": str(error)},
                )
            else:
                log.info(
                    "kubeconfig of the managed cluster taken over",
                    extra={"object": str(credential.path)},
                )
    raise AssertionError("unreachable: following goes on until cancelled")
