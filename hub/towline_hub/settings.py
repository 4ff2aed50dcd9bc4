"""The settings of the hub's commands: from flags, `TOWLINE_` environment variables and a file."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, field_validator, model_validator

from towline_api import names
from towline_api.duration_field import Duration
from towline_certs.errors import IdentityError
from towline_certs.identities import check_addon_name
from towline_hub.addons.declaration_settings import (
    DeclarationSettings,
    check_declarations,
    declarations_of,
)
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.approval.settings import ApprovalSettings
from towline_hub.running_settings import RunningSettings
from towline_hub.webhook.settings import WebhookSettings
from towline_kube.discovery import pod_namespace
from towline_kube.output_kind import OutputKind
from towline_kube.settings import ProgramSettings


def own_namespace() -> str:
    """Return the namespace of this pod; outside a pod, the one that OCM's hub lives in."""
    return pod_namespace() or names.HUB_NAMESPACE


class HubSettings(ApprovalSettings, RunningSettings, WebhookSettings):
    """Settings of `towline hub run`."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default the service account of this pod."""
    install_crds: bool = False
    """Install the CRDs of managed clusters and add-ons, or bring them up to date, at start. Those
    another program installed are left alone. Otherwise the hub waits until they are there."""
    addons: tuple[str, ...] = ()
    """Names of the add-ons this hub looks after, beside those it declares; by default every one
    that has a ClusterManagementAddOn."""
    addons_only: bool = False
    """Look after add-ons, those that are named or declared, on a hub that belongs to another
    program, and touch nothing else there."""
    declarations: tuple[DeclarationSettings, ...] = ()
    """Add-ons with what their agents get on the hub; in the settings file a list of mappings, as
    flag or variable the same as JSON. Each gets its ClusterManagementAddOn."""
    cleanup_limit: Duration = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """How long the deletion of a cluster waits for its agent to clean up. One that is there needs
    seconds; without a limit, one that is gone would hold the deletion for ever."""
    startup_limit: Duration = Field(default=timedelta(minutes=10), gt=timedelta(0))
    """How long to wait at start for CRDs and first lists before giving up."""
    namespace: str = Field(default_factory=own_namespace)
    """Where the hub keeps what is its own, such as its Lease; by default the namespace of this pod,
    outside a pod open-cluster-management-hub."""

    @field_validator("declarations")
    @classmethod
    def _declarations_go_together(
        cls, declarations: tuple[DeclarationSettings, ...]
    ) -> tuple[DeclarationSettings, ...]:
        return check_declarations(declarations)

    @model_validator(mode="after")
    def _addons_only_names_some(self) -> Self:
        if self.addons_only and not (self.addons or self.declarations):
            raise ValueError("--addons-only needs --addons or declarations: which add-ons?")
        if self.addons_only and self.install_crds:
            raise ValueError("--addons-only touches no CRD; leave --install-crds out")
        return self

    @field_validator("addons")
    @classmethod
    def _are_addon_names(cls, addons: tuple[str, ...]) -> tuple[str, ...]:
        for addon in addons:
            try:
                check_addon_name(addon)
            except IdentityError as error:
                raise ValueError(str(error)) from error
        return addons

    @property
    def addon_declarations(self) -> tuple[AddonDeclaration, ...]:
        """The declared add-ons."""
        return declarations_of(self.declarations)


class StatusSettings(ProgramSettings):
    """Settings of `towline status`."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it."""
    cluster: tuple[str, ...] = ()
    """Show these clusters only, with their add-ons and requests; by default all."""
    problems: bool = False
    """Show only what does not work, and requests that wait."""
    watch: bool = False
    """Go on showing it until Ctrl-C: on a terminal as a picture that is kept current, elsewhere a
    line for each change."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""
