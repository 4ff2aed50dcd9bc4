"""The settings of an add-on's hub program: flags, `TOWLINE_` environment variables, a file."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from towline_api.duration_field import Duration
from towline_certs.approval import LONGEST_LIFETIME, SHORTEST_LIFETIME
from towline_certs.keys import KeyKind
from towline_hub.addons.declaration_settings import DeclarationSettings
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.running_settings import RunningSettings
from towline_hub.settings import HubSettings, own_namespace
from towline_hub.signers.settings import SignerSettings, check_signers


class AddonManagerSettings(RunningSettings):
    """Settings of an `AddonManager`."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default the service account of this pod."""
    key_kinds: tuple[KeyKind, ...] = tuple(KeyKind)
    """Kinds of key an agent's certificate may be for; by default all that are strong enough."""
    min_certificate_lifetime: Duration = SHORTEST_LIFETIME
    """Shortest lifetime a request may ask for; Kubernetes takes no shorter one than 10m."""
    max_certificate_lifetime: Duration = LONGEST_LIFETIME
    """Longest lifetime a request may ask for; by default a leap year, so that a signer's usual
    year fits."""
    startup_limit: Duration = Field(default=timedelta(minutes=10), gt=timedelta(0))
    """How long to wait at start for CRDs and first lists before giving up."""
    namespace: str = Field(default_factory=own_namespace)
    """Where replicas elect their leader, and where the Secrets of signers are; by default the
    namespace of this pod, outside a pod open-cluster-management-hub."""
    signers: tuple[SignerSettings, ...] = ()
    """Custom signers this program plays, each with an authority in a Secret; in the settings file a
    list of mappings, as flag or variable the same as JSON."""
    approve_signers: tuple[str, ...] = ()
    """Names of custom signers that somebody else plays, for which this program approves."""

    @field_validator("signers")
    @classmethod
    def _signers_go_together(
        cls, signers: tuple[SignerSettings, ...]
    ) -> tuple[SignerSettings, ...]:
        return check_signers(signers)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_certificate_lifetime > self.max_certificate_lifetime:
            raise ValueError("min_certificate_lifetime is longer than max_certificate_lifetime")
        return self

    def hub_settings(self, declarations: Iterable[AddonDeclaration]) -> HubSettings:
        """Return the settings of the part of a hub that such a program runs.

        Args:
            declarations: The add-ons it looks after.
        """
        return HubSettings(
            kubeconfig=self.kubeconfig,
            key_kinds=self.key_kinds,
            min_certificate_lifetime=self.min_certificate_lifetime,
            max_certificate_lifetime=self.max_certificate_lifetime,
            startup_limit=self.startup_limit,
            namespace=self.namespace,
            signers=self.signers,
            approve_signers=self.approve_signers,
            listen=self.listen,
            leader_election=self.leader_election,
            lease_duration=self.lease_duration,
            renew_deadline=self.renew_deadline,
            retry_period=self.retry_period,
            drain_limit=self.drain_limit,
            addons_only=True,
            declarations=tuple(map(DeclarationSettings.of, declarations)),
        )
