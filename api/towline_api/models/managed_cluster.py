"""ManagedCluster: a cluster the hub manages, or is asked to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from towline_api.condition_types import CLUSTER_AVAILABLE, JOINED
from towline_api.models.condition import Conditions
from towline_api.models.schema import (
    LABEL_PATTERN,
    Base64,
    Int32,
    KubeKind,
    KubeModel,
    Nullable,
    PrinterColumn,
    QualifiedName,
    Quantity,
    Time,
    condition_column,
    map_keys,
    server_default,
)
from towline_api.resources import MANAGED_CLUSTERS, Resource


class ClientConfig(KubeModel):
    """One way to reach the managed cluster's API server."""

    url: str
    """Address of the API server."""
    ca_bundle: Base64 | None = None
    """Certificates, as PEM, to verify it with; without them the system's are used."""


class Taint(KubeModel):
    """Keeps away every placement that does not tolerate it."""

    key: QualifiedName
    """What the taint is called."""
    value: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """What tolerations may compare."""
    effect: Literal["NoSelect", "PreferNoSelect", "NoSelectIfNew"]
    """How strongly placements are kept away."""
    time_added: Annotated[Time | None, Nullable] = None
    """Since when."""


class ManagedClusterSpec(KubeModel):
    """What is wanted of the cluster, and how to reach it."""

    managed_cluster_client_configs: list[ClientConfig] = Field(default_factory=list)
    """Ways to reach the cluster's API server; without any, the hub cannot call it."""
    hub_accepts_client: bool = False
    """Whether the hub's owner lets the cluster in.

    Only who may update the virtual subresource `managedclusters/accept` may set it. Once true, the
    hub makes the cluster's namespace and grants its agent what it needs there.
    """
    lease_duration_seconds: Int32 = server_default(60)
    """How often the cluster's agent renews its lease, in seconds; 0 means 60."""
    taints: list[Taint] = Field(default_factory=list)
    """What keeps placements away from this cluster."""


class ClusterVersion(KubeModel):
    """What runs on the cluster."""

    kubernetes: str = ""
    """Version of its Kubernetes."""


class ManagedClusterClaim(KubeModel):
    """One fact the cluster states about itself, copied from a ClusterClaim on it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)] = ""
    """Name of the ClusterClaim, either well known or the cluster's own."""
    value: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = ""
    """What is claimed."""


class ManagedNamespace(KubeModel):
    """A namespace on the cluster that one of its cluster sets looks after."""

    cluster_set: str
    """Name of the cluster set."""
    name: Annotated[str, StringConstraints(max_length=63, pattern=LABEL_PATTERN)]
    """Name of the namespace."""
    conditions: Conditions = Field(default_factory=list)
    """How the namespace fares on the cluster."""


class ManagedClusterStatus(KubeModel):
    """What is known of the cluster."""

    conditions: Conditions = Field(default_factory=list)
    """Accepted, joined, available: each with since when and why."""
    capacity: dict[str, Quantity] = Field(default_factory=dict)
    """Resources of all nodes together."""
    allocatable: dict[str, Quantity] = Field(default_factory=dict)
    """What of the capacity is left for workloads."""
    version: ClusterVersion = Field(default_factory=ClusterVersion)
    """What runs on the cluster."""
    cluster_claims: list[ManagedClusterClaim] = Field(default_factory=list)
    """What the cluster states about itself; differs from cluster to cluster."""
    managed_namespaces: Annotated[list[ManagedNamespace], map_keys("clusterSet", "name")] = Field(
        default_factory=list
    )
    """Namespaces that the cluster's sets look after."""


class ManagedCluster(KubeKind):
    """A cluster that is managed from this hub, or asks to be.

    Its name is the name of its namespace on the hub. Joining takes two consents: the agent on the
    cluster asks for a certificate and creates this object, and the hub's owner approves the
    request and sets `spec.hubAcceptsClient`.
    """

    resource: ClassVar[Resource] = MANAGED_CLUSTERS
    short_names: ClassVar[tuple[str, ...]] = ("mcl", "mcls")
    printer_columns: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn("Hub Accepted", ".spec.hubAcceptsClient", "boolean"),
        PrinterColumn("Managed Cluster URLs", ".spec.managedClusterClientConfigs[*].url"),
        condition_column("Joined", JOINED),
        condition_column("Available", CLUSTER_AVAILABLE),
        PrinterColumn("Age", ".metadata.creationTimestamp", "date"),
    )

    spec: ManagedClusterSpec = Field(default_factory=ManagedClusterSpec)
    """What is wanted of the cluster."""
    status: ManagedClusterStatus = Field(default_factory=ManagedClusterStatus)
    """What is known of the cluster."""
