"""The API resources towline speaks to: where each lives and what it is called.

Kubernetes objects travel through towline as plain JSON (`KubeObject`); a `Resource` says which
endpoint serves them.
"""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

KubeObject = dict[str, Any]
"""A Kubernetes object as the API server sent it: plain JSON, nothing dropped."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object at one endpoint of an API server.

    Args:
        group: API group; empty for the core group.
        version: API version, for example `v1`.
        plural: Plural name as it stands in paths.
        kind: Kind as it stands in objects.
        namespaced: Whether objects live in a namespace.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """`apiVersion` of the objects: `group/version`, or `version` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`plural.group` as kubectl writes it; `plural` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(
        self,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """Return the URL path of the collection, of one object, or of its subresource.

        Raises:
            ValueError: A namespace was given for a cluster-scoped kind, one object of a namespaced
                kind was asked for without its namespace, or a subresource without a name.
        """
        if namespace is not None and not self.namespaced:
            raise ValueError(f"{self.qualified} is cluster-scoped; got namespace {namespace!r}")
        if name is not None and self.namespaced and namespace is None:
            raise ValueError(f"{self.qualified} {name!r} needs a namespace")
        if subresource is not None and name is None:
            raise ValueError(f"subresource {subresource!r} of {self.qualified} needs a name")
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace is not None else ""
        # RBAC names contain colons, which paths may hold as they are.
        tail = f"/{quote(name, safe=':')}" if name is not None else ""
        return f"{root}{scope}/{self.plural}{tail}" + (f"/{subresource}" if subresource else "")

    def describe(self, name: str, *, namespace: str | None = None) -> str:
        """Return how messages name one object, for example `leases c1/managed-cluster-lease`."""
        return f"{self.qualified} {namespace}/{name}" if namespace else f"{self.qualified} {name}"


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod", namespaced=True)
SECRETS = Resource("", "v1", "secrets", "Secret", namespaced=True)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", namespaced=True)
EVENTS = Resource("events.k8s.io", "v1", "events", "Event", namespaced=True)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", namespaced=True)

RBAC_GROUP = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC_GROUP, "v1", "roles", "Role", namespaced=True)
ROLE_BINDINGS = Resource(RBAC_GROUP, "v1", "rolebindings", "RoleBinding", namespaced=True)
CLUSTER_ROLES = Resource(RBAC_GROUP, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    RBAC_GROUP, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)

CERTIFICATE_SIGNING_REQUESTS = Resource(
    "certificates.k8s.io",
    "v1",
    "certificatesigningrequests",
    "CertificateSigningRequest",
    namespaced=False,
)
SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
)
SELF_SUBJECT_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)

CLUSTER_GROUP = "cluster.open-cluster-management.io"
ADDON_GROUP = "addon.open-cluster-management.io"
REGISTER_GROUP = "register.open-cluster-management.io"
"""Never served: a group that exists only in RBAC rules and access reviews."""

MANAGED_CLUSTERS = Resource(
    CLUSTER_GROUP, "v1", "managedclusters", "ManagedCluster", namespaced=False
)
CLUSTER_CLAIMS = Resource(
    CLUSTER_GROUP, "v1alpha1", "clusterclaims", "ClusterClaim", namespaced=False
)
CLUSTER_MANAGEMENT_ADDONS = Resource(
    ADDON_GROUP, "v1alpha1", "clustermanagementaddons", "ClusterManagementAddOn", namespaced=False
)
MANAGED_CLUSTER_ADDONS = Resource(
    ADDON_GROUP, "v1alpha1", "managedclusteraddons", "ManagedClusterAddOn", namespaced=True
)
ADDON_DEPLOYMENT_CONFIGS = Resource(
    ADDON_GROUP, "v1alpha1", "addondeploymentconfigs", "AddOnDeploymentConfig", namespaced=True
)

# The newer version of the add-on kinds. OCM stores the older one, and so does towline.
CLUSTER_MANAGEMENT_ADDONS_V1BETA1 = replace(CLUSTER_MANAGEMENT_ADDONS, version="v1beta1")
MANAGED_CLUSTER_ADDONS_V1BETA1 = replace(MANAGED_CLUSTER_ADDONS, version="v1beta1")
ADDON_DEPLOYMENT_CONFIGS_V1BETA1 = replace(ADDON_DEPLOYMENT_CONFIGS, version="v1beta1")
