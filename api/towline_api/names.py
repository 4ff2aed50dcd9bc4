"""Every name of Open Cluster Management's wire contract, spelled once.

Labels, annotations, finalizers, signers, Secrets, Leases and RBAC objects. Nothing else in towline
holds these literals. Condition types and reasons live in `towline_api.condition_types`, identities
(user and group names) in `towline_certs.identities`.
"""

# Labels
CLUSTER_NAME_LABEL = "open-cluster-management.io/cluster-name"
"""On CSRs, cluster namespaces, leases and per-cluster RBAC; the value is the cluster's name."""
ADDON_NAME_LABEL = "open-cluster-management.io/addon-name"
"""On CSRs and objects of an add-on; its presence tells add-on CSRs from cluster CSRs."""
SYNCED_FROM_HUB_LABEL = "synced-from-hub"
"""On ConfigMaps an agent copied from the hub to its managed cluster; the value is empty."""
SPOKE_ONLY_CLAIM_LABEL = "open-cluster-management.io/spoke-only"
"""On ClusterClaims that are not reported to the hub, whatever the value."""
CLUSTER_SET_LABEL = "cluster.open-cluster-management.io/clusterset"
MANAGED_NAMESPACE_LABEL_PREFIX = "clusterset.open-cluster-management.io/"
"""On namespaces of a managed cluster, followed by a digest of a hub's URL: `true` while a cluster
set of that hub wants the namespace, `false` when none does any more."""
FEATURE_LABEL_PREFIX = "feature.open-cluster-management.io/addon-"
"""On ManagedClusters, followed by an add-on's name; the value tells how the add-on is there."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
TOKEN_ADDON_LABEL = "addon.open-cluster-management.io/name"  # noqa: S105 - a label's key
"""On what lets an add-on's agent come in with a token; the value is the add-on's name."""
TOKEN_INFRASTRUCTURE_LABEL = "addon.open-cluster-management.io/token-infrastructure"  # noqa: S105
"""On the same objects; the value is `true`."""
BOOTSTRAP_CLUSTER_LABEL = "towline.open-cluster-management.io/bootstrap-cluster"
"""towline's own, on a bootstrap token bound to one cluster and on the RBAC of such tokens; the
value is that cluster's name."""

# Annotations
V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION = (
    "addon.open-cluster-management.io/v1alpha1-install-namespace"
)
CONVERSION_ANNOTATION = "towline.open-cluster-management.io/conversion"
"""towline's own, on add-on kinds: what the other API version says that this one has no field for,
so that nothing is lost on the way there and back."""
HOSTING_CLUSTER_ANNOTATION = "addon.open-cluster-management.io/hosting-cluster-name"
ADDON_LIFECYCLE_ANNOTATION = "addon.open-cluster-management.io/lifecycle"
"""On ClusterManagementAddOns: `self` keeps everyone but the add-on's own hub program away."""
ADDON_VALUES_ANNOTATION = "addon.open-cluster-management.io/values"
"""On ManagedClusterAddOns: a JSON object of values for the add-on's manifests."""
SERVED_BY_ANNOTATION = "towline.open-cluster-management.io/served-by"
"""On ClusterManagementAddOns: the program that registers the add-on's agents and grants their
rights, so that a hub which looks after all add-ons leaves these two things to it."""
DECLARED_SIGNERS_ANNOTATION = "towline.open-cluster-management.io/declared-signers"
"""towline's own, on ManagedClusterAddOns: the custom signers, separated by commas, that are
registered because the hub's settings declare them."""
AUTOMATICALLY_ACCEPTED_ANNOTATION = "open-cluster-management.io/automatically-accepted-on"
SKIP_CLOCK_SYNC_CHECK_ANNOTATION = "registration.open-cluster-management.io/skip-clock-sync-check"
TOKENS_EXPIRE_ANNOTATION = "towline.open-cluster-management.io/tokens-expire"
"""towline's own, on the ClusterRole of a cluster's bound bootstrap tokens: when the last ends."""
DENIAL_REASON_ANNOTATION = "towline.open-cluster-management.io/denial-reason"
"""towline's own, on a ManagedCluster: why an operator denied it, in the operator's words."""
AGENT_ANNOTATION_PREFIX = "agent.open-cluster-management.io"
"""Only annotations with this key prefix pass from an agent's settings to its ManagedCluster."""
CLEANUP_PRIORITY_ANNOTATION = "open-cluster-management.io/cleanup-priority"
"""On ManagedClusterAddOns and ManifestWorks: `0` to `100`, deleted in ascending order."""
SIGNER_AUTHORITIES_ANNOTATION = "towline.open-cluster-management.io/signer-authorities"
"""towline's own, on the ConfigMap with a custom signer's CA bundle: since when and until when each
of its certificates is needed, as JSON."""
FORMER_CERTIFICATE_ANNOTATION = "towline.open-cluster-management.io/former-certificate-expires"
"""On a cluster's namespace: until when (RFC 3339) a certificate of a removed agent may live."""

# Values that stand for something else
NO_DEFAULT_CONFIG = "__reserved_no_default__"
"""As the name of a default configuration in v1beta1: the kind is supported and has no default."""

