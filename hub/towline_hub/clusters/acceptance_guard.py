"""Who may accept a cluster: a rule that the API server itself enforces.

Agents and bootstrap identities may write ManagedClusters, and acceptance is one field of them.
OCM guards that field by an admission webhook; towline hands the same rule to the API server as a
ValidatingAdmissionPolicy, which needs no server of ours to be up. Beside the webhook it does no
harm, as both ask for the same right.
"""

import logging

from towline_api import names
from towline_api.metadata import name_of
from towline_api.resources import (
    CLUSTER_GROUP,
    MANAGED_CLUSTERS,
    REGISTER_GROUP,
    KubeObject,
    Resource,
)
from towline_hub.object_writer import holds
from towline_kube.client import Client
from towline_kube.errors import Forbidden, NotServed

log = logging.getLogger(__name__)

ADMISSION_GROUP = "admissionregistration.k8s.io"
POLICIES = Resource(
    ADMISSION_GROUP,
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
POLICY_BINDINGS = Resource(
    ADMISSION_GROUP,
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)

GUARD_NAME = "acceptance.register.open-cluster-management.io"

_TURNS_ACCEPTED = (
    "has(object.spec) && has(object.spec.hubAcceptsClient) && object.spec.hubAcceptsClient && "
    "!(oldObject != null && has(oldObject.spec) && has(oldObject.spec.hubAcceptsClient) && "
    "oldObject.spec.hubAcceptsClient)"
)
_MAY_ACCEPT = (
    f"authorizer.group('{REGISTER_GROUP}').resource('{MANAGED_CLUSTERS.plural}')"
    ".subresource('accept').name(object.metadata.name).check('update').allowed()"
)
_MESSAGE = (
    f"setting spec.hubAcceptsClient takes the right to update managedclusters/accept in "
    f"{REGISTER_GROUP}"
)


def acceptance_guard() -> tuple[KubeObject, KubeObject]:
    """Return the policy and its binding: accepting takes the right `managedclusters/accept`."""
    labels = {names.MANAGED_BY_LABEL: "towline"}
    policy = {
        "apiVersion": POLICIES.api_version,
        "kind": POLICIES.kind,
        "metadata": {"name": GUARD_NAME, "labels": labels},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [CLUSTER_GROUP],
                        "apiVersions": [MANAGED_CLUSTERS.version],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [MANAGED_CLUSTERS.plural],
                    }
                ]
            },
            "matchConditions": [{"name": "turns-accepted", "expression": _TURNS_ACCEPTED}],
            "validations": [
                {
                    "expression": _MAY_ACCEPT,
                    "reason": "Forbidden",
                    "message": _MESSAGE,
                }
            ],
        },
    }
    binding = {
        "apiVersion": POLICY_BINDINGS.api_version,
        "kind": POLICY_BINDINGS.kind,
        "metadata": {"name": GUARD_NAME, "labels": labels},
        "spec": {"policyName": GUARD_NAME, "validationActions": ["Deny"]},
    }
    return policy, binding


async def ensure_acceptance_guard(client: Client) -> None:
    """Put the guard in place; go on with a warning where that is not possible."""
    try:
        await ensure_policy(client, *acceptance_guard())
    except (Forbidden, NotServed) as error:
        log.warning(
            "nothing keeps agents from accepting clusters themselves; grant the hub its shipped "
            "role on Kubernetes 1.30 or newer, or run OCM's admission webhook",
            extra={"error": str(error)},
        )


async def ensure_policy(client: Client, policy: KubeObject, binding: KubeObject) -> None:
    """Put a ValidatingAdmissionPolicy and its binding in place; write nothing if they are.

    Raises:
        Forbidden: The client's identity may not.
        NotServed: The API server is older than Kubernetes 1.30.
    """
    for desired, resource in ((policy, POLICIES), (binding, POLICY_BINDINGS)):
        live = await client.find(resource, name_of(desired))
        if live is None or not holds(desired, live):
            await client.apply(resource, desired)
