"""Add-ons as values that no API version shapes.

The hub and the agent decide on these. Where v1alpha1 and v1beta1 put the same fact in different
places, `towline_api.addon_codec` knows where; nothing else does.
"""

from dataclasses import dataclass
from enum import StrEnum

from towline_api.metadata import ObjectKey
from towline_api.names import ADDON_NAMESPACE


class HealthMode(StrEnum):
    """Who says whether an add-on is healthy."""

    LEASE = "Lease"
    """The cluster's agent, from the Lease the add-on renews on the managed cluster."""
    CUSTOMIZED = "Customized"
    """The add-on itself, which writes its `Available` condition."""


class KubeClientDriver(StrEnum):
    """How an agent authenticates its add-on to the hub's API server."""

    CSR = "csr"
    TOKEN = "token"  # noqa: S105 - a word of the API


@dataclass(frozen=True, slots=True)
class SubjectSpec:
    """The identity an add-on's certificate is to carry; empty parts are filled in by the agent.

    Args:
        user: Common name.
        groups: Organizations.
        organization_units: Organizational units; only custom signers look at them.
    """

    user: str = ""
    groups: tuple[str, ...] = ()
    organization_units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KubeClientRegistration:
    """The agent shall get a credential for the hub's API server.

    Args:
        subject: Whom the credential names.
        driver: How the agent gets it; None until the agent has said so, which means `csr`.
    """

    subject: SubjectSpec
    driver: KubeClientDriver | None = None


@dataclass(frozen=True, slots=True)
class CustomSignerRegistration:
    """The agent shall get a certificate from a signer of the add-on's own.

    Args:
        signer_name: Which signer, as `example.com/name`.
        subject: Whom the certificate names.
    """

    signer_name: str
    subject: SubjectSpec


Registration = KubeClientRegistration | CustomSignerRegistration


@dataclass(frozen=True, slots=True, order=True)
class ConfigKind:
    """A kind of configuration object: API group (empty for the core group) and plural name."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class AddonConfig:
    """One configuration object somebody chose for an add-on."""

    kind: ConfigKind
    key: ObjectKey


@dataclass(frozen=True, slots=True)
class HashedConfig:
    """A configuration object in one state; `spec_hash` is empty until somebody has computed it."""

    key: ObjectKey
    spec_hash: str = ""


@dataclass(frozen=True, slots=True)
class ConfigReference:
    """What an add-on should be configured with, and what it is configured with.

    Args:
        kind: Kind of the configuration.
        desired: What should be applied.
        last_applied: What was applied last; None if nothing ever was.
        last_observed_generation: Generation of the object that `desired` was computed from.
    """

    kind: ConfigKind
    desired: HashedConfig
    last_applied: HashedConfig | None = None
    last_observed_generation: int = 0

    @property
    def is_applied(self) -> bool:
        """Whether what is applied is what is desired; never while the hash is unknown."""
        return bool(self.desired.spec_hash) and self.last_applied == self.desired


@dataclass(frozen=True, slots=True)
class DisplayMeta:
    """How an add-on presents itself to people."""

    display_name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class ManagedClusterAddon:
    """One add-on on one managed cluster.

    Conditions are not part of it: read and write them with `towline_api.conditions`.

    Args:
        name: Name of the add-on.
        cluster: Name of the managed cluster, which is also the namespace on the hub.
        uid: Tells this add-on from a later one of the same name; empty before it is stored.
        is_being_deleted: Whether only finalizers hold it.
        configs: What the cluster's owner chose, in order; goes before every default.
        requested_namespace: Install namespace somebody asked for; None if nobody did.
        agent_namespace: Install namespace as the hub decided it; None until it has.
        hosting_cluster: Cluster on which the agent runs instead of its own; None if it does not.
        registrations: Credentials the agent shall get, in order.
        health_mode: Who says whether it is healthy; None until the hub has said so.
        supported_configs: Kinds of configuration the add-on understands.
        config_references: What it should be and is configured with.
        display: How it presents itself.
    """

    name: str
    cluster: str
    uid: str = ""
    is_being_deleted: bool = False
    configs: tuple[AddonConfig, ...] = ()
    requested_namespace: str | None = None
    agent_namespace: str | None = None
    hosting_cluster: str | None = None
    registrations: tuple[Registration, ...] = ()
    health_mode: HealthMode | None = None
    supported_configs: tuple[ConfigKind, ...] = ()
    config_references: tuple[ConfigReference, ...] = ()
    display: DisplayMeta = DisplayMeta()

    @property
    def key(self) -> ObjectKey:
        """Where the object stands on the hub."""
        return ObjectKey(self.name, self.cluster)

    @property
    def install_namespace(self) -> str:
        """Where the agent is installed: decided by the hub, else asked for, else the default."""
        return self.agent_namespace or self.requested_namespace or ADDON_NAMESPACE

    @property
    def effective_health_mode(self) -> HealthMode:
        """The health mode in force: what the hub has said, else by lease."""
        return self.health_mode or HealthMode.LEASE


@dataclass(frozen=True, slots=True)
class SupportedConfig:
    """A kind of configuration an add-on understands, with the default for all clusters, if any."""

    kind: ConfigKind
    default: ObjectKey | None = None


@dataclass(frozen=True, slots=True)
class PlacementInstall:
    """An add-on goes on every cluster a placement selects, configured like this there."""

    placement: ObjectKey
    configs: tuple[AddonConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterManagementAddon:
    """An add-on as the hub knows it, for all clusters.

    Args:
        name: Name of the add-on.
        uid: Tells this one from a later one of the same name; empty before it is stored.
        is_being_deleted: Whether only finalizers hold it.
        display: How it presents itself.
        is_self_managed: Whether the add-on's own hub program looks after its configuration and
            roll-out, so that nobody else may.
        supported_configs: Kinds of configuration it understands.
        placements: Where to install it; empty if people install it by hand.
        default_config_references: The defaults with their hashes.
    """

    name: str
    uid: str = ""
    is_being_deleted: bool = False
    display: DisplayMeta = DisplayMeta()
    is_self_managed: bool = False
    supported_configs: tuple[SupportedConfig, ...] = ()
    placements: tuple[PlacementInstall, ...] = ()
    default_config_references: tuple[ConfigReference, ...] = ()
