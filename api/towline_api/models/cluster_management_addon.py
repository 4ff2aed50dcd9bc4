"""ClusterManagementAddOn: an add-on as the hub offers it to all clusters."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from towline_api.models.addon_configs import (
    AddOnConfig,
    AddOnMeta,
    ConfigCoordinates,
    ConfigGroupResource,
    ConfigReferent,
    ConfigSpecHash,
)
from towline_api.models.condition import Conditions
from towline_api.models.rollout import RolloutStrategy
from towline_api.models.schema import (
    KubeKind,
    KubeModel,
    NonEmpty,
    PrinterColumn,
    map_keys,
    server_default,
)
from towline_api.resources import CLUSTER_MANAGEMENT_ADDONS, Resource


class ConfigMeta(ConfigGroupResource):
    """A kind of configuration the add-on understands."""

    default_config: ConfigReferent | None = None
    """What every cluster gets that has no configuration of its own."""


class PlacementRef(KubeModel):
    """A placement on the hub."""

    namespace: NonEmpty
    """Namespace of the placement."""
    name: NonEmpty
    """Name of the placement."""


class PlacementStrategy(PlacementRef):
    """Install on every cluster that a placement selects."""

    configs: list[AddOnConfig] = Field(default_factory=list)
    """Configurations on those clusters, before the add-on's defaults."""
    rollout_strategy: RolloutStrategy = server_default({"type": "All"})
    """How changes of the configuration reach those clusters."""


class InstallStrategy(KubeModel):
    """Who installs the add-on."""

    type: Literal["Manual", "Placements"] = server_default("Manual")
    """People, or placements."""
    placements: Annotated[list[PlacementStrategy], map_keys("namespace", "name")] = Field(
        default_factory=list
    )
    """Where to install when the type is Placements; of two that select a cluster the later one
    counts."""


class ClusterManagementAddOnSpec(KubeModel):
    """What the add-on is, takes and needs."""

    add_on_meta: AddOnMeta = Field(default_factory=AddOnMeta)
    """How the add-on presents itself."""
    add_on_configuration: ConfigCoordinates | None = None
    """Replaced by `supportedConfigs`; still kept."""
    supported_configs: Annotated[list[ConfigMeta], map_keys("group", "resource")] = Field(
        default_factory=list
    )
    """Kinds of configuration the add-on understands."""
    install_strategy: InstallStrategy = server_default({"type": "Manual"})
    """Who installs it, and where."""


class DefaultConfigReference(ConfigGroupResource):
    """A default configuration in its present state."""

    desired_config: ConfigSpecHash | None = None
    """What clusters should be configured with."""


class InstallConfigReference(DefaultConfigReference):
    """A configuration of one placement, and how far it got."""

    last_known_good_config: ConfigSpecHash | None = None
    """What worked last; the clusters not yet reached stay with it."""
    last_applied_config: ConfigSpecHash | None = None
    """What all clusters of the placement have applied."""


class InstallProgression(PlacementRef):
    """How far the configuration got on the clusters of one placement."""

    config_references: list[InstallConfigReference] = Field(default_factory=list)
    """Each configuration of the placement."""
    conditions: Conditions = Field(default_factory=list)
    """How the roll-out fares."""


class ClusterManagementAddOnStatus(KubeModel):
    """What the hub worked out for all clusters."""

    default_config_references: list[DefaultConfigReference] = Field(
        default_factory=list, alias="defaultconfigReferences"
    )
    """The default configurations with their hashes. On the wire the c is lower case."""
    install_progressions: list[InstallProgression] = Field(default_factory=list)
    """How far each placement got."""


class ClusterManagementAddOn(KubeKind):
    """An add-on the hub knows. ManagedClusterAddOns of the same name put it on clusters."""

    resource: ClassVar[Resource] = CLUSTER_MANAGEMENT_ADDONS
    short_names: ClassVar[tuple[str, ...]] = ("cma", "cmas")
    printer_columns: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("DISPLAY NAME", ".spec.addOnMeta.displayName"),
        PrinterColumn("CRD NAME", ".spec.addOnConfiguration.crdName"),
    )

    spec: ClusterManagementAddOnSpec
    """What the add-on is, takes and needs."""
    status: ClusterManagementAddOnStatus = Field(default_factory=ClusterManagementAddOnStatus)
    """What the hub worked out for all clusters."""
