"""The hub as a program: who it is, what has to be there first, and its end."""

import asyncio
import logging
from collections.abc import Callable

from towline_api.errors import ConfigError, TowlineError
from towline_api.metadata import key_of
from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from towline_hub.crd_installation import install_crds, wait_until_served
from towline_hub.hub import Hub
from towline_hub.object_writer import holds
from towline_hub.rbac import bootstrap_rbac
from towline_hub.settings import HubSettings
from towline_kube.client import Call, Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.discovery import discover_connection

log = logging.getLogger(__name__)

FIELD_MANAGER = "towline-hub"
ANONYMOUS = "system:anonymous"


async def run(
    settings: HubSettings,
    stop: asyncio.Event,
    *,
    on_call: Callable[[Call], None] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Run the hub until `stop` is set. Leaves no task behind.

    Args:
        settings: What the operator chose.
        stop: Ends the hub when set, also while it is still starting.
        on_call: Told each call to the API server, for tests and measurements.
        clock: Where time comes from.

    Raises:
        ConfigError: The settings name something that cannot be used, or what has to be on the hub
            cluster is not.
        TransientError: The API server did not answer in time at start.
    """
    connection = discover_connection(settings.kubeconfig)
    async with Client(
        connection, field_manager=FIELD_MANAGER, on_call=on_call, clock=clock
    ) as client:
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(_work(client, settings, clock=clock), name="run-hub")
                await stop.wait()
                work.cancel("stop requested")
        except BaseExceptionGroup as failures:
            # What a person can act on is one clear line, not a tree of tasks.
            expected = failures.subgroup(TowlineError)
            if expected is None or failures.subgroup(
                lambda e: not isinstance(e, TowlineError | BaseExceptionGroup)
            ):
                raise
            raise _first(expected) from None
    log.info("hub stopped")


async def _work(client: Client, settings: HubSettings, *, clock: Clock) -> None:
    await check_identity(client)
    if settings.install_crds:
        await install_crds(client)
    await wait_until_served(client, limit=settings.startup_limit, clock=clock)
    await ensure_bootstrap_rbac(client)
    await Hub(client, settings, clock=clock).run()


async def check_identity(client: Client) -> None:
    """Make sure that the API server knows who we are.

    Raises:
        ConfigError: It does not: the credential was not sent, or not accepted.
    """
    me = await client.whoami()
    if me.username == ANONYMOUS:
        raise ConfigError(
            f"{client.connection.server} takes us for nobody; the credential in "
            f"{client.connection.source} is missing or was not accepted"
        )
    log.info("hub starts", extra={"object": me.username, "reason": client.connection.server})


async def ensure_bootstrap_rbac(client: Client) -> None:
    """Grant bootstrap tokens what asking for a first certificate takes."""
    for desired, resource in zip(
        bootstrap_rbac(), (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS), strict=True
    ):
        live = await client.find(resource, key_of(desired).name)
        if live is None or not holds(desired, live):
            await client.apply(resource, desired)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
