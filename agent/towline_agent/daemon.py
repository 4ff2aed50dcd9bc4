"""The agent as a program: from its settings to one session at one hub after another."""

import asyncio
import dataclasses
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from towline_agent.addons.cluster_addons import AddonOptions, run_addons
from towline_agent.agent_clusters import Clusters, open_clusters
from towline_agent.channel.contact import both
from towline_agent.channel.hub_return import return_policy
from towline_agent.cluster_session import ClusterSession, ClusterSettings
from towline_agent.clusters.registration import agent_annotations, client_configs
from towline_agent.clusters.status import ClaimLimits
from towline_agent.credentials.cluster_identity import choose_identity, stored_identity
from towline_agent.credentials.secret_store import SecretStore, next_secret
from towline_agent.credentials.stored import Stored, stored_connection
from towline_agent.credentials.stores import CredentialStore, DirectoryCredentialStore
from towline_agent.hubs.bootstraps import Bootstraps
from towline_agent.hubs.bound_name import find_bound_name
from towline_agent.moving.choice import first_hub
from towline_agent.moving.kept_hub import kept_hub, kept_trust
from towline_agent.moving.mover import HubMover
from towline_agent.settings import AgentSettings
from towline_agent.status.overview import LookedSession
from towline_api.errors import ConfigError, TowlineError
from towline_api.names import MANAGED_BY_LABEL
from towline_certs.identities import ClusterIdentity
from towline_kube.backoff import Backoff
from towline_kube.client import Call
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.listen_address import ListenAddress
from towline_kube.task_groups import TaskGroup

if TYPE_CHECKING:
    from towline_agent.status.endpoint import AgentEndpoint

log = logging.getLogger(__name__)

Part = Callable[[ClusterSession], Awaitable[None]]
"""Something that runs beside a session for as long as it lasts."""

_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=1))
MANAGED_BY = "towline-agent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """Who counts the agent's calls, for tests and the demo.

    Args:
        on_hub_call: Told each call to the hub.
        on_spoke_call: Told each call to the managed cluster.
        on_session: Told each session as it begins.
        on_hosting_call: Told each call to the hosting cluster.
    """

    on_hub_call: Callable[[Call], None] | None = None
    on_spoke_call: Callable[[Call], None] | None = None
    on_session: Callable[[ClusterSession], None] | None = None
    on_hosting_call: Callable[[Call], None] | None = None


async def run(
    settings: AgentSettings,
    stop: asyncio.Event,
    *,
    parts: Mapping[str, Part] | None = None,
    observers: Observers | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Run the agent until `stop` is set. Leaves no task behind.

    Whatever may get better by itself is waited for: an unreachable hub, a missing approval, a
    namespace still to be created.

    Args:
        settings: What to do.
        stop: Ends the agent when set.
        parts: What runs beside the session, by the name of its task; by default the add-ons.
        observers: Who looks on.
        clock: Time.

    Raises:
        ConfigError: The settings name something that cannot be used.
    """
    observers = observers or Observers()
    async with AsyncExitStack() as stack:
        if settings.listen is not None:
            endpoint = _endpoint(settings.listen, clock)
            observers = Observers(
                on_hub_call=both(observers.on_hub_call, endpoint.count_hub_call),
                on_spoke_call=both(observers.on_spoke_call, endpoint.count_spoke_call),
                on_session=both(
                    observers.on_session, lambda session: endpoint.look_at(LookedSession(session))
                ),
                on_hosting_call=both(observers.on_hosting_call, endpoint.count_hosting_call),
            )
            await stack.enter_async_context(endpoint)
        clusters = await stack.enter_async_context(
            open_clusters(
                settings,
                on_managed_call=observers.on_spoke_call,
                on_hosting_call=observers.on_hosting_call,
                clock=clock,
            )
        )
        bootstraps = await stack.enter_async_context(
            Bootstraps(
                settings.bootstraps,
                on_call=observers.on_hub_call,
                hub_return=return_policy(settings.hub_return_spread),
                clock=clock,
            )
        )
        agent = _Agent(
            settings,
            clusters=clusters,
            bootstraps=bootstraps,
            parts=_default_parts(settings, clock) if parts is None else parts,
            observers=observers,
            clock=clock,
        )
        try:
            async with TaskGroup() as group:
                tasks = [
                    group.create_task(agent.run(), name="run-agent"),
                    group.create_task(agent.watch_bootstrap(), name="watch-bootstrap-kubeconfig"),
                    group.create_task(clusters.keep_current(), name="follow-managed-kubeconfig"),
                ]
                await stop.wait()
                for task in tasks:
                    task.cancel("stop requested")
        except BaseExceptionGroup as failures:
            # An input that cannot be used is one clear line, not a tree of tasks.
            wrong_input = failures.subgroup(ConfigError)
            if wrong_input is None:
                raise
            raise wrong_input.exceptions[0] from None


