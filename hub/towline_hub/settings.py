"""The settings of the hub's commands: from flags, `TOWLINE_` environment variables and a file."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import CliPositionalArg

from towline_api import names
from towline_api.duration_field import Duration
from towline_certs.approval import LONGEST_LIFETIME, SHORTEST_LIFETIME, BootstrapPolicy
from towline_certs.errors import IdentityError
from towline_certs.identities import check_addon_name
from towline_certs.keys import KeyKind
from towline_hub.approval import ApprovalRules
from towline_hub.signers.settings import SignerSettings, check_signers
from towline_kube.discovery import pod_namespace
from towline_kube.settings import ProgramSettings

_EVERYBODY = frozenset({"system:authenticated", "system:unauthenticated"})


def own_namespace() -> str:
    """Return the namespace of this pod; outside a pod, the one that OCM's hub lives in."""
    return pod_namespace() or names.HUB_NAMESPACE


class HubSettings(ProgramSettings):
    """Settings of `towline hub run`."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default the service account of this pod."""
    install_crds: bool = False
    """Install the CRDs of managed clusters and add-ons, or bring them up to date, at start. Those
    another program installed are left alone. Otherwise the hub waits until they are there."""
    auto_approve_users: tuple[str, ...] = ()
    """Exact user names whose new clusters are accepted, and their requests approved, without a
    person. Nobody by default."""
    auto_approve_groups: tuple[str, ...] = ()
    """The same for everybody in one of these groups."""
    addons: tuple[str, ...] = ()
    """Names of the add-ons this hub looks after; by default every one that has a
    ClusterManagementAddOn."""
    key_kinds: tuple[KeyKind, ...] = tuple(KeyKind)
    """Kinds of key a certificate may be for; by default all that are strong enough."""
    min_certificate_lifetime: Duration = SHORTEST_LIFETIME
    """Shortest lifetime a request may ask for; Kubernetes takes no shorter one than 10m."""
    max_certificate_lifetime: Duration = LONGEST_LIFETIME
    """Longest lifetime a request may ask for; by default a leap year, so that a signer's usual
    year fits."""
    cleanup_limit: Duration = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """How long the deletion of a cluster waits for its agent to clean up. One that is there needs
    seconds; without a limit, one that is gone would hold the deletion for ever."""
    startup_limit: Duration = Field(default=timedelta(minutes=10), gt=timedelta(0))
    """How long to wait at start for CRDs and first lists before giving up."""
    drain_limit: Duration = timedelta(seconds=10)
    """How long a hub that is told to end lets the work under way go on before it cuts it short."""
    namespace: str = Field(default_factory=own_namespace)
    """Where the hub keeps what is its own, such as its Lease; by default the namespace of this pod,
    outside a pod open-cluster-management-hub."""
    signers: tuple[SignerSettings, ...] = ()
    """Custom signers this hub plays, each with an authority in a Secret; in the settings file a
    list of mappings, as flag or variable the same as JSON. Requests for them are approved as others
    are."""

    @field_validator("signers")
    @classmethod
    def _signers_go_together(
        cls, signers: tuple[SignerSettings, ...]
    ) -> tuple[SignerSettings, ...]:
        return check_signers(signers)

    @field_validator("auto_approve_groups")
    @classmethod
    def _is_not_everybody(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            if group in _EVERYBODY:
                raise ValueError(f"{group!r} is everybody; name the group of bootstrap identities")
        return groups

    @field_validator("addons")
    @classmethod
    def _are_addon_names(cls, addons: tuple[str, ...]) -> tuple[str, ...]:
        for addon in addons:
            try:
                check_addon_name(addon)
            except IdentityError as error:
                raise ValueError(str(error)) from error
        return addons

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_certificate_lifetime > self.max_certificate_lifetime:
            raise ValueError("min_certificate_lifetime is longer than max_certificate_lifetime")
        return self

    @property
    def approval_rules(self) -> ApprovalRules:
        """What the approval policy is told."""
        return ApprovalRules(
            bootstrap=BootstrapPolicy(
                users=frozenset(self.auto_approve_users), groups=frozenset(self.auto_approve_groups)
            ),
            key_kinds=frozenset(self.key_kinds),
            min_lifetime=self.min_certificate_lifetime,
            max_lifetime=self.max_certificate_lifetime,
        )


class OutputKind(StrEnum):
    """For whom something is printed."""

    TABLE = "table"
    JSON = "json"


class StatusSettings(ProgramSettings):
    """Settings of `towline status`."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""


class AcceptSettings(ProgramSettings):
    """Settings of `towline accept`."""

    cluster: CliPositionalArg[str]
    """Name of the managed cluster."""
    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it."""
    request: str | None = None
    """Name of the request to approve, if the cluster has several."""
