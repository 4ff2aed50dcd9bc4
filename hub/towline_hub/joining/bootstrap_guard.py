"""What a bound bootstrap token may create: rules that the API server itself enforces.

RBAC can limit whom one may look at by name, but not what one may create. Two
ValidatingAdmissionPolicies close that gap: a requester in the group of one cluster creates that
ManagedCluster, and requests for client certificates labelled with that cluster, and nothing else.
"""

import logging

from towline_api import names
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_hub.clusters.acceptance_guard import POLICIES, POLICY_BINDINGS, ensure_policy
from towline_kube.client import Client
from towline_kube.errors import Forbidden, NotServed

log = logging.getLogger(__name__)

CLUSTER_GUARD_NAME = "bound-clusters.register.open-cluster-management.io"
REQUEST_GUARD_NAME = "bound-requests.register.open-cluster-management.io"

_PREFIX = names.BOUND_BOOTSTRAP_GROUP_PREFIX
# Whoever is in any group that begins like a bound one is guarded; whom it lets through is exact.
_IS_BOUND = (
    "has(request.userInfo.groups) && "
    f"request.userInfo.groups.exists(group, group.startsWith('{_PREFIX}'))"
)
_LABEL = names.CLUSTER_NAME_LABEL
# Errors are cut, and the names of the policy and its binding stand before it.
_MESSAGE = "a bound token is for its own cluster only"


def _bound_to(name: str) -> str:
    """Return the expression that every bound group of the requester names this cluster."""
    return (
        "request.userInfo.groups.all(group, "
        f"!group.startsWith('{_PREFIX}') || group == '{_PREFIX}' + {name})"
    )


def bootstrap_guards() -> list[tuple[KubeObject, KubeObject]]:
    """Return the policies, each with its binding."""
    return [
        _guard(
            CLUSTER_GUARD_NAME,
            MANAGED_CLUSTERS,
            condition=f"has(object.metadata.name) && {_bound_to('object.metadata.name')}",
        ),
        _guard(
            REQUEST_GUARD_NAME,
            CERTIFICATE_SIGNING_REQUESTS,
            condition=(
                f"object.spec.signerName == '{names.KUBE_CLIENT_SIGNER}' && "
                f"has(object.metadata.labels) && '{_LABEL}' in object.metadata.labels && "
                + _bound_to(f"object.metadata.labels['{_LABEL}']")
            ),
        ),
    ]


def _guard(name: str, resource: Resource, *, condition: str) -> tuple[KubeObject, KubeObject]:
    labels = {names.MANAGED_BY_LABEL: "towline"}
    policy: KubeObject = {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [resource.group],
                        "apiVersions": [resource.version],
                        "operations": ["CREATE"],
                        "resources": [resource.plural],
                    }
                ]
            },
            "matchConditions": [{"name": "is-bound", "expression": _IS_BOUND}],
            "validations": [{"expression": condition, "reason": "Forbidden", "message": _MESSAGE}],
        },
    }
    binding: KubeObject = {
        "apiVersion": POLICY_BINDINGS.api_version,
        "kind": POLICY_BINDINGS.kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return policy, binding


async def ensure_bootstrap_guards(client: Client) -> None:
    """Put the guards in place; go on with a warning where that is not possible.

    Making a bound token puts them in place as well, and fails where that is not possible.
    """
    try:
        for policy, binding in bootstrap_guards():
            await ensure_policy(client, policy, binding)
    except (Forbidden, NotServed) as error:
        log.warning(
            "nothing at the API server keeps bound bootstrap tokens to their cluster's name; grant "
            "the hub its shipped role on Kubernetes 1.30 or newer",
            extra={"error": str(error)},
        )
