"""The hub as a program: who it is, what has to be there first, and its end."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

from towline_api.addon_codec import AddonCodec
from towline_api.errors import ConfigError, TransientError
from towline_api.metadata import key_of
from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from towline_hub.addons.hub_half import lease_name
from towline_hub.approval.checks import load_checks
from towline_hub.clusters.acceptance_guard import ensure_acceptance_guard
from towline_hub.clusters.rbac import bootstrap_rbac
from towline_hub.crd_installation import OtherVersionServed, set_up_crds, wait_until_served
from towline_hub.joining.bootstrap_guard import ensure_bootstrap_guards
from towline_hub.metrics import HubMetrics
from towline_hub.object_writer import holds
from towline_hub.replica import Replica
from towline_hub.settings import HubSettings
from towline_hub.webhook.conversion_webhook import ConversionWebhook, make_webhook
from towline_kube.addon_api import CODECS
from towline_kube.backoff import Backoff
from towline_kube.client import Call, Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.discovery import discover_connection, pod_namespace
from towline_kube.errors import Conflict
from towline_kube.failures import one_failure
from towline_kube.fence import Fence
from towline_kube.health_checks import (
    ApiServerKnowsUs,
    caches_synced,
    loop_responsive,
    tasks_alive,
)
from towline_kube.leader_election import LeaderElector, new_identity
from towline_kube.listen_address import ListenAddress
from towline_kube.retries import RetryPolicy

log = logging.getLogger(__name__)

FIELD_MANAGER = "towline-hub"
ADDONS_FIELD_MANAGER = "towline-addons"
ANONYMOUS = "system:anonymous"

_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(seconds=15))


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
    # A replica that stands by would find out only once it leads, when it is too late.
    load_checks(settings.approval_checks)
    connection = discover_connection(settings.kubeconfig)
    metrics = HubMetrics(clock=clock)

    told = [metrics.api_call, *((on_call,) if on_call is not None else ())]

    def tell(call: Call) -> None:
        for listener in told:
            listener(call)

    field_manager = ADDONS_FIELD_MANAGER if settings.addons_only else FIELD_MANAGER
    identity = new_identity()
    # In the server's audit log, replicas of one user are told apart by this alone.
    agent = f"{user_agent('hub')} ({identity})" if settings.leader_election else user_agent("hub")
    fence = Fence() if settings.leader_election else None
    async with AsyncExitStack() as stack:

        async def open_client(agent: str, **options: Any) -> Client:
            client = Client(
                connection,
                field_manager=field_manager,
                user_agent=agent,
                on_call=tell,
                clock=clock,
                **options,
            )
            return await stack.enter_async_context(client)

        client = await open_client(agent, fence=fence)
        elector = None
        if fence is not None:
            elector = LeaderElector(
                # Renewals wait for no connection that others use, and no fence holds them back.
                await open_client(f"{agent} leader-election", retry=RetryPolicy(attempts=1)),
                identity=identity,
                name=lease_name(settings),
                namespace=settings.namespace,
                fence=fence,
                times=settings.lease_times,
                clock=clock,
            )
        known = ApiServerKnowsUs(client, clock=clock)
        if settings.listen is not None:
            told.append(known.note)
        codec = CODECS[0]
        while True:
            webhook = _webhook(client, settings, metrics=metrics, clock=clock)
            replica = Replica(
                client,
                settings,
                codec=codec,
                webhook=webhook,
                prepare=partial(_prepare, client, settings, codec, webhook, clock=clock),
                served=partial(_served, client, settings, codec, clock=clock),
                elector=elector,
                metrics=metrics,
                clock=clock,
            )
            async with AsyncExitStack() as around:
                if settings.listen is not None:
                    await around.enter_async_context(
                        _endpoint(settings.listen, replica, known, metrics=metrics, clock=clock)
                    )
                try:
                    with one_failure():
                        await replica.run(stop)
                    break
                except OtherVersionServed as other:
                    log.info("add-ons are served in another version", extra={"reason": str(other)})
                    codec = other.codec
    log.info("hub stopped")


def _webhook(
    client: Client, settings: HubSettings, *, metrics: HubMetrics, clock: Clock
) -> ConversionWebhook | None:
    if settings.addons_only:
        return None
    is_pod = settings.kubeconfig is None and pod_namespace() is not None
    return make_webhook(
        client,
        settings,
        namespace=settings.namespace,
        is_pod=is_pod,
        metrics=metrics,
        clock=clock,
    )


def _endpoint(
    address: ListenAddress,
    replica: Replica,
    known: ApiServerKnowsUs,
    *,
    metrics: HubMetrics,
    clock: Clock,
) -> AbstractAsyncContextManager[object]:
    # Here, because a hub that serves nothing needs no HTTP server.
    from towline_kube.http_endpoint import HttpEndpoint

    return HttpEndpoint(
        address,
        registry=metrics.registry,
        healthy={
            "event-loop": loop_responsive(clock),
            "tasks": tasks_alive(lambda: replica.tasks),
        },
        ready={"caches": caches_synced(replica.caches), "api-server": known},
    )


async def _prepare(
    client: Client,
    settings: HubSettings,
    codec: AddonCodec,
    webhook: ConversionWebhook | None,
    *,
    clock: Clock,
) -> None:
    """Bring about what has to be there before anything runs."""

    async def prepare() -> None:
        await check_identity(client)
        await set_up_crds(client, install=settings.install_crds, webhook=webhook)
        await wait_until_served(client, codec=codec, limit=settings.startup_limit, clock=clock)
        if not settings.addons_only:
            # Before bootstrap identities get their rights: then they may create clusters.
            await ensure_acceptance_guard(client)
            await ensure_bootstrap_guards(client)
            await ensure_bootstrap_rbac(client)

    await _patiently(prepare, settings, clock=clock)


async def _served(
    client: Client, settings: HubSettings, codec: AddonCodec, *, clock: Clock
) -> None:
    """Wait until what has to be there is, without writing anything."""

    async def wait() -> None:
        await check_identity(client)
        await wait_until_served(client, codec=codec, limit=settings.startup_limit, clock=clock)

    await _patiently(wait, settings, clock=clock)


async def _patiently(
    attempt: Callable[[], Awaitable[None]], settings: HubSettings, *, clock: Clock
) -> None:
    """Try until it succeeds: the API server may be starting, another replica at the same thing."""
    deadline = clock.monotonic() + settings.startup_limit.total_seconds()
    failures = 0
    while True:
        try:
            await attempt()
        except (TransientError, Conflict) as error:
            if clock.monotonic() >= deadline:
                raise
            failures += 1
            if failures == 1:
                log.warning("hub cannot start yet; trying again", extra={"error": str(error)})
            await clock.sleep(_RETRIES.delay(failures, roll=random.random()))  # noqa: S311 - spreads load
        else:
            return


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
