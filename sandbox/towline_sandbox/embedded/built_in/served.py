"""Which of Kubernetes' own kinds the embedded plane serves, and with which subresources.

What is not named here is answered with 404, as a kind that does not exist. Left out on purpose is
what would only pretend to work: quotas and limits nobody enforces, webhooks nobody calls, API
services and flow schemas nobody follows, logs and shells of Pods that never run.
"""

from towline_sandbox.embedded.model.kinds import GroupVersion

Selection = dict[GroupVersion, dict[str, tuple[str, ...]]]

_STATUS = ("status",)
_STATUS_AND_SCALE = ("scale", "status")

SERVED: Selection = {
    GroupVersion("", "v1"): {
        "configmaps": (),
        "events": (),
        "namespaces": ("finalize", "status"),
        "nodes": _STATUS,
        "persistentvolumeclaims": _STATUS,
        "pods": _STATUS,
        "secrets": (),
        "serviceaccounts": ("token",),
        "services": _STATUS,
    },
    GroupVersion("admissionregistration.k8s.io", "v1"): {
        "validatingadmissionpolicies": _STATUS,
        "validatingadmissionpolicybindings": (),
    },
    GroupVersion("apiextensions.k8s.io", "v1"): {"customresourcedefinitions": _STATUS},
    GroupVersion("apps", "v1"): {
        "daemonsets": _STATUS,
        "deployments": _STATUS_AND_SCALE,
        "replicasets": _STATUS_AND_SCALE,
        "statefulsets": _STATUS_AND_SCALE,
    },
    GroupVersion("authentication.k8s.io", "v1"): {"selfsubjectreviews": (), "tokenreviews": ()},
    GroupVersion("authorization.k8s.io", "v1"): {
        "localsubjectaccessreviews": (),
        "selfsubjectaccessreviews": (),
        "selfsubjectrulesreviews": (),
        "subjectaccessreviews": (),
    },
    GroupVersion("batch", "v1"): {"cronjobs": _STATUS, "jobs": _STATUS},
    GroupVersion("certificates.k8s.io", "v1"): {
        "certificatesigningrequests": ("approval", "status"),
    },
    GroupVersion("coordination.k8s.io", "v1"): {"leases": ()},
    GroupVersion("discovery.k8s.io", "v1"): {"endpointslices": ()},
    GroupVersion("events.k8s.io", "v1"): {"events": ()},
    GroupVersion("networking.k8s.io", "v1"): {"ingresses": _STATUS, "networkpolicies": ()},
    GroupVersion("policy", "v1"): {"poddisruptionbudgets": _STATUS},
    GroupVersion("rbac.authorization.k8s.io", "v1"): {
        "clusterrolebindings": (),
        "clusterroles": (),
        "rolebindings": (),
        "roles": (),
    },
    GroupVersion("scheduling.k8s.io", "v1"): {"priorityclasses": ()},
    GroupVersion("storage.k8s.io", "v1"): {"storageclasses": ()},
}
