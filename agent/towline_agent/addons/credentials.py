"""One add-on's credentials: a keeper for each, and no Secret of ours that is not wanted."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from towline_agent.addons.registrations import (
    UnusableRegistration,
    WantedCredential,
    WantedToken,
    is_settled,
    superseded_secrets,
    wanted_credentials,
)
from towline_agent.addons.status import worst_rotation
from towline_agent.applying.ownership import Owner
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.credentials.asker import ChannelAsker
from towline_agent.credentials.keeper import CredentialKeeper
from towline_agent.credentials.secret_store import SecretStore
from towline_agent.credentials.service_account_tokens import RefreshReport, ServiceAccountToken
from towline_agent.credentials.state import Standing
from towline_agent.credentials.state_tracking import StateTracker
from towline_agent.credentials.status import RotationReport, rotation_report
from towline_agent.credentials.token_keeper import TokenKeeper
from towline_agent.running.task_set import TaskSet
from towline_agent.station.overview import CredentialOverview
from towline_api.addons import KubeClientDriver, ManagedClusterAddon
from towline_api.metadata import ObjectKey
from towline_api.names import (
    CLUSTER_NAME_KEY,
    KUBECONFIG_KEY,
    TLS_CERTIFICATE_KEY,
    TLS_KEY_KEY,
    TOKEN_KEY,
)
from towline_certs.credentials import Credential
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.kubeconfig_writing import format_kubeconfig

log = logging.getLogger(__name__)


HubCredential = Credential | ServiceAccountToken
"""What opens the hub's API server to an add-on."""

_CERTIFICATE_FILES = frozenset({TLS_KEY_KEY, TLS_CERTIFICATE_KEY})
_TOKEN_FILES = frozenset({TOKEN_KEY})


@dataclass(frozen=True, slots=True)
class _Kept:
    """A credential that is being kept."""

    wanted: WantedCredential | WantedToken
    keeper: CredentialKeeper | TokenKeeper
    state: StateTracker

    @property
    def is_earned(self) -> bool:
        """Whether there is one to use."""
        if isinstance(self.keeper, TokenKeeper):
            return self.keeper.token is not None
        return self.keeper.credential is not None


