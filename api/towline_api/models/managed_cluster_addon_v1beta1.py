"""ManagedClusterAddOn in v1beta1, where a registration says itself of which type it is."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from towline_api.models.addon_configs import (
    AddOnConfig,
    AddOnMeta,
    ConfigGroupResource,
    ConfigSpecHash,
)
from towline_api.models.condition import Conditions
from towline_api.models.managed_cluster_addon import (
    SIGNER_PATTERN,
    HealthCheck,
    ManagedClusterAddOn,
    ObjectReference,
)
from towline_api.models.schema import Int64, KubeKind, KubeModel, PrinterColumn, map_keys
from towline_api.resources import MANAGED_CLUSTER_ADDONS_V1BETA1, Resource


class ManagedClusterAddOnSpecV1Beta1(KubeModel):
    """What the cluster's owner wants of the add-on."""

    configs: list[AddOnConfig] = Field(default_factory=list)
    """Configurations for this cluster, before the defaults of their kind."""


class KubeClientSubject(KubeModel):
    """The identity of the add-on at the hub's API server; the agent fills in what is empty."""

    user: str = ""
    """User name."""
    groups: list[str] = Field(default_factory=list)
    """Groups of the user."""


class KubeClientConfig(KubeModel):
    """A credential for the hub's API server."""

    subject: KubeClientSubject = Field(default_factory=KubeClientSubject)
    """Whom it names."""
    driver: Literal["csr", "token"] | None = None
    """How the agent gets it; the agent says so."""


class CustomSignerSubject(KubeClientSubject):
    """The identity a certificate by a signer of the add-on's own carries."""

    organization_units: list[str] = Field(default_factory=list)
    """Organizational units."""


class CustomSignerConfig(KubeModel):
    """A certificate from a signer of the add-on's own."""

    signer_name: Annotated[
        str, StringConstraints(min_length=5, max_length=571, pattern=SIGNER_PATTERN)
    ]
    """Who signs it."""
    subject: CustomSignerSubject = Field(default_factory=CustomSignerSubject)
    """Whom it names."""


class RegistrationConfigV1Beta1(KubeModel):
    """One credential that the agent shall get for the add-on."""

    type: Literal["kubeClient", "customSigner"]
    """Which of the other members counts."""
    kube_client: KubeClientConfig | None = None
    """A credential for the hub's API server."""
    custom_signer: CustomSignerConfig | None = None
    """A certificate from a signer of the add-on's own."""


class ConfigReferenceV1Beta1(ConfigGroupResource):
    """A configuration of the add-on on this cluster, and how far it got."""

    last_observed_generation: Int64 | None = None
    """Generation of the configuration that was last looked at."""
    desired_config: ConfigSpecHash | None = None
    """What should be applied."""
    last_applied_config: ConfigSpecHash | None = None
    """What was applied."""


class ManagedClusterAddOnStatusV1Beta1(KubeModel):
    """What the hub decided for the add-on on this cluster, and how it fares."""

    conditions: Conditions = Field(default_factory=list)
    """Registered, configured, available: each with since when and why."""
    related_objects: list[ObjectReference] = Field(default_factory=list)
    """Objects worth a look when something is wrong."""
    add_on_meta: AddOnMeta = Field(default_factory=AddOnMeta)
    """How the add-on presents itself, copied from its ClusterManagementAddOn."""
    supported_configs: Annotated[list[ConfigGroupResource], map_keys("group", "resource")] = Field(
        default_factory=list
    )
    """Kinds of configuration the add-on understands."""
    config_references: list[ConfigReferenceV1Beta1] = Field(default_factory=list)
    """What the add-on should be and is configured with."""
    namespace: str = ""
    """Namespace on the managed cluster for the agent, its credentials and its lease."""
    registrations: list[RegistrationConfigV1Beta1] = Field(default_factory=list)
    """Credentials the agent shall get."""
    health_check: HealthCheck = Field(default_factory=HealthCheck)
    """Who says whether the add-on is healthy."""


class ManagedClusterAddOnV1Beta1(KubeKind):
    """An add-on on one managed cluster, in the cluster's namespace on the hub."""

    resource: ClassVar[Resource] = MANAGED_CLUSTER_ADDONS_V1BETA1
    short_names: ClassVar[tuple[str, ...]] = ("mca", "mcas")
    printer_columns: ClassVar[tuple[PrinterColumn, ...]] = ManagedClusterAddOn.printer_columns

    spec: ManagedClusterAddOnSpecV1Beta1 = Field(default_factory=ManagedClusterAddOnSpecV1Beta1)
    """What the cluster's owner wants."""
    status: ManagedClusterAddOnStatusV1Beta1 = Field(
        default_factory=ManagedClusterAddOnStatusV1Beta1
    )
    """What the hub decided, and how the add-on fares."""