# Finalizers
API_RESOURCE_CLEANUP_FINALIZER = "cluster.open-cluster-management.io/api-resource-cleanup"
RESOURCE_CLEANUP_FINALIZER = "cluster.open-cluster-management.io/resource-cleanup"
"""OCM's own, beside the one above; whoever cleans up releases it too."""
MANIFEST_WORK_CLEANUP_FINALIZER = "cluster.open-cluster-management.io/manifest-work-cleanup"
DEPRECATED_ADDON_FINALIZERS = (
    "cluster.open-cluster-management.io/addon-pre-delete",
    "cluster.open-cluster-management.io/hosting-addon-pre-delete",
    "cluster.open-cluster-management.io/hosting-manifests-cleanup",
)
"""On ManagedClusterAddOns of long ago; nobody acts on them any more."""

# Taints of ManagedClusters
UNAVAILABLE_TAINT = "cluster.open-cluster-management.io/unavailable"
UNREACHABLE_TAINT = "cluster.open-cluster-management.io/unreachable"
NO_SELECT_EFFECT = "NoSelect"

# Signers, and what a client certificate is used for (CSRs list them in this order)
KUBE_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
CLIENT_CERTIFICATE_USAGES = ("digital signature", "key encipherment", "client auth")

# Namespaces
HUB_NAMESPACE = "open-cluster-management-hub"
AGENT_NAMESPACE = "open-cluster-management-agent"
ADDON_NAMESPACE = "open-cluster-management-agent-addon"
"""Where an add-on's agent is installed when nothing says otherwise."""

# Secrets and Leases
BOOTSTRAP_SECRET = "bootstrap-hub-kubeconfig"  # noqa: S105 - a Secret's name
HUB_KUBECONFIG_SECRET = "hub-kubeconfig-secret"  # noqa: S105 - a Secret's name
CLUSTER_LEASE = "managed-cluster-lease"

# Keys inside those Secrets
KUBECONFIG_KEY = "kubeconfig"
CLUSTER_NAME_KEY = "cluster-name"
AGENT_NAME_KEY = "agent-name"
TLS_KEY_KEY = "tls.key"
TLS_CERTIFICATE_KEY = "tls.crt"
TOKEN_KEY = "token"  # noqa: S105 - a key's name

# RBAC of the hub
BOOTSTRAP_GROUP = "system:bootstrappers:managedcluster"
BOUND_BOOTSTRAP_GROUP_PREFIX = f"{BOOTSTRAP_GROUP}:"
"""Followed by a cluster's name: the group of bootstrap tokens good for that cluster alone."""
BOOTSTRAP_CLUSTER_ROLE = "open-cluster-management:bootstrap"
BOOTSTRAP_CLUSTER_ROLE_BINDING = "open-cluster-management:bootstrap:managedcluster"
REGISTRATION_CLUSTER_ROLE = "open-cluster-management:managedcluster:registration"
WORK_CLUSTER_ROLE = "open-cluster-management:managedcluster:work"


def bound_bootstrap_role(cluster: str) -> str:
    """Return the name of the ClusterRole, and of its binding, of a cluster's bound tokens."""
    return f"{BOOTSTRAP_CLUSTER_ROLE_BINDING}:{cluster}"


def cluster_role(cluster: str) -> str:
    """Return the name of a cluster's own ClusterRole, and of its ClusterRoleBinding."""
    return f"open-cluster-management:managedcluster:{cluster}"


def registration_role_binding(cluster: str) -> str:
    """Return the name of the RoleBinding to `REGISTRATION_CLUSTER_ROLE` in a cluster namespace."""
    return f"{cluster_role(cluster)}:registration"


def work_role_binding(cluster: str) -> str:
    """Return the name of the RoleBinding to `WORK_CLUSTER_ROLE` in a cluster's namespace."""
    return f"{cluster_role(cluster)}:work"


def addon_agent_role(addon: str) -> str:
    """Return the name of an add-on agent's Role, and of its RoleBinding, in a cluster namespace."""
    return f"open-cluster-management:{addon}:agent"


def addon_service_account(addon: str) -> str:
    """Return the name of the ServiceAccount, in a cluster's namespace, of an add-on with tokens."""
    return f"{addon}-agent"


def addon_token_role(addon: str) -> str:
    """Return the name of the Role, and of its RoleBinding, to ask for that account's tokens."""
    return f"{addon}-token-role"


def addon_hub_kubeconfig_secret(addon: str) -> str:
    """Return the name of the Secret with an add-on's hub credential on the managed cluster."""
    return f"{addon}-hub-kubeconfig"


def addon_client_certificate_secret(addon: str, *, signer: str) -> str:
    """Return the name of the Secret with an add-on's certificate by a custom signer.

    The slash of the signer becomes a dash; dots stay, as in OCM.
    """
    return f"{addon}-{signer.replace('/', '-')}-client-cert"


def addon_dns_name(addon: str) -> str:
    """Return the one DNS name an add-on's certificate request carries, as OCM's does."""
    return f"{addon}.addon.open-cluster-management.io"
