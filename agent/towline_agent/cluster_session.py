"""One cluster's stay at one hub: every part that speaks with that hub, in one task group."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from towline_agent.channel.contact import HubContact, both
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.hub_return import return_policy
from towline_agent.clusters.follower import ClusterFollower
from towline_agent.clusters.lease import LeaseRenewer
from towline_agent.clusters.namespace_keeper import NamespaceKeeper
from towline_agent.clusters.reporter import ClusterReporter
from towline_agent.clusters.spoke_observer import SpokeObserver
from towline_agent.clusters.status import ClaimLimits
from towline_agent.clusters.view import ClusterView
from towline_agent.credentials.cluster_identity import cluster_order
from towline_agent.credentials.keeper import CredentialKeeper
from towline_agent.credentials.proof import CredentialProof
from towline_agent.credentials.state_tracking import StateTracker
from towline_agent.credentials.status import CredentialStatus
from towline_agent.credentials.stored import PUBLISHED_AUTHORITIES_KEY
from towline_agent.credentials.stores import CredentialStore
from towline_agent.hubs.bootstrap import BootstrapAccess
from towline_agent.hubs.trust import HubTrust, initial_trust
from towline_agent.hubs.trust_keeper import TrustKeeper
from towline_agent.station.overview import AddonOverview
from towline_api.names import AGENT_NAME_KEY, CLUSTER_NAME_KEY, KUBECONFIG_KEY
from towline_certs.credentials import Credential
from towline_certs.identities import ClusterIdentity
from towline_kube.client import Call, Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import format_kubeconfig
from towline_kube.patience import Patience, ReturnPolicy
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_RENEWING_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What a cluster tells its hub, and how it asks.

    Args:
        certificate_lifetime: Lifetime to ask for; None leaves it to the hub's signer.
        annotations: For the ManagedCluster.
        configs: How the hub may reach the cluster's API server.
        limits: Which cluster claims are reported.
        health_period: Between two looks at the cluster's API server.
        hub_return: When the agent tries again after it lost the hub.
    """

    certificate_lifetime: timedelta | None = None
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    configs: Sequence[Mapping[str, Any]] = ()
    limits: ClaimLimits = dataclasses.field(default_factory=ClaimLimits)
    health_period: timedelta = timedelta(minutes=1)
    hub_return: ReturnPolicy = dataclasses.field(default_factory=return_policy)


