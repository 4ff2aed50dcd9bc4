"""Which columns `kubectl get` shows for a kind.

Headings, types and wording are the API server's, which prints the tables for kubectl.
"""

from collections.abc import Mapping, Sequence

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Column
from towline_sandbox.embedded.views import (
    cluster_columns,
    extension_columns,
    network_columns,
    storage_columns,
    workload_columns,
)
from towline_sandbox.embedded.views.cells import AGE, CREATED_AT, NAME
from towline_sandbox.embedded.views.custom_columns import printer_column

NAME_AND_CREATION = (NAME, CREATED_AT)
"""For kinds that have no columns of their own."""

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

_COLUMNS: Mapping[tuple[str, str], tuple[Column, ...]] = {
    ("", "ConfigMap"): cluster_columns.CONFIG_MAPS,
    ("", "Event"): cluster_columns.EVENTS,
    ("", "Namespace"): cluster_columns.NAMESPACES,
    ("", "Node"): cluster_columns.NODES,
    ("", "PersistentVolumeClaim"): storage_columns.PERSISTENT_VOLUME_CLAIMS,
    ("", "Pod"): workload_columns.PODS,
    ("", "Secret"): cluster_columns.SECRETS,
    ("", "Service"): network_columns.SERVICES,
    ("", "ServiceAccount"): cluster_columns.SERVICE_ACCOUNTS,
    (_ADMISSION, "ValidatingAdmissionPolicy"): extension_columns.VALIDATING_ADMISSION_POLICIES,
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): extension_columns.ADMISSION_POLICY_BINDINGS,
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
    ): extension_columns.CUSTOM_RESOURCE_DEFINITIONS,
    ("apps", "DaemonSet"): workload_columns.DAEMON_SETS,
    ("apps", "Deployment"): workload_columns.DEPLOYMENTS,
    ("apps", "ReplicaSet"): workload_columns.REPLICA_SETS,
    ("apps", "StatefulSet"): workload_columns.STATEFUL_SETS,
    ("batch", "CronJob"): workload_columns.CRON_JOBS,
    ("batch", "Job"): workload_columns.JOBS,
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
    ): cluster_columns.CERTIFICATE_SIGNING_REQUESTS,
    ("coordination.k8s.io", "Lease"): cluster_columns.LEASES,
    ("discovery.k8s.io", "EndpointSlice"): network_columns.ENDPOINT_SLICES,
    ("events.k8s.io", "Event"): cluster_columns.EVENTS,
    ("networking.k8s.io", "Ingress"): network_columns.INGRESSES,
    ("networking.k8s.io", "NetworkPolicy"): network_columns.NETWORK_POLICIES,
    ("policy", "PodDisruptionBudget"): network_columns.POD_DISRUPTION_BUDGETS,
    (_RBAC, "ClusterRoleBinding"): cluster_columns.ROLE_BINDINGS,
    (_RBAC, "RoleBinding"): cluster_columns.ROLE_BINDINGS,
    ("scheduling.k8s.io", "PriorityClass"): cluster_columns.PRIORITY_CLASSES,
    ("storage.k8s.io", "StorageClass"): storage_columns.STORAGE_CLASSES,
}


def columns_for(kind_name: str, group: str) -> tuple[Column, ...]:
    """Return the columns of a built-in kind, the name's included."""
    return _COLUMNS.get((group, kind_name), NAME_AND_CREATION)


def custom_columns(additional: Sequence[KubeObject]) -> tuple[Column, ...]:
    """Return the columns of a custom kind, the name's included.

    Args:
        additional: `additionalPrinterColumns` of the kind's version.
    """
    if not additional:
        return (NAME, Column(AGE.name, "date", AGE.value))
    return (NAME, *filter(None, map(printer_column, additional)))
