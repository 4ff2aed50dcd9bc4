"""ClusterManagementAddOn in v1beta1, where every kind of configuration it takes has one entry."""

from typing import Annotated, ClassVar

from pydantic import Field

from towline_api.models.addon_configs import AddOnConfig, AddOnMeta
from towline_api.models.cluster_management_addon import (
    DefaultConfigReference,
    InstallProgression,
    InstallStrategy,
)
from towline_api.models.schema import KubeKind, KubeModel, PrinterColumn, map_keys, server_default
from towline_api.resources import CLUSTER_MANAGEMENT_ADDONS_V1BETA1, Resource


class ClusterManagementAddOnSpecV1Beta1(KubeModel):
    """What the add-on is, takes and needs."""

    add_on_meta: AddOnMeta = Field(default_factory=AddOnMeta)
    """How the add-on presents itself."""
    default_configs: Annotated[list[AddOnConfig], map_keys("group", "resource")] = Field(
        default_factory=list
    )
    """Kinds of configuration the add-on understands, each with its default. The name
    `__reserved_no_default__` says that there is none."""
    install_strategy: InstallStrategy = server_default({"type": "Manual"})
    """Who installs it, and where."""


class ClusterManagementAddOnStatusV1Beta1(KubeModel):
    """What the hub worked out for all clusters."""

    default_config_references: list[DefaultConfigReference] = Field(default_factory=list)
    """The default configurations with their hashes."""
    install_progressions: list[InstallProgression] = Field(default_factory=list)
    """How far each placement got."""


class ClusterManagementAddOnV1Beta1(KubeKind):
    """An add-on the hub knows. ManagedClusterAddOns of the same name put it on clusters."""

    resource: ClassVar[Resource] = CLUSTER_MANAGEMENT_ADDONS_V1BETA1
    short_names: ClassVar[tuple[str, ...]] = ("cma", "cmas")
    printer_columns: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("DISPLAY NAME", ".spec.addOnMeta.displayName"),
    )

    spec: ClusterManagementAddOnSpecV1Beta1
    """What the add-on is, takes and needs."""
    status: ClusterManagementAddOnStatusV1Beta1 = Field(
        default_factory=ClusterManagementAddOnStatusV1Beta1
    )
    """What the hub worked out for all clusters."""
