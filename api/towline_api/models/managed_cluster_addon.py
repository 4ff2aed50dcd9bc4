"""ManagedClusterAddOn: one add-on on one managed cluster."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from towline_api.condition_types import AVAILABLE, DEGRADED, PROGRESSING
from towline_api.models.addon_configs import (
    AddOnConfig,
    AddOnMeta,
    ConfigCoordinates,
    ConfigGroupResource,
    ConfigSpecHash,
)
from towline_api.models.condition import Conditions
from towline_api.models.schema import (
    LABEL_PATTERN,
    Int64,
    KubeKind,
    KubeModel,
    NonEmpty,
    PrinterColumn,
    condition_column,
    map_keys,
    server_default,
)
from towline_api.names import ADDON_NAMESPACE
from towline_api.resources import MANAGED_CLUSTER_ADDONS, Resource

SIGNER_PATTERN = r"^([a-z0-9][a-z0-9-]*[a-z0-9]\.)+[a-z]+\/[a-z0-9-\.]+$"


class ManagedClusterAddOnSpec(KubeModel):
    """What the cluster's owner wants of the add-on."""

    install_namespace: Annotated[str, StringConstraints(max_length=63, pattern=LABEL_PATTERN)] = (
        server_default(ADDON_NAMESPACE)
    )
    """Namespace on the managed cluster for the agent. An AddOnDeploymentConfig is the newer place
    to say so."""
    configs: list[AddOnConfig] = Field(default_factory=list)
    """Configurations for this cluster, before the defaults of their kind."""


class ObjectReference(KubeModel):
    """An object that has to do with the add-on."""

    group: str
    """API group; empty for the core group."""
    resource: str
    """Plural name of the kind."""
    namespace: str | None = None
    """Namespace; absent if the kind is cluster-scoped."""
    name: str
    """Name."""


class Subject(KubeModel):
    """The identity a certificate of the add-on carries; the agent fills in what is empty."""

    user: str = ""
    """Common name."""
    groups: list[str] = Field(default_factory=list)
    """Organizations."""
    organization_unit: list[str] = Field(default_factory=list)
    """Organizational units; the API server's own signer does not take any."""


class RegistrationConfig(KubeModel):
    """One certificate that the agent shall get for the add-on."""

    signer_name: Annotated[
        str, StringConstraints(min_length=5, max_length=571, pattern=SIGNER_PATTERN)
    ]
    """Who signs it. `kubernetes.io/kube-apiserver-client` opens the hub's API server."""
    subject: Subject = Field(default_factory=Subject)
    """Whom it names."""


class ConfigReference(ConfigGroupResource):
    """A configuration of the add-on on this cluster, and how far it got."""

    namespace: str | None = None
    """Repeats `desiredConfig`, for older readers."""
    name: NonEmpty
    """Repeats `desiredConfig`, for older readers."""
    last_observed_generation: Int64 | None = None
    """Generation of the configuration that was last looked at."""
    desired_config: ConfigSpecHash | None = None
    """What should be applied."""
    last_applied_config: ConfigSpecHash | None = None
    """What was applied."""


class HealthCheck(KubeModel):
    """Who says whether the add-on is healthy."""

    mode: Literal["Lease", "Customized"] = server_default("Lease")
    """The cluster's agent by the add-on's lease, or the add-on itself."""


class ManagedClusterAddOnStatus(KubeModel):
    """What the hub decided for the add-on on this cluster, and how it fares."""

    conditions: Conditions = Field(default_factory=list)
    """Registered, configured, available: each with since when and why."""
    related_objects: list[ObjectReference] = Field(default_factory=list)
    """Objects worth a look when something is wrong."""
    add_on_meta: AddOnMeta = Field(default_factory=AddOnMeta)
    """How the add-on presents itself, copied from its ClusterManagementAddOn."""
    add_on_configuration: ConfigCoordinates | None = None
    """Replaced by `configReferences`; still kept."""
    supported_configs: Annotated[list[ConfigGroupResource], map_keys("group", "resource")] = Field(
        default_factory=list
    )
    """Kinds of configuration the add-on understands."""
    config_references: list[ConfigReference] = Field(default_factory=list)
    """What the add-on should be and is configured with."""
    namespace: str = ""
    """Namespace on the managed cluster for the agent, its credentials and its lease."""
    registrations: list[RegistrationConfig] = Field(default_factory=list)
    """Certificates the agent shall get; each is a certificate request of its own."""
    kube_client_driver: Literal["csr", "token"] | None = None
    """How the agent gets the credential for the hub's API server; the agent says so."""
    health_check: HealthCheck = Field(default_factory=HealthCheck)
    """Who says whether the add-on is healthy."""


class ManagedClusterAddOn(KubeKind):
    """An add-on on one managed cluster, in the cluster's namespace on the hub."""

    resource: ClassVar[Resource] = MANAGED_CLUSTER_ADDONS
    short_names: ClassVar[tuple[str, ...]] = ("mca", "mcas")
    printer_columns: ClassVar[tuple[PrinterColumn, ...]] = (
        condition_column("Available", AVAILABLE),
        condition_column("Degraded", DEGRADED),
        condition_column("Progressing", PROGRESSING),
    )

    spec: ManagedClusterAddOnSpec = Field(default_factory=ManagedClusterAddOnSpec)
    """What the cluster's owner wants."""
    status: ManagedClusterAddOnStatus = Field(default_factory=ManagedClusterAddOnStatus)
    """What the hub decided, and how the add-on fares."""