def _endpoint(address: ListenAddress, clock: Clock) -> "AgentEndpoint":
    # Here, because an agent that serves nothing needs no HTTP server and no metrics.
    from towline_agent.status.endpoint import AgentEndpoint

    return AgentEndpoint(address, clock=clock)


def _default_parts(settings: AgentSettings, clock: Clock) -> dict[str, Part]:
    options = AddonOptions(
        namespaces=frozenset(settings.addon_namespaces),
        lifetime=settings.client_cert_expiration,
        tokens=settings.addon_tokens,
        elsewhere=frozenset(settings.addons_elsewhere),
        hosting_namespaces=frozenset(settings.hosting_addon_namespaces),
    )

    async def serve_addons(session: ClusterSession) -> None:
        await run_addons(session, options=options, clock=clock)

    return {"serve-addons": serve_addons}


class _Agent:
    """What lives as long as the process: the store, the way to the hub, and who we are."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        clusters: Clusters,
        bootstraps: Bootstraps,
        parts: Mapping[str, Part],
        observers: Observers,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._clusters = clusters
        self._bootstraps = bootstraps
        self._parts = parts
        self._observers = observers
        self._clock = clock
        self._mover: HubMover | None = None
        self._session: ClusterSession | None = None
        self._has_hub = asyncio.Event()
        self._cluster_settings = ClusterSettings(
            certificate_lifetime=settings.client_cert_expiration,
            annotations=agent_annotations(settings.cluster_annotations),
            configs=client_configs(
                settings.spoke_external_server_urls, ca_pem=clusters.managed.connection.ca_pem
            ),
            limits=ClaimLimits(
                custom=settings.max_custom_cluster_claims,
                reserved_suffixes=settings.reserved_cluster_claim_suffixes,
            ),
            health_period=settings.cluster_healthcheck_period,
            hub_return=return_policy(settings.hub_return_spread),
        )
        self._store = self._make_store()
        self._next_store = self._make_next_store()
        self._bootstrap_changed = asyncio.Event()
        bootstraps.on_change(self._on_bootstrap_change)

    async def watch_bootstrap(self) -> NoReturn:
        """Take over changes of the bootstrap kubeconfig, from the first session on."""
        # Before, what is wrong with it ends the program, with that one line.
        await self._has_hub.wait()
        await self._bootstraps.watch()

    async def run(self) -> NoReturn:
        """Stay at one hub after another; see `towline_agent.moving.choice` for when one is left."""
        target: str | None = None
        while True:
            stored = await self._read_store()
            await self._wait_for_bootstrap(stored)
            if self._bootstraps.listed:
                self._has_hub.set()
            chosen = choose_identity(
                stored,
                cluster=self._settings.cluster_name,
                agent=self._settings.agent_id,
                bound=await self._find_bound_name(stored),
            )
            identity = chosen.identity
            hub = self._find_hub(stored, identity, target=target)
            self._has_hub.set()
            log.info(
                "agent starts",
                extra={
                    "cluster": identity.cluster,
                    "object": identity.user,
                    "reason": f"cluster name from {chosen.origin}; hub {hub.host}",
                },
            )
            self._session = session = self._make_session(
                identity, hub, store=self._store, stored=stored, parts=self._parts
            )
            self._mover = mover = self._make_mover(session)
            if self._observers.on_session is not None:
                self._observers.on_session(session)
            async with TaskGroup() as group:
                staying = group.create_task(session.run(), name="stay-at-hub")
                is_first = target is None and stored.credential is None
                target = await mover.run(tidies=not is_first)
                staying.cancel("the hub is left")

    def _make_session(
        self,
        identity: ClusterIdentity,
        hub: Connection,
        *,
        store: CredentialStore,
        stored: Stored | None = None,
        parts: Mapping[str, Part],
    ) -> ClusterSession:
        return ClusterSession(
            identity,
            hub=hub,
            spoke=self._clusters.managed,
            hosting=self._clusters.hosting,
            store=store,
            bootstrap=self._bootstraps.at(hub.server),
            settings=self._cluster_settings,
            kept_trust=None if stored is None else kept_trust(stored, hub=hub),
            also=parts,
            on_call=self._observers.on_hub_call,
            clock=self._clock,
        )

    def _make_mover(self, session: ClusterSession) -> HubMover:
        def successor(hub: str) -> ClusterSession:
            connection = self._bootstraps.find_connection(hub)
            assert connection is not None  # noqa: S101 - only hubs that are listed are moved to
            return self._make_session(
                session.identity, connection, store=self._next_store, parts={}
            )

        return HubMover(
            session,
            bootstraps=self._bootstraps,
            store=self._store,
            next_store=self._next_store,
            successor=successor,
            timeout=self._settings.hub_connection_timeout,
            clock=self._clock,
        )

    def _make_store(self) -> CredentialStore:
        settings = self._settings
        if settings.state_dir is not None:
            return DirectoryCredentialStore(settings.state_dir, clock=self._clock)
        return self._secret_store(settings.hub_kubeconfig_secret)

    def _make_next_store(self) -> CredentialStore:
        settings = self._settings
        if settings.state_dir is not None:
            return DirectoryCredentialStore(settings.state_dir / "next", clock=self._clock)
        return self._secret_store(next_secret(settings.hub_kubeconfig_secret))

    def _secret_store(self, name: str) -> SecretStore:
        return SecretStore(
            self._clusters.home,
            namespace=self._settings.namespace,
            name=name,
            labels={MANAGED_BY_LABEL: MANAGED_BY},
            make_namespace=True,
            clock=self._clock,
        )

    async def _find_bound_name(self, stored: Stored) -> str | None:
        """Return the name a bootstrap identity is bound to, where no other name is known."""
        if self._settings.cluster_name is not None or stored_identity(stored) is not None:
            return None
        return await find_bound_name(self._bootstraps, clock=self._clock)

    async def _read_store(self) -> Stored:
        """Return what is stored; wait for as long as the store cannot be read."""
        failures = 0
        while True:
            try:
                return await self._store.read()
            except TowlineError as error:
                failures += 1
                if failures == 1:
                    log.warning(
                        "stored credential cannot be read; trying again",
                        extra={"object": self._store.description, "error": str(error)},
                    )
                delay = _RETRIES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
                await self._clock.sleep(delay)

    async def _wait_for_bootstrap(self, stored: Stored) -> None:
        """Wait until something says where the hub is, if that is what the settings want."""
        if not self._settings.wait_for_bootstrap:
            return
        if stored.credential is not None and stored_connection(stored.credential.files) is not None:
            return
        is_told = False
        while not self._bootstraps.listed:
            if not is_told:
                log.warning(
                    "waiting for a bootstrap kubeconfig", extra={"error": self._bootstraps.trouble}
                )
                is_told = True
            self._has_hub.set()
            self._bootstrap_changed.clear()
            await self._bootstrap_changed.wait()

    def _find_hub(
        self, stored: Stored, identity: ClusterIdentity, *, target: str | None
    ) -> Connection:
        """Return how the hub to be at is reached.

        Raises:
            ConfigError: Nothing says where any hub is.
        """
        listed = self._bootstraps.listed
        kept = kept_hub(stored, identity=identity, listed=listed, now=self._clock.now())
        wanted = target or first_hub(listed, kept)
        connection = None if wanted is None else self._bootstraps.find_connection(wanted)
        if connection is not None:
            return connection
        known = None if stored.credential is None else stored_connection(stored.credential.files)
        if known is None:
            raise ConfigError(
                f"there is no way to the hub: {self._bootstraps.trouble}, and no kubeconfig of the "
                f"hub is stored in {self._store.description}"
            )
        log.warning(
            "going on with the stored credential; a lost one could not be earned again",
            extra={
                "object": self._store.description,
                "reason": self._bootstraps.trouble or f"no bootstrap kubeconfig names {known.host}",
            },
        )
        return known

    def _on_bootstrap_change(self) -> None:
        self._bootstrap_changed.set()
        mover = self._mover
        if mover is None:
            return
        for session in filter(None, (self._session, mover.successor)):
            connection = self._bootstraps.find_connection(session.hub.server)
            if connection is not None:
                session.trust(connection)
        mover.look_again()