class ClusterSession:
    """Registers a cluster at a hub, and keeps its credential, lease and status there.

    Other parts of the agent read `identity`, `channel`, `view` and `spoke`, and run beside this
    one by being handed in as `also`. Those who look at the agent read `state` and `contact`.

    Args:
        identity: Which cluster and agent to be.
        hub: How the hub is reached: server, authorities, proxy. Credentials in it are not used.
        spoke: The managed cluster.
        store: Where the credential rests.
        bootstrap: Whom to ask as while there is no credential.
        settings: What to tell and how to ask.
        kept_trust: Whom to trust to be the hub, if an earlier process has stored more than `hub`
            says.
        also: Further parts that live as long as the session; each is called with it.
        on_call: Told each call to the hub, for counting.
        hosting: The cluster the agent runs on in hosted mode; None if that is the managed one.
        clock: Time.
    """

    def __init__(
        self,
        identity: ClusterIdentity,
        *,
        hub: Connection,
        spoke: Client,
        store: CredentialStore,
        bootstrap: BootstrapAccess,
        settings: ClusterSettings,
        kept_trust: HubTrust | None = None,
        also: Mapping[str, Callable[["ClusterSession"], Awaitable[None]]] | None = None,
        on_call: Callable[[Call], None] | None = None,
        hosting: Client | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.identity = identity
        self.spoke = spoke
        self.hosting = hosting
        self.view = ClusterView(on_standing=self._look)
        self.contact = HubContact(clock=clock)
        self.on_hub_call = on_call
        self._hub = hub
        self._named_ca = hub.ca_pem
        self._bootstrap = bootstrap
        self._also = dict(also or {})
        self.channel = HubChannel(
            user=identity.user,
            on_refused=self._on_refused,
            on_call=both(on_call, self.contact.note),
            patience=Patience(settings.hub_return, clock=clock),
            clock=clock,
        )
        self.trust_keeper = TrustKeeper(
            kept_trust or initial_trust(hub.ca_pem),
            channel=self.channel,
            bootstrap=bootstrap,
            on_change=self._on_trust,
            clock=clock,
        )
        self._pin()
        self.keeper = CredentialKeeper(
            cluster_order(identity, lifetime=settings.certificate_lifetime),
            store=store,
            asker=ClusterAsker(bootstrap, self.channel),
            hub=hub.server,
            beside=self._beside,
            on_credential=self._on_credential,
            on_status=self._on_status,
            proof=CredentialProof(
                self._connection_with, user=identity.user, on_call=on_call, clock=clock
            ),
            clock=clock,
        )
        self.state = StateTracker(
            f"cluster {identity.cluster}",
            facts=lambda: self.keeper.facts,
            standing=lambda: self.view.standing,
            now=clock.now,
        )
        self.store = store.description
        self.overlook_addons: Callable[[], Sequence[AddonOverview]] = tuple
        """Returns how the add-ons are; whoever serves them puts it here."""
        self.overlook_move: Callable[[], str] = str
        """Returns which hub is being moved to, and how that stands; empty while none is."""
        self._keeping: asyncio.Task[NoReturn] | None = None
        self.tasks: Sequence[asyncio.Task[Any]] = ()
        """What has to go on for as long as the session does."""
        self._bell = self.view.subscribe()
        self._observer = SpokeObserver(
            spoke, period=settings.health_period, changed=self._bell, clock=clock
        )
        self._namespaces = NamespaceKeeper(
            spoke, self.view, hub=hub.server, told=self._bell, clock=clock
        )
        self.lease = LeaseRenewer(self.channel, self.view, told=self._bell, clock=clock)
        self._reporter = ClusterReporter(
            self.channel,
            self.view,
            self._observer,
            self._namespaces,
            self.keeper,
            self.lease,
            limits=settings.limits,
            changed=self._bell,
            instance=identity.agent,
            clock=clock,
        )
        self._follower = ClusterFollower(
            identity.cluster,
            bootstrap=bootstrap,
            channel=self.channel,
            view=self.view,
            is_recorded=self.keeper.is_recorded,
            holds_credential=lambda: self.keeper.credential is not None,
            annotations=settings.annotations,
            configs=settings.configs,
            clock=clock,
        )

    @property
    def hub(self) -> Connection:
        """How the hub is reached, without any credential."""
        return self._hub

    def trust(self, hub: Connection) -> None:
        """Reach the same hub otherwise from now on: other authorities, another proxy.

        Raises:
            ValueError: It is another hub; that takes another session.
        """
        if hub.server != self._hub.server:
            raise ValueError(f"this session is at {self._hub.server}, not at {hub.server}")
        before, self._hub = self._hub, hub
        self._named_ca = hub.ca_pem
        self.trust_keeper.name(hub.ca_pem)
        self._pin()
        if _without_credential(before) != _without_credential(self._hub):
            self._on_trust()
        # Who has a new bootstrap credential need not wait until another try with the old one would
        # have been due.
        self.keeper.look_again()

    def _pin(self) -> None:
        """Put the authorities that count into how the hub is reached."""
        trust = self.trust_keeper.trust
        # Alone they stay as they were given, byte by byte: other agents compare them so.
        is_plain = not trust.published and not trust.former
        ca_pem = self._named_ca if is_plain else trust.ca_pem
        self._hub = dataclasses.replace(self._hub, ca_pem=ca_pem)
        self._bootstrap.trust(ca_pem)

    def _on_trust(self) -> None:
        self._pin()
        if self.keeper.credential is not None:
            self._on_credential(self.keeper.credential)
        # The stored kubeconfig says how the hub is reached as well.
        self.keeper.look_again()

    async def retire(self) -> None:
        """Leave the store to whoever comes next; everything else goes on until `run` is cancelled.

        Without renewals the channel lasts as long as the certificate it has.
        """
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            self.tasks = [task for task in self.tasks if task is not keeping]
            keeping.cancel("the store has another owner")
            await asyncio.wait({keeping})

    async def run(self) -> NoReturn:
        """Stay at the hub until cancelled."""
        cluster = self.identity.cluster
        async with TaskGroup() as group:
            self._keeping = group.create_task(self.keeper.run(), name=f"keep-credential/{cluster}")
            self.tasks = [
                self._keeping,
                group.create_task(self.channel.run(), name=f"keep-channel/{cluster}"),
                group.create_task(self._follower.run(), name=f"follow-cluster/{cluster}"),
                group.create_task(self.trust_keeper.run(), name=f"keep-trust/{cluster}"),
                group.create_task(self._observer.run(), name=f"observe-spoke/{cluster}"),
                group.create_task(self._namespaces.run(), name=f"keep-namespaces/{cluster}"),
                group.create_task(self._reporter.run(), name=f"report-status/{cluster}"),
                group.create_task(self.lease.run(), name=f"renew-lease/{cluster}"),
            ]
            for name, part in self._also.items():
                group.create_task(_part(part(self)), name=f"{name}/{cluster}")
        raise AssertionError("a session's tasks never end by themselves")

    def _beside(self) -> dict[str, bytes]:
        published = self.trust_keeper.trust.published_pem
        return {
            KUBECONFIG_KEY: format_kubeconfig(self._hub).encode(),
            CLUSTER_NAME_KEY: self.identity.cluster.encode(),
            AGENT_NAME_KEY: self.identity.agent.encode(),
            **({PUBLISHED_AUTHORITIES_KEY: published} if published else {}),
        }

    def _connection_with(self, credential: Credential) -> Connection:
        return dataclasses.replace(
            _without_credential(self._hub),
            client_certificate_pem=credential.certificate_pem,
            client_key_pem=credential.key_pem,
            source=f"the credential of cluster {self.identity.cluster}",
        )

    def _on_credential(self, credential: Credential) -> None:
        self.channel.offer(self._connection_with(credential))

    def _on_refused(self, reason: str) -> None:
        self.keeper.refuse(reason)

    def _on_status(self, status: CredentialStatus) -> None:
        log.debug("credential status", extra={"reason": status.reason, "task": status.state})
        self._look()
        self._bell.set()

    def _look(self) -> None:
        self.state.look()


class ClusterAsker:
    """Asks under the cluster's own identity while it has one, else under the bootstrap identity."""

    def __init__(self, bootstrap: BootstrapAccess, channel: HubChannel) -> None:
        self._bootstrap = bootstrap
        self._channel = channel

    async def client_for(self, *, renewing: bool) -> Client:
        """Return the client to ask with.

        Raises:
            ConfigError: Bootstrap is needed, and its kubeconfig cannot be used.
            HubNotReadyError: The channel that should renew is not up.
        """
        if renewing:
            return await self._channel.wait_ready(timeout=_RENEWING_PATIENCE)
        return await self._bootstrap.client()


def _without_credential(connection: Connection) -> Connection:
    return dataclasses.replace(
        connection,
        client_certificate_pem=None,
        client_key_pem=None,
        token=None,
        token_file=None,
        exec_plugin=None,
        namespace=None,
        source="hub",
    )


async def _part(part: Awaitable[None]) -> None:
    await part
