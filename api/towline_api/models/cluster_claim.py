"""ClusterClaim: a fact a managed cluster states about itself."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from towline_api.models.schema import KubeKind, KubeModel
from towline_api.resources import CLUSTER_CLAIMS, Resource


class ClusterClaimSpec(KubeModel):
    """The fact."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = ""
    """What is claimed."""


class ClusterClaim(KubeKind):
    """A fact about a managed cluster, kept on that cluster; its name says which.

    The agent copies it to the status of the ManagedCluster on the hub. `id.k8s.io`, for example,
    tells this cluster from every other.
    """

    resource: ClassVar[Resource] = CLUSTER_CLAIMS

    spec: ClusterClaimSpec = Field(default_factory=ClusterClaimSpec)
    """The fact."""