class AddonCredentials:
    """Earns and keeps what an add-on's registrations ask for.

    Args:
        owner: The add-on.
        channel: The hub under the cluster's own identity, which asks for every add-on.
        spoke: The managed cluster.
        on_hub_credential: Told each credential for the hub that is put into use.
        on_certificate: Told each certificate of a signer of the add-on's own, with the signer.
        on_change: Called whenever a credential or its status has changed.
        lifetime: Lifetime to ask for; None leaves it to the signer.
        tokens: Lifetime of the tokens with which the add-on comes in; None for certificates.
        find_account_uid: Returns the UID of its service account on the hub; None until there is
            one.
        standing: Returns what the hub says of the add-on.
        clock: Time.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        channel: HubChannel,
        spoke: Client,
        on_hub_credential: Callable[[HubCredential], None],
        on_certificate: Callable[[str, Credential], None] = lambda _signer, _credential: None,
        on_change: Callable[[], None],
        lifetime: timedelta | None,
        tokens: timedelta | None = None,
        find_account_uid: Callable[[], str | None] = lambda: None,
        standing: Callable[[], Standing] = lambda: Standing.UNKNOWN,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._owner = owner
        self._standing = standing
        self._token_lifetime = tokens
        self._find_account_uid = find_account_uid
        self._channel = channel
        self._spoke = spoke
        self._on_hub_credential = on_hub_credential
        self._on_certificate = on_certificate
        self._on_change = on_change
        self._lifetime = lifetime
        self._clock = clock
        self._tasks: TaskSet[ObjectKey] = TaskSet(clock=clock)
        self._kept: dict[ObjectKey, _Kept] = {}
        self._unusable: tuple[UnusableRegistration, ...] = ()

    async def run(self) -> NoReturn:
        """Keep the credentials until cancelled; they stay where they are."""
        await self._tasks.run()

    async def follow(self, addon: ManagedClusterAddon) -> bool:
        """Keep what these registrations ask for, and nothing else; return whether that is new.

        A credential whose registration changed stays in its Secret until its successor is earned.
        """
        if not is_settled(addon, driver=self.driver):
            return False
        credentials, unusable = wanted_credentials(
            addon, lifetime=self._lifetime, tokens=self._token_lifetime
        )
        if unusable != self._unusable:
            self._unusable = unusable
            for registration in unusable:
                log.warning(
                    "registration cannot be served",
                    extra={
                        "addon": self._owner.addon,
                        "object": registration.signer,
                        "reason": registration.reason,
                    },
                )
        wanted = {credential.secret: credential for credential in credentials}
        outdated = [key for key, kept in self._kept.items() if wanted.get(key) != kept.wanted]
        for key in outdated:
            del self._kept[key]
            await self._tasks.stop(key)
        missing = [credential for key, credential in wanted.items() if key not in self._kept]
        for credential in missing:
            self._keep(credential)
        return bool(outdated or missing)

    def superseded(self, present: list[ObjectKey]) -> tuple[ObjectKey, ...]:
        """Return which of these Secrets of the add-on, made by us, can go."""
        return superseded_secrets(
            present,
            wanted=tuple(kept.wanted for kept in self._kept.values()),
            earned=frozenset(place for place, kept in self._kept.items() if kept.is_earned),
        )

    @property
    def are_earned(self) -> bool:
        """Whether every credential is there and usable."""
        return all(kept.is_earned for kept in self._kept.values())

    @property
    def driver(self) -> KubeClientDriver:
        """How the add-on comes in at the hub's API server."""
        return KubeClientDriver.CSR if self._token_lifetime is None else KubeClientDriver.TOKEN

    def rotation(self) -> RotationReport | None:
        """Return what to tell the hub about the certificates; None while there is nothing."""
        keepers = [kept.keeper for kept in self._kept.values()]
        return worst_rotation(
            [rotation_report(item.status) for item in keepers if isinstance(item, CredentialKeeper)]
        )

    def refresh(self) -> RefreshReport | None:
        """Return what to tell the hub about the token; None while there is nothing."""
        keepers = [kept.keeper for kept in self._kept.values()]
        reports = [item.report() for item in keepers if isinstance(item, TokenKeeper)]
        return next((report for report in reports if report is not None), None)

    def overview(self) -> tuple[CredentialOverview, ...]:
        """Return how each credential is at this moment."""
        return tuple(
            CredentialOverview(
                store=f"secret {place}",
                report=kept.state.look(),
                facts=kept.keeper.facts,
                renewals=kept.keeper.renewals,
                failures=kept.keeper.failures,
            )
            for place, kept in sorted(self._kept.items())
        )

    def _on_status(self) -> None:
        for kept in self._kept.values():
            kept.state.look()
        self._on_change()

    def look_again(self) -> None:
        """Have what is stored beside the credentials brought up to date."""
        for kept in self._kept.values():
            kept.keeper.look_again()

    def _keep(self, wanted: WantedCredential | WantedToken) -> None:
        keeper: CredentialKeeper | TokenKeeper
        if isinstance(wanted, WantedToken):
            keeper = self._token_keeper(wanted)
        else:
            keeper = self._certificate_keeper(wanted)
        place = wanted.secret
        is_for_hub = isinstance(wanted, WantedToken) or wanted.is_for_hub
        state = StateTracker(
            f"add-on {self._owner.addon} ({place})",
            facts=lambda: keeper.facts,
            # What opens another endpoint nobody can prove here.
            standing=self._standing if is_for_hub else lambda: Standing.ACCEPTED,
            now=self._clock.now,
        )
        self._kept[place] = _Kept(wanted, keeper, state)
        self._tasks.start(place, keeper.run, name=f"keep-credential/{place}")

    def _token_keeper(self, wanted: WantedToken) -> TokenKeeper:
        return TokenKeeper(
            wanted.order,
            store=self._store(wanted.secret, drops=_CERTIFICATE_FILES),
            channel=self._channel,
            find_uid=self._find_account_uid,
            beside=self._beside_token,
            on_token=self._on_hub_credential,
            on_status=self._on_status,
            clock=self._clock,
        )

    def _certificate_keeper(self, wanted: WantedCredential) -> CredentialKeeper:
        return CredentialKeeper(
            wanted.order,
            store=self._store(wanted.secret, drops=_TOKEN_FILES),
            asker=ChannelAsker(self._channel),
            hub=self._channel.connection.server,
            beside=lambda: self._beside(wanted),
            on_credential=lambda credential: self._use(wanted, credential),
            on_status=lambda _: self._on_status(),
            clock=self._clock,
        )

    def _store(self, place: ObjectKey, *, drops: frozenset[str]) -> SecretStore:
        return SecretStore(
            self._spoke,
            namespace=place.namespace or "",
            name=place.name,
            labels=self._owner.labels,
            make_namespace=True,
            drops=drops,
            clock=self._clock,
        )

    def _beside_token(self) -> Mapping[str, bytes]:
        kubeconfig = format_kubeconfig(self._channel.connection, token_file=TOKEN_KEY)
        return {
            CLUSTER_NAME_KEY: self._owner.cluster.encode(),
            KUBECONFIG_KEY: kubeconfig.encode(),
        }

    def _beside(self, wanted: WantedCredential) -> Mapping[str, bytes]:
        beside = {CLUSTER_NAME_KEY: self._owner.cluster.encode()}
        if wanted.is_for_hub:
            beside[KUBECONFIG_KEY] = format_kubeconfig(self._channel.connection).encode()
        return beside

    def _use(self, wanted: WantedCredential, credential: Credential) -> None:
        if wanted.is_for_hub:
            self._on_hub_credential(credential)
        else:
            self._on_certificate(wanted.order.signer, credential)
        self._on_change()
