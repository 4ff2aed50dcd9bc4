"""The kinds of Open Cluster Management as pydantic models, which are also their documentation.

Every model keeps members it does not know, so that reading, changing and writing an object of a
newer hub loses nothing. `towline_api.crds` generates the CRDs from them. For decisions on add-ons
use the values of `towline_api.addons`, which no API version shapes.
"""

from towline_api.models.addon_deployment_config import (
    AddOnDeploymentConfig,
    AddOnDeploymentConfigSpec,
    AddOnDeploymentConfigV1Beta1,
)
from towline_api.models.cluster_claim import ClusterClaim, ClusterClaimSpec
from towline_api.models.cluster_management_addon import (
    ClusterManagementAddOn,
    ClusterManagementAddOnSpec,
    ClusterManagementAddOnStatus,
)
from towline_api.models.cluster_management_addon_v1beta1 import (
    ClusterManagementAddOnSpecV1Beta1,
    ClusterManagementAddOnStatusV1Beta1,
    ClusterManagementAddOnV1Beta1,
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
from towline_api.models.managed_cluster_addon_v1beta1 import (
    ManagedClusterAddOnSpecV1Beta1,
    ManagedClusterAddOnStatusV1Beta1,
    ManagedClusterAddOnV1Beta1,
)
from towline_api.models.schema import KubeKind, KubeModel, ObjectMeta

__all__ = [
    "AddOnDeploymentConfig",
    "AddOnDeploymentConfigSpec",
    "AddOnDeploymentConfigV1Beta1",
    "ClientConfig",
    "ClusterClaim",
    "ClusterClaimSpec",
    "ClusterManagementAddOn",
    "ClusterManagementAddOnSpec",
    "ClusterManagementAddOnSpecV1Beta1",
    "ClusterManagementAddOnStatus",
    "ClusterManagementAddOnStatusV1Beta1",
    "ClusterManagementAddOnV1Beta1",
    "ConditionEntry",
    "KubeKind",
    "KubeModel",
    "ManagedCluster",
    "ManagedClusterAddOn",
    "ManagedClusterAddOnSpec",
    "ManagedClusterAddOnSpecV1Beta1",
    "ManagedClusterAddOnStatus",
    "ManagedClusterAddOnStatusV1Beta1",
    "ManagedClusterAddOnV1Beta1",
    "ManagedClusterClaim",
    "ManagedClusterSpec",
    "ManagedClusterStatus",
    "ObjectMeta",
    "Taint",
]
