"""The settings of a program that embeds an add-on's agent."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from towline_agent.embedding.removal import REMOVAL_LIMIT
from towline_agent.settings import AgentSettings
from towline_api.duration_field import Duration
from towline_kube.listen_address import ListenOrOff

MOUNTED_KUBECONFIG = Path("/var/run/hub/kubeconfig")
"""Where OCM's examples mount the Secret with an add-on's credential."""


class AddonSettings(AgentSettings):
    """Settings of an add-on's program.

    With a bootstrap kubeconfig the program is the whole agent of its cluster. Without one it stands
    behind an agent that keeps the add-on's credential, and only the settings below matter, the
    managed cluster's kubeconfig and logging.
    """

    hub_kubeconfig: Path = MOUNTED_KUBECONFIG
    """Kubeconfig of the add-on's own credential, in the mounted Secret. Taken over live whenever it
    changes. Not looked at when there is a bootstrap kubeconfig."""
    client_certificates: dict[str, Path] = Field(default_factory=dict)
    """Folders with the add-on's certificates by signers of its own, by name of the signer, as their
    Secrets are mounted; by default `ADDON-SIGNER-client-cert` beside the folder of
    `hub-kubeconfig`. Taken over live. Not looked at when there is a bootstrap kubeconfig."""
    listen: ListenOrOff = None
    """Where to serve `/metrics`, `/healthz`, `/readyz` and `/status` by plain HTTP, as HOST:PORT;
    `off`, the default, serves none: an add-on's own program may have an endpoint already."""
    addon_namespace: str | None = None
    """Namespace of the add-on on the managed cluster, for its Lease; by default where the hub says
    that it is installed."""

    removal_limit: Duration = Field(default=REMOVAL_LIMIT, gt=timedelta(0))
    """How long the add-on's own code may take, all tries together, for what it does when the add-on
    is removed."""

    @property
    def is_standalone(self) -> bool:
        """Whether the program is its cluster's agent as well."""
        return bool(self.bootstraps)
