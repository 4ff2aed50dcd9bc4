"""The kinds of Open Cluster Management as pydantic models, which are also their documentation.

Every model keeps members it does not know, so that reading, changing and writing an object of a
newer hub loses nothing. `towline_api.crds` generates the CRDs from them. For decisions on add-ons
use the values of `towline_api.addons`, which no API version shapes.
"""

from towline_api.models.addon_deployment_config import (
    AddOnDeploymentConfig,
    AddOnDeploymentConfigSpec,
)
from towline_api.models.cluster_claim import ClusterClaim, ClusterClaimSpec
from towline_api.models.cluster_management_addon import (
    ClusterManagementAddOn,
    ClusterManagementAddOnSpec,
    ClusterManagementAddOnStatus,
)
from towline_api.models.condition import ConditionEntry
from towline_api.models.managed_cluster import (
    ClientConfig,
    ManagedCluster,
    ManagedClusterClaim,
    ManagedClusterSpec,
    ManagedClusterStatus,
    Taint,
)
from towline_api.models.managed_cluster_addon import (
    ManagedClusterAddOn,
    ManagedClusterAddOnSpec,
    ManagedClusterAddOnStatus,
)
from towline_api.models.schema import KubeKind, KubeModel, ObjectMeta

__all__ = [
    "AddOnDeploymentConfig",
    "AddOnDeploymentConfigSpec",
    "ClientConfig",
    "ClusterClaim",
    "ClusterClaimSpec",
    "ClusterManagementAddOn",
    "ClusterManagementAddOnSpec",
    "ClusterManagementAddOnStatus",
    "ConditionEntry",
    "KubeKind",
    "KubeModel",
    "ManagedCluster",
    "ManagedClusterAddOn",
    "ManagedClusterAddOnSpec",
    "ManagedClusterAddOnStatus",
    "ManagedClusterClaim",
    "ManagedClusterSpec",
    "ManagedClusterStatus",
    "ObjectMeta",
    "Taint",
]
