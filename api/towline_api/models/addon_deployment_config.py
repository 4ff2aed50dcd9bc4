"""AddOnDeploymentConfig: how add-on agents are deployed."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from towline_api.models.schema import (
    Base64,
    Int64,
    KubeKind,
    KubeModel,
    Quantity,
    map_keys,
    server_default,
)
from towline_api.names import ADDON_NAMESPACE
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    ADDON_DEPLOYMENT_CONFIGS_V1BETA1,
    Resource,
)


class CustomizedVariable(KubeModel):
    """A value for the add-on's manifests."""

    name: Annotated[str, StringConstraints(max_length=255, pattern="^[a-zA-Z_][_a-zA-Z0-9]*$")]
    """Name by which manifests refer to it."""
    value: Annotated[str, StringConstraints(max_length=1024)] = ""
    """The value."""


class Toleration(KubeModel):
    """Lets pods run on nodes with a matching taint, as a pod's own tolerations do."""

    key: str = ""
    """Key of the taint; empty for all, together with the operator Exists."""
    operator: str = ""
    """How the value is compared; empty means Equal."""
    value: str = ""
    """Value of the taint."""
    effect: str = ""
    """Effect of the taint; empty for all."""
    toleration_seconds: Int64 | None = None
    """How long pods stay after a NoExecute taint came; absent means for ever."""


class NodePlacement(KubeModel):
    """On which nodes agents run."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels a node must have."""
    tolerations: list[Toleration] = Field(default_factory=list)
    """Taints that do not matter."""


class ImageMirror(KubeModel):
    """Another place to take images from."""

    mirror: str
    """Registry or path to take them from; empty leaves them where they are."""
    source: str = ""
    """Registry or path to replace; empty replaces the registry of every image."""


class ProxyConfig(KubeModel):
    """How agents reach the hub through a proxy."""

    http_proxy: str = ""
    """URL of the proxy for HTTP."""
    https_proxy: str = ""
    """URL of the proxy for HTTPS."""
    ca_bundle: Base64 | None = None
    """Certificates, as PEM, to verify an HTTPS proxy with."""
    no_proxy: str = ""
    """Host names, addresses and networks, between commas, that are reached directly."""


class ResourceClaim(KubeModel):
    """A claim of the pod that a container uses."""

    name: str
    """Name of the claim in the pod."""
    request: str = ""
    """Which request of the claim; empty for all."""


class ComputeResources(KubeModel):
    """What a container needs and may use, as in a pod."""

    claims: Annotated[list[ResourceClaim], map_keys("name")] = Field(default_factory=list)
    """Claims the container uses."""
    limits: dict[str, Quantity] = Field(default_factory=dict)
    """The most it may use."""
    requests: dict[str, Quantity] = Field(default_factory=dict)
    """What it is guaranteed."""


class ContainerResourceRequirements(KubeModel):
    """What certain containers need and may use."""

    container_id: Annotated[
        str,
        StringConstraints(
            pattern=r"^(deployments|daemonsets|statefulsets|replicasets|jobs|cronjobs|pods|\*):.+:.+$"
        ),
    ] = Field(alias="containerID")
    """Kind, workload and container between colons, such as `deployments:agent:*`; a `*` stands
    for all. Of two that match, the later counts."""
    resources: ComputeResources
    """What they need and may use."""


class AddOnDeploymentConfigSpec(KubeModel):
    """How the agents of an add-on are deployed."""

    agent_install_namespace: Annotated[
        str, StringConstraints(max_length=63, pattern="^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    ] = server_default(ADDON_NAMESPACE)
    """Namespace on the managed cluster for the agent; an empty one leaves it to the add-on."""
    customized_variables: Annotated[list[CustomizedVariable], map_keys("name")] = Field(
        default_factory=list
    )
    """Values for the add-on's manifests."""
    node_placement: NodePlacement | None = None
    """On which nodes agents run; absent leaves it to the add-on, empty means on any."""
    registries: list[ImageMirror] = Field(default_factory=list)
    """Where images come from."""
    proxy_config: ProxyConfig = Field(default_factory=ProxyConfig)
    """How agents reach the hub."""
    resource_requirements: Annotated[
        list[ContainerResourceRequirements], map_keys("containerID")
    ] = Field(default_factory=list)
    """What containers need and may use."""


class AddOnDeploymentConfig(KubeKind):
    """A configuration of how add-on agents are deployed, understood by many add-ons."""

    resource: ClassVar[Resource] = ADDON_DEPLOYMENT_CONFIGS

    spec: AddOnDeploymentConfigSpec
    """How the agents are deployed."""


class AddOnDeploymentConfigV1Beta1(AddOnDeploymentConfig):
    """A configuration of how add-on agents are deployed, understood by many add-ons."""

    # The versions do not differ, which is why an API server converts them by itself.
    resource: ClassVar[Resource] = ADDON_DEPLOYMENT_CONFIGS_V1BETA1
