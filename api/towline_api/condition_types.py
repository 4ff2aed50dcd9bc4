"""Condition types of Open Cluster Management, with the reasons and messages written under them.

Other controllers and people's scripts read these words, so they are the same whoever writes them.
Constants named `..._MESSAGE` hold the fixed sentence that goes with a reason; functions build the
sentences that name an add-on.
"""

import re

_SERVICE_ACCOUNT_UID = re.compile(r"\(UID: ([^\s()]+)\)")

# Acceptance of a cluster by the hub's owner
HUB_ACCEPTED = "HubAcceptedManagedCluster"
REASON_HUB_ACCEPTED = "HubClusterAdminAccepted"
HUB_ACCEPTED_MESSAGE = "Accepted by hub cluster admin"
REASON_HUB_DENIED = "HubClusterAdminDenied"
HUB_DENIED_MESSAGE = "Denied by hub cluster admin"
REASON_HUB_ERROR = "Error"
"""Acceptance failed; the message is the error's text."""

# Arrival of a cluster's agent
JOINED = "ManagedClusterJoined"
"""True once the agent uses a certificate of its own; it never goes back to False."""
REASON_JOINED = "ManagedClusterJoined"
JOINED_MESSAGE = "Managed cluster joined"

# Health of a cluster
CLUSTER_AVAILABLE = "ManagedClusterConditionAvailable"
REASON_CLUSTER_AVAILABLE = "ManagedClusterAvailable"
CLUSTER_AVAILABLE_MESSAGE = "Managed cluster is available"
REASON_CLUSTER_API_SERVER_UNAVAILABLE = "ManagedClusterKubeAPIServerUnavailable"
REASON_CLUSTER_LEASE_STOPPED = "ManagedClusterLeaseUpdateStopped"
"""Written by the hub with status Unknown when the cluster's lease is stale."""
CLUSTER_LEASE_STOPPED_MESSAGE = "Registration agent stopped updating its lease."

# Namespaces that cluster sets want on a cluster
NAMESPACE_AVAILABLE = "NamespaceAvailable"
"""In a ManagedCluster's list of managed namespaces."""
REASON_NAMESPACE_APPLIED = "NamespaceApplied"
NAMESPACE_APPLIED_MESSAGE = "Namespace is there and carries the label of its hub"
REASON_NAMESPACE_APPLY_FAILED = "NamespaceApplyFailed"

CLOCK_SYNCED = "ManagedClusterConditionClockSynced"
REASON_CLOCK_SYNCED = "ManagedClusterClockSynced"
REASON_CLOCK_OUT_OF_SYNC = "ManagedClusterClockOutOfSync"

# Client certificate of a cluster or an add-on
CERTIFICATE_ROTATED = "ClusterCertificateRotated"
REASON_CERTIFICATE_UPDATED = "ClientCertificateUpdated"
REASON_CERTIFICATE_UPDATE_FAILED = "ClientCertificateUpdateFailed"

# Deletion of a cluster
DELETING = "Deleting"
REASON_RESOURCE_REMAINING = "ResourceRemaining"
REASON_NO_RESOURCE = "NoResource"
REASON_DELETING_ERROR = "DeletingError"

# Health of an add-on on one cluster
AVAILABLE = "Available"
REASON_ADDON_LEASE_UPDATED = "ManagedClusterAddOnLeaseUpdated"
REASON_ADDON_LEASE_STOPPED = "ManagedClusterAddOnLeaseUpdateStopped"
REASON_ADDON_LEASE_NOT_FOUND = "ManagedClusterAddOnLeaseNotFound"
DEGRADED = "Degraded"
"""OCM leaves it to add-ons. An agent says there which of an add-on's own functions fail."""
REASON_ADDON_CODE_FAILED = "AddOnCodeFailed"
REASON_HEALTH_CHECK_FAILED = "HealthCheckFailed"
REASON_REMOVAL_FAILED = "RemovalFailed"
REASON_ADDON_CODE_RECOVERED = "AsExpected"

# Registration of an add-on on one cluster
REGISTRATION_APPLIED = "RegistrationApplied"
REASON_NIL_REGISTRATION = "NilRegistration"
REASON_PERMISSION_APPLIED = "SetPermissionApplied"
PERMISSION_APPLIED_MESSAGE = "Registration of the addon agent is configured"
REASON_PERMISSION_FAILED = "SetPermissionFailed"
REASON_PERMISSION_PENDING = "PermissionConfigPending"
PERMISSION_PENDING_MESSAGE = "registration subject not ready"

# Tokens of an add-on on one cluster, instead of a client certificate
TOKEN_INFRASTRUCTURE_READY = "TokenInfrastructureReady"  # noqa: S105 - a condition's type
"""Written by the hub; the agent reads the service account's UID out of the message."""
REASON_TOKEN_INFRASTRUCTURE_READY = "TokenInfrastructureReady"  # noqa: S105
REASON_TOKEN_INFRASTRUCTURE_FAILED = "TokenInfrastructureApplyFailed"  # noqa: S105
TOKEN_REFRESHED = "TokenRefreshed"  # noqa: S105 - a condition's type
REASON_TOKEN_REFRESHED = "AddonTokenRefreshed"  # noqa: S105
REASON_TOKEN_FAILED = "TokenCreationFailed"  # noqa: S105

# Manifests of an add-on on one cluster
MANIFEST_APPLIED = "ManifestApplied"
REASON_MANIFEST_APPLIED = "AddonManifestApplied"
MANIFEST_APPLIED_MESSAGE = "manifests of addon are applied successfully"
NO_MANIFEST_MESSAGE = "no manifest need to apply"
REASON_MANIFEST_APPLY_FAILED = "AddonManifestAppliedFailed"
REASON_MANIFEST_WORK_APPLY_FAILED = "ManifestWorkApplyFailed"

# Configuration of an add-on on one cluster
CONFIGURED = "Configured"
REASON_CONFIGURED = "ConfigurationsConfigured"
CONFIGURED_MESSAGE = "Configurations configured"
REASON_NOT_CONFIGURED = "ConfigurationsNotConfigured"
NOT_CONFIGURED_MESSAGE = "Configurations updated and not configured yet"

# Roll-out of configuration to an add-on on one cluster, and per placement
PROGRESSING = "Progressing"
REASON_PROGRESSING = "Progressing"
REASON_COMPLETED = "Completed"
COMPLETED_MESSAGE = "completed with no errors."
REASON_FAILED = "Failed"
REASON_CONFIGURATION_UNSUPPORTED = "ConfigurationUnsupported"
REASON_WAITING_FOR_MANIFEST_APPLIED = "WaitingForManifestApplied"


def addon_available_message(addon: str) -> str:
    """Return the message beside `REASON_ADDON_LEASE_UPDATED`."""
    return f"{addon} add-on is available."


def addon_unavailable_message(addon: str) -> str:
    """Return the message beside `REASON_ADDON_LEASE_STOPPED`."""
    return f"{addon} add-on is not available."


def addon_unknown_message(addon: str) -> str:
    """Return the message beside `REASON_ADDON_LEASE_NOT_FOUND`."""
    return f"The status of {addon} add-on is unknown."


def token_infrastructure_message(cluster: str, service_account: str, *, uid: str) -> str:
    """Return the message beside `REASON_TOKEN_INFRASTRUCTURE_READY`, which agents parse."""
    return f"ServiceAccount {cluster}/{service_account} (UID: {uid}) is ready"


def find_service_account_uid(message: str) -> str | None:
    """Return the UID that such a message names; None if it names none."""
    match = _SERVICE_ACCOUNT_UID.search(message)
    return match[1] if match else None
