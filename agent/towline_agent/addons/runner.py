"""Everything that runs for one add-on: its credentials, its channel, and the work it is for."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from towline_agent.addons.credentials import AddonCredentials, HubCredential
from towline_agent.addons.home import AddonHome, Side
from towline_agent.applying.ownership import Owner
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.credentials.service_account_tokens import RefreshReport, ServiceAccountToken
from towline_agent.credentials.state import Standing
from towline_agent.credentials.status import RotationReport
from towline_agent.running.task_set import TaskSet
from towline_agent.station.addon_station import AddonProcess, AddonView, Station
from towline_agent.station.lease import LeaseRecord
from towline_agent.station.overview import AddonOverview, told_faults
from towline_agent.station.user_code import UserCode
from towline_api.addon_codec import AddonCodec
from towline_api.addons import KubeClientDriver, ManagedClusterAddon
from towline_api.errors import WireError
from towline_certs.credentials import Credential
from towline_kube.client import Call, Client
from towline_kube.clock import Clock
from towline_kube.connection import Connection
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all add-ons of one cluster share.

    Args:
        cluster: Name of the managed cluster.
        channel: The hub under the cluster's own identity.
        codec: Of the API version the hub serves.
        spoke: The managed cluster.
        lifetime: Lifetime to ask for in certificates; None leaves it to the signer.
        tokens: Lifetime of the tokens with which add-ons come in; None for certificates.
        on_hub_call: Told each call of an add-on's channel, for counting.
        clock: Time.
    """

    cluster: str
    channel: HubChannel
    codec: AddonCodec
    spoke: Client
    lifetime: timedelta | None
    tokens: timedelta | None = None
    on_hub_call: Callable[[Call], None] | None = None
    clock: Clock


