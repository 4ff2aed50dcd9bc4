"""The hub: approves certificate requests, accepts clusters, grants RBAC, watches health.

`towline_hub.daemon.run` is the hub as a program. What is offered here is what operators' own tools
may want: the rights a hub needs, accepting a cluster, and the state of the fleet.
"""

from towline_api.rbac_subjects import service_account_subject, user_subject
from towline_hub.addons.addon import Addon
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.addons.manager import AddonManager
from towline_hub.addons.manager_settings import AddonManagerSettings
from towline_hub.decisions.accept import (
    AcceptError,
    AcceptReport,
    ConsideredRequest,
    accept_cluster,
)
from towline_hub.fleet.state import (
    Acceptance,
    AddonStatus,
    ClusterStatus,
    ConfigStatus,
    FleetStatus,
    PendingRequest,
)
from towline_hub.fleet.status import collect_status
from towline_hub.permission import Permission
from towline_hub.permissions import addons_only_permissions, hub_permissions
from towline_hub.settings import HubSettings

__all__ = [
    "AcceptError",
    "AcceptReport",
    "Acceptance",
    "Addon",
    "AddonDeclaration",
    "AddonManager",
    "AddonManagerSettings",
    "AddonStatus",
    "ClusterStatus",
    "ConfigStatus",
    "ConsideredRequest",
    "CustomSigner",
    "FleetStatus",
    "HubSettings",
    "PendingRequest",
    "Permission",
    "accept_cluster",
    "addons_only_permissions",
    "collect_status",
    "hub_permissions",
    "service_account_subject",
    "user_subject",
]
