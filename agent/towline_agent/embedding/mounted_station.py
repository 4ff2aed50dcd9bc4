"""An add-on's station behind an agent that keeps its credential in a mounted Secret."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from towline_agent.addons.status import AddonFacts, agent_status
from towline_agent.agent_clusters import open_clusters
from towline_agent.applying.ownership import Owner
from towline_agent.channel.client_certificate import ClientCertificate, ClientCertificates
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.hub_return import return_policy
from towline_agent.channel.mounted_certificate import MountedCertificate, mounted_certificate_folder
from towline_agent.channel.mounted_credential import MountedCredential
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.embedding.settings import AddonSettings
from towline_agent.station.addon_station import AddonProcess, AddonView, Station
from towline_agent.station.user_code import UserCode
from towline_api.addon_codec import AddonCodec
from towline_api.addons import ManagedClusterAddon
from towline_api.errors import ConfigError
from towline_api.metadata import name_of
from towline_api.names import CLUSTER_NAME_KEY
from towline_certs.errors import IdentityError
from towline_certs.identities import AddonIdentity
from towline_kube.addon_api import wait_for_codec
from towline_kube.cache import Cache
from towline_kube.client import Call, Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.controller import DONE, Controller, Result
from towline_kube.errors import Forbidden
from towline_kube.patience import Patience
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationObservers:
    """Who looks on while an add-on's code works.

    Args:
        on_hub_call: Told each call to the hub.
        on_spoke_call: Told each call to the managed cluster.
        on_channel: Told the channel once there is one, before it is up.
        on_hosting_call: Told each call to the hosting cluster.
    """

    on_hub_call: Callable[[Call], None] | None = None
    on_spoke_call: Callable[[Call], None] | None = None
    on_channel: Callable[[HubChannel], None] | None = None
    on_hosting_call: Callable[[Call], None] | None = None


async def work_behind_agent(
    name: str,
    process: AddonProcess,
    *,
    settings: AddonSettings,
    observers: StationObservers | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> NoReturn:
    """Let an add-on's code work with a mounted credential, until cancelled.

    Args:
        name: Name of the add-on.
        process: Its code.
        settings: Where the credential and the managed cluster are.
        observers: Who looks on.
        clock: Time.

    Raises:
        ConfigError: The settings name something that cannot be used.
    """
    observers = observers or StationObservers()
    async with (
        open_clusters(
            settings,
            on_managed_call=observers.on_spoke_call,
            on_hosting_call=observers.on_hosting_call,
            clock=clock,
        ) as clusters,
        TaskGroup() as group,
    ):
        group.create_task(clusters.keep_current(), name=f"follow-managed-kubeconfig/{name}")

        def keep(certificate: ClientCertificate) -> None:
            folder = mounted_certificate_folder(
                certificate.signer,
                addon=name,
                said=settings.client_certificates,
                hub_kubeconfig=settings.hub_kubeconfig,
            )
            group.create_task(
                MountedCertificate(folder, clock=clock).watch(certificate.offer),
                name=f"watch-certificate/{certificate.signer}",
            )

        certificates = ClientCertificates(on_wanted=keep, clock=clock)
        channel = HubChannel(
            certificates=certificates,
            on_call=observers.on_hub_call,
            patience=Patience(return_policy(settings.hub_return_spread), clock=clock),
            clock=clock,
        )
        if observers.on_channel is not None:
            observers.on_channel(channel)
        credential = MountedCredential(settings.hub_kubeconfig, clock=clock)
        group.create_task(credential.watch(channel.offer), name=f"watch-credential/{name}")
        group.create_task(channel.run(), name=f"keep-channel/{name}")
        hub = await channel.wait_ready()
        cluster = settings.cluster_name or await _cluster_of(hub, credential)
        codec = await wait_for_codec(hub, clock=clock)
        registration = _Registration(Owner(cluster, name), hub=hub, codec=codec, clock=clock)
        group.create_task(registration.run(), name=f"follow-registration/{name}")
        station = Station(
            owner=registration.owner,
            hub=channel,
            codec=codec,
            spoke=clusters.managed,
            hosting=clusters.hosting,
            view=registration.view,
            report=registration.report,
            code=registration.code,
            clock=clock,
        )
        await process.work(station)
    raise AssertionError("unreachable: an add-on's work is endless")


class _Registration:
    """The add-on's own ManagedClusterAddOn, read and reported to under the add-on's credential."""

    def __init__(self, owner: Owner, *, hub: Client, codec: AddonCodec, clock: Clock) -> None:
        self.owner = owner
        self._hub = hub
        self._codec = codec
        self._clock = clock
        self._outcome: ConfigurationOutcome | None = None
        self._was_refused = False
        self._cache = Cache(
            hub,
            codec.managed_cluster_addons,
            namespace=owner.cluster,
            # An add-on may see its own object and no other.
            field_selector=f"metadata.name={owner.addon}",
            clock=clock,
        )
        self._controller: Controller[str] = Controller(
            "report-configuration", self._reconcile, clock=clock
        )
        self._controller.feed_from(self._cache, lambda obj: (name_of(obj),))
        self.code = UserCode(owner.addon, on_change=self._look_again)
        self.view = AddonView(self._find, is_known=lambda: self._cache.synced)
        self._cache.on_change(lambda _: self.view.ring())

    async def run(self) -> NoReturn:
        """Follow the object until cancelled."""
        async with TaskGroup() as group:
            group.create_task(self._cache.run(), name=f"watch-addon/{self.owner.addon}")
            group.create_task(self._controller.run(), name=f"report-addon/{self.owner.addon}")
            # A first list without the object is news too, and changes nothing.
            await self._cache.wait_synced()
            self.view.ring()
        raise AssertionError("unreachable: the tasks are endless")

    def report(self, outcome: ConfigurationOutcome) -> None:
        """Take how the configuration stands."""
        if outcome != self._outcome:
            self._outcome = outcome
            self._controller.enqueue(self.owner.addon)

    def _look_again(self) -> None:
        self._controller.enqueue(self.owner.addon)

    def _find(self) -> ManagedClusterAddon | None:
        obj = self._cache.find(self.owner.addon, self.owner.cluster)
        return None if obj is None else self._codec.decode_addon(obj)

    async def _reconcile(self, _: str) -> Result:
        obj = self._cache.find(self.owner.addon, self.owner.cluster)
        if obj is None:
            return DONE
        status = agent_status(
            obj,
            AddonFacts(outcome=self._outcome, code=self.code.report()),
            cluster=None,
            codec=self._codec,
            now=self._clock.now(),
            driver=None,
        )
        try:
            await self._hub.patch_status(self._codec.managed_cluster_addons, obj, status)
        except Forbidden as error:
            # Not every hub lets add-ons say what they applied. The work goes on without.
            if not self._was_refused:
                self._was_refused = True
                log.info(
                    "the hub does not let this add-on report its configuration",
                    extra={"addon": self.owner.addon, "reason": str(error)},
                )
        return DONE


async def _cluster_of(hub: Client, credential: MountedCredential) -> str:
    """Return the cluster's name as stored beside the credential, else as the credential says."""
    beside = credential.path.with_name(CLUSTER_NAME_KEY)
    if beside.exists():
        return beside.read_text().strip()
    user = (await hub.whoami()).username
    try:
        return AddonIdentity.parse_user(user).cluster
    except IdentityError as error:
        raise ConfigError(
            f"cannot tell which cluster this is: there is no file {beside}, and the hub knows us "
            f"as {user!r}; set cluster_name"
        ) from error