class AddonRunner:
    """One add-on of this cluster.

    Args:
        name: Name of the add-on.
        around: What it shares with the others.
        home: The cluster its agent runs on.
        find: Returns the add-on as the hub describes it now; None while it is unknown.
        on_change: Called whenever there may be news to report.
        process: Does what the add-on is for, in this process; None if that happens elsewhere.
        find_account_uid: Returns the UID of its service account on the hub; None until there is
            one.
    """

    def __init__(
        self,
        name: str,
        *,
        around: Surroundings,
        home: AddonHome,
        find: Callable[[], ManagedClusterAddon | None],
        on_change: Callable[[], None],
        process: AddonProcess | None,
        find_account_uid: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._owner = Owner(around.cluster, name)
        self._around = around
        self.home = home
        """The cluster its agent runs on."""
        self._on_change = on_change
        self._process = process
        self._channel = HubChannel(
            on_call=around.on_hub_call, patience=around.channel.patience, clock=around.clock
        )
        self._credential: HubCredential | None = None
        self._offered: Connection | None = None
        self._credentials = AddonCredentials(
            self._owner,
            channel=around.channel,
            spoke=home.client,
            on_hub_credential=self._use,
            on_certificate=self._channel.certificates.offer,
            on_change=on_change,
            lifetime=around.lifetime,
            tokens=around.tokens,
            find_account_uid=find_account_uid,
            standing=self._standing,
            clock=around.clock,
        )
        self._work: TaskSet[str] = TaskSet(clock=around.clock)
        self._install_namespace: str | None = None
        self._is_followed = False
        # What an earlier process, or an earlier registration, may have left behind.
        self._old_secrets = True
        self._old_objects = process is not None
        self.view = AddonView(find)
        """The add-on, for whatever works for it."""
        self.is_cleaned_up = False
        """Whether the process has done what it has to do for an add-on that is gone."""
        self.code = UserCode(name, on_change=on_change)
        """How its developer's functions fare, as far as they run in this process."""
        self.outcome: ConfigurationOutcome | None = None
        """How the configuration stands; None while this process has nothing to do with it."""
        self._applied = self._failed = 0
        self._lease = LeaseRecord()

    async def run(self) -> NoReturn:
        """Serve the add-on until cancelled; what is on the managed cluster stays there."""
        name = self._owner.addon
        if self._process is not None:
            process, station = self._process, self._station()
            self._work.start(
                "process", lambda: process.work(station), name=f"work-for-addon/{name}"
            )
        async with TaskGroup() as group:
            group.create_task(self._credentials.run(), name=f"keep-credentials/{name}")
            group.create_task(self._channel.run(), name=f"keep-channel/{name}")
            group.create_task(self._work.run(), name=f"keep-working/{name}")
        raise AssertionError("unreachable: all tasks are endless")

    @property
    def are_credentials_earned(self) -> bool:
        """Whether every credential that the hub says it needs is there and usable."""
        return self._is_followed and self._credentials.are_earned

    def rotation(self) -> RotationReport | None:
        """Return what to tell the hub about the add-on's certificates."""
        return self._credentials.rotation()

    def refresh(self) -> RefreshReport | None:
        """Return what to tell the hub about the add-on's token."""
        return self._credentials.refresh()

    @property
    def driver(self) -> KubeClientDriver:
        """How the add-on comes in at the hub's API server."""
        return self._credentials.driver

    async def follow(self, addon: ManagedClusterAddon) -> None:
        """Bring what runs in line with the add-on as the hub describes it now.

        Raises:
            TowlineError: The managed cluster could not be asked about what is left over.
        """
        self.is_cleaned_up = False
        if await self._credentials.follow(addon):
            self._old_secrets = True
        self._is_followed = True
        if addon.install_namespace != self._install_namespace:
            self._install_namespace = addon.install_namespace
            self._old_objects = self._process is not None
        self._offer()
        if self.driver is KubeClientDriver.TOKEN:
            # What the hub says about the account, no watch of the keeper's own tells.
            self._credentials.look_again()
        self.view.ring()
        # What has no successor yet stays, so before there is one there is nothing to look for.
        if self._old_secrets and self._credentials.are_earned:
            await self._remove_old_secrets()
            self._old_secrets = False
        if self._old_objects and self._is_serving(addon.install_namespace):
            kept = () if self._process is None else self._process.applies_in
            await self.home.leftovers.remove(
                self._owner, outside=addon.install_namespace, kept=kept
            )
            self._old_objects = False

    def overview(self) -> AddonOverview:
        """Return how the add-on is at this moment."""
        return AddonOverview(
            name=self._owner.addon,
            credentials=self._credentials.overview(),
            outcome=self.outcome,
            applied=self._applied,
            failed=self._failed,
            faults=told_faults(self.code),
            code_failures=dict(self.code.failures),
            checks=dict(self.code.checks),
            lease=None if self._process is None else self._lease,
        )

    def _standing(self) -> Standing:
        try:
            addon = self.view.addon
        except WireError:
            addon = None  # whoever serves it says what is wrong with it
        if addon is not None and addon.is_being_deleted:
            return Standing.GONE
        return Standing.ACCEPTED if self._channel.is_ready else Standing.UNKNOWN

    def _take_cleaned_up(self) -> None:
        self.is_cleaned_up = True
        self._on_change()

    def _is_serving(self, namespace: str) -> bool:
        outcome = self.outcome
        return outcome is not None and outcome.is_serving and outcome.namespace == namespace

    async def _remove_old_secrets(self) -> None:
        leftovers = self.home.leftovers
        present = await leftovers.secrets(self._owner)
        for key in self._credentials.superseded(present):
            await leftovers.delete_secret(key)

    def _station(self) -> Station:
        return Station(
            owner=self._owner,
            hub=self._channel,
            codec=self._around.codec,
            spoke=self._around.spoke,
            view=self.view,
            report=self._take,
            code=self.code,
            cleaned_up=self._take_cleaned_up,
            hosting=self.home.client if self.home.side is Side.HOSTING else None,
            lease=self._lease,
            clock=self._around.clock,
        )

    def _use(self, credential: HubCredential) -> None:
        self._credential = credential
        self._offer()

    def _offer(self) -> None:
        """Put the credential into use, with whatever the hub's address and CA are now."""
        if self._credential is None:
            return
        connection = replace(
            self._around.channel.connection,
            client_certificate_pem=None,
            client_key_pem=None,
            source=f"the credential of add-on {self._owner.addon}",
        )
        match self._credential:
            case ServiceAccountToken(text=text):
                connection = replace(connection, token=text)
            case Credential(certificate_pem=certificate_pem, key_pem=key_pem):
                connection = replace(
                    connection, client_certificate_pem=certificate_pem, client_key_pem=key_pem
                )
        if connection != self._offered:
            self._offered = connection
            self._channel.offer(connection)
            # The kubeconfig beside the credential names address and CA as well.
            self._credentials.look_again()

    def _take(self, outcome: ConfigurationOutcome) -> None:
        if outcome == self.outcome:
            return
        self.outcome = outcome
        self._applied += not outcome.troubles and not outcome.awaited
        self._failed += bool(outcome.troubles)
        facts: dict[str, str] = {"addon": self._owner.addon}
        if outcome.troubles:
            facts["reason"] = "; ".join(outcome.troubles)
            log.warning("configuration is not wholly in force", extra=facts)
        elif outcome.awaited:
            facts["reason"] = "; ".join(outcome.awaited)
            log.info("configuration is incomplete", extra=facts)
        else:
            log.info("configuration is in force", extra=facts)
        self._on_change()
