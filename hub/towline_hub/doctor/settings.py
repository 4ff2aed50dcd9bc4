"""The settings of `towline doctor`."""

from pathlib import Path

from pydantic import AliasChoices, Field

from towline_api import names
from towline_hub.deploying.deployment import SERVICE_ACCOUNT
from towline_kube.output_kind import OutputKind
from towline_kube.settings import ProgramSettings


class DoctorSettings(ProgramSettings):
    """Settings of `towline doctor`."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it. An operator's sees most; the hub's own
    works, too."""
    namespace: str = names.HUB_NAMESPACE
    """Namespace the hub runs in."""
    hub_user: str | None = None
    """User name the hub runs as, if that is not its service account `towline-hub`."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""

    @property
    def user(self) -> str:
        """The user name the hub runs as."""
        return self.hub_user or f"system:serviceaccount:{self.namespace}:{SERVICE_ACCOUNT}"
