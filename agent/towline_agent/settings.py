"""The agent's settings: from flags, `TOWLINE_` environment variables and a file."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from towline_agent.channel.hub_return import DEFAULT_SPREAD
from towline_agent.clusters.registration import agent_annotations, client_configs
from towline_agent.credentials.service_account_tokens import DEFAULT_LIFETIME, SHORTEST_LIFETIME
from towline_agent.hubs.told_hub import told_hub
from towline_agent.moving.choice import DEFAULT_TIMEOUT
from towline_api.addons import KubeClientDriver
from towline_api.dns_names import is_dns_label
from towline_api.duration_field import Duration
from towline_api.errors import ConfigError
from towline_api.names import ADDON_NAMESPACE, AGENT_NAMESPACE, HUB_KUBECONFIG_SECRET
from towline_certs.errors import IdentityError
from towline_certs.identities import check_cluster_name
from towline_kube.connection import Connection
from towline_kube.discovery import pod_namespace
from towline_kube.listen_address import ListenAddress, ListenOrOff
from towline_kube.settings import ProgramSettings

_SHORTEST_CERTIFICATE = timedelta(minutes=10)
"""Kubernetes refuses requests for less."""


def default_listen() -> ListenAddress | None:
    """Return where an agent is looked at: in a pod, where a kubelet and a Prometheus ask."""
    return None if pod_namespace() is None else ListenAddress("0.0.0.0", 8080)  # noqa: S104


class AgentSettings(ProgramSettings):
    """Settings of `towline agent run`."""

    # The managed cluster and its hub

    bootstrap_kubeconfig: Path | None = None
    """Kubeconfig that may ask the hub for a certificate. It also says where the hub is and whom to
    trust there. Read again whenever it changes. Not needed once a credential is stored."""
    bootstrap_kubeconfigs: tuple[Path, ...] = ()
    """Bootstrap kubeconfigs of several hubs, in the order they are tried, in the place of
    `bootstrap-kubeconfig`. The agent is at one hub at a time; it goes to the next one that takes it
    when its hub denies it, has deleted it, or cannot be reached for `hub-connection-timeout`."""
    hub_connection_timeout: Duration = Field(default=DEFAULT_TIMEOUT, gt=timedelta(0))
    """How long the hub may be silent before another one of `bootstrap-kubeconfigs` is tried; 10m,
    as in OCM."""
    wait_for_bootstrap: bool = False
    """Wait for a bootstrap kubeconfig that cannot be read yet, where no credential is stored
    either, instead of ending with an error: in a pod, its Secret may be made later."""
    hub_server: str | None = None
    """URL of the hub, https; with `hub-ca-data` and `bootstrap-token` in the place of a bootstrap
    kubeconfig, as `towline join-command` prints them."""
    hub_ca_data: str | None = None
    """Authorities the hub's certificate has to be signed by, PEM in base64; no others are
    trusted."""
    bootstrap_token: SecretStr | None = None
    """Bootstrap token to ask the hub for a certificate with. The environment variable
    `TOWLINE_BOOTSTRAP_TOKEN` keeps it out of the process list."""
    spoke_kubeconfig: Path | None = None
    """Kubeconfig of the managed cluster; by default the service account of this pod."""
    hosted: bool = False
    """Hosted mode: the agent runs on another cluster than the managed one, whose kubeconfig is
    `spoke-kubeconfig`. Its own Secrets, and those of add-ons that are hosted too, are where it
    runs."""
    hosting_kubeconfig: Path | None = None
    """Kubeconfig of the cluster the agent runs on in hosted mode; by default the service account of
    this pod. Naming one is hosted mode."""
    cluster_name: str | None = None
    """Name of the managed cluster, a DNS label; by default the stored one, else a random UUID."""
    agent_id: str | None = None
    """Name of this agent; by default the stored one, else five random characters."""
    namespace: str = AGENT_NAMESPACE
    """Namespace of the agent on the cluster it runs on, where its Secret is."""
    hub_kubeconfig_secret: str = HUB_KUBECONFIG_SECRET
    """Secret the cluster's credential for the hub rests in."""
    state_dir: Path | None = None
    """Directory to keep the credential in instead of a Secret, for agents outside of a cluster."""
    client_cert_expiration: Duration | None = None
    """Lifetime to ask for, at least 10m; by default the hub's signer decides."""
    hub_return_spread: Duration = Field(default=DEFAULT_SPREAD, gt=timedelta(0))
    """Over what time agents that lost their hub at one moment come back to it; later pauses grow to
    four times as long. Half a minute serves ten thousand; a handful may do with a second."""
    cluster_healthcheck_period: Duration = Field(default=timedelta(minutes=1), gt=timedelta(0))
    """How often the managed cluster's API server is looked at; a minute, as in OCM."""
    spoke_external_server_urls: tuple[str, ...] = ()
    """https URLs of the managed cluster's API server that work from the hub."""
    cluster_annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of the ManagedCluster; keys begin with `agent.open-cluster-management.io`."""
    max_custom_cluster_claims: int = Field(default=20, ge=0)
    """How many cluster claims beside the reserved ones are reported."""
    reserved_cluster_claim_suffixes: tuple[str, ...] = ()
    """Claims whose names end so count as reserved, whatever the limit."""

    listen: ListenOrOff = Field(default_factory=default_listen)
    """Where to serve `/metrics`, `/healthz`, `/readyz` and `/status` by plain HTTP, as HOST:PORT,
    or `off`; by default 0.0.0.0:8080 in a pod, and `off` elsewhere."""

    # Add-ons

    addon_namespaces: tuple[str, ...] = (ADDON_NAMESPACE,)
    """Namespaces add-ons may be installed in."""
    hosting_addon_namespaces: tuple[str, ...] = (ADDON_NAMESPACE,)
    """The same on the hosting cluster, for add-ons that are hosted; only in hosted mode."""
    addons_elsewhere: tuple[str, ...] = ()
    """Add-ons with a process of their own, which applies their configuration and renews their
    Lease; the agent does both for all others."""
    addon_kubeclient_registration_auth: KubeClientDriver = KubeClientDriver.CSR
    """How add-ons come in at the hub: `csr`, each with a certificate, or `token`, with tokens of a
    service account that the hub makes for each."""
    addon_token_lifetime: Duration = Field(default=DEFAULT_LIFETIME, ge=SHORTEST_LIFETIME)
    """Lifetime of such tokens, at least 10m; the API server may give less. The next is asked for
    when a fifth is left, so a hub may be away for as long without an add-on losing it."""

    @property
    def is_hosted(self) -> bool:
        """Whether the agent runs on another cluster than the managed one."""
        return self.hosted or self.hosting_kubeconfig is not None

    @property
    def addon_tokens(self) -> timedelta | None:
        """Lifetime of the tokens with which add-ons come in; None for certificates."""
        by_token = self.addon_kubeclient_registration_auth is KubeClientDriver.TOKEN
        return self.addon_token_lifetime if by_token else None

    @field_validator("cluster_name")
    @classmethod
    def _is_cluster_name(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                check_cluster_name(name)
            except IdentityError as error:
                raise ValueError(str(error)) from error
        return name

    @field_validator("namespace")
    @classmethod
    def _is_namespace(cls, name: str) -> str:
        if not is_dns_label(name):
            raise ValueError(f"{name!r} is not a namespace's name: a DNS label is needed")
        return name

    @field_validator("client_cert_expiration")
    @classmethod
    def _is_long_enough(cls, lifetime: timedelta | None) -> timedelta | None:
        if lifetime is not None and lifetime < _SHORTEST_CERTIFICATE:
            raise ValueError("Kubernetes issues no certificate for less than 10m")
        return lifetime

    @property
    def bootstraps(self) -> tuple[Path | Connection, ...]:
        """All ways to a hub that the settings tell, in the order they are to be tried.

        Raises:
            ConfigError: As for `told_hub`.
        """
        told = self.told_hub
        if told is not None:
            return (told,)
        single = self.bootstrap_kubeconfig
        return self.bootstrap_kubeconfigs if single is None else (single,)

    @property
    def told_hub(self) -> Connection | None:
        """The way to the hub that the settings tell without a kubeconfig, if they do.

        Raises:
            ConfigError: They tell it only in part, or a part cannot be used.
        """
        parts = {
            "hub-server": self.hub_server,
            "hub-ca-data": self.hub_ca_data,
            "bootstrap-token": self.bootstrap_token,
        }
        missing = [name for name, value in parts.items() if value is None]
        if len(missing) == len(parts):
            return None
        given = ", ".join(name for name in parts if name not in missing)
        if self.bootstrap_kubeconfig is not None or self.bootstrap_kubeconfigs:
            file = "bootstrap-kubeconfig" + ("s" if self.bootstrap_kubeconfigs else "")
            raise ConfigError(
                f"{file} and {given} both say how to reach the hub; give one or the other"
            )
        if self.hub_server is None or self.hub_ca_data is None or self.bootstrap_token is None:
            raise ConfigError(
                f"{given}: not enough to reach the hub; give {' and '.join(missing)} as well"
            )
        return told_hub(self.hub_server, ca_data=self.hub_ca_data, token=self.bootstrap_token)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.bootstrap_kubeconfig is not None and self.bootstrap_kubeconfigs:
            raise ValueError(
                "bootstrap-kubeconfig and bootstrap-kubeconfigs: give one or the other"
            )
        if self.is_hosted and self.spoke_kubeconfig is None:
            raise ValueError(
                "hosted mode needs spoke-kubeconfig, the kubeconfig of the managed cluster"
            )
        try:
            _ = self.told_hub
            agent_annotations(self.cluster_annotations)
            client_configs(self.spoke_external_server_urls, ca_pem=None)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self
