"""What rules of policies may name, with its types and its values."""

from collections.abc import Mapping
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.admission.matching import Target
from towline_sandbox.embedded.expressions.functions import AUTHORIZER, RESOURCE_CHECK
from towline_sandbox.embedded.expressions.types import (
    BOOL,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    CelType,
    list_of,
    map_of,
)
from towline_sandbox.embedded.model.calls import Call

_KIND = CelType("kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING})
_RESOURCE = CelType(
    "kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING}
)
_USER = CelType(
    "kubernetes.UserInfo",
    {
        "username": STRING,
        "uid": STRING,
        "groups": list_of(STRING),
        "extra": map_of(list_of(STRING)),
    },
)
_REQUEST = CelType(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": STRING,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)
_NAMESPACE = CelType(
    "kubernetes.Namespace",
    {
        "metadata": CelType(
            "kubernetes.NamespaceMetadata",
            {
                "name": STRING,
                "generateName": STRING,
                "namespace": STRING,
                "labels": map_of(STRING),
                "annotations": map_of(STRING),
                "UID": STRING,
                "creationTimestamp": TIMESTAMP,
                "deletionGracePeriodSeconds": INT,
                "deletionTimestamp": TIMESTAMP,
                "generation": INT,
                "resourceVersion": STRING,
                "finalizers": list_of(STRING),
            },
        ),
        "spec": CelType("kubernetes.NamespaceSpec", {"finalizers": list_of(STRING)}),
        "status": CelType("kubernetes.NamespaceStatus", {"phase": STRING}),
    },
)

POLICY_TYPES: Mapping[str, CelType] = {
    "object": DYN,
    "oldObject": DYN,
    "request": _REQUEST,
    "namespaceObject": _NAMESPACE,
    "authorizer": CelType(AUTHORIZER.name, {"requestResource": RESOURCE_CHECK}),
}
"""What the rules of a policy may name, besides its parameters and variables."""

WITHOUT_AUTHORIZER = frozenset({"authorizer"})
"""What message expressions may not name."""


def request_object(call: Call, target: Target, *, version: str) -> KubeObject:
    """Return the variable `request`.

    Args:
        call: The call.
        target: The call as policies see it.
        version: The version in which the policy looks at the object.
    """
    resource, user = call.kind.resource, call.user
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    seen = {"group": resource.group, "version": version, "resource": resource.plural}
    found: dict[str, Any] = {
        "kind": kind,
        "resource": seen,
        "requestKind": {**kind, "version": resource.version},
        "requestResource": {**seen, "version": resource.version},
        "operation": target.operation,
        "userInfo": {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        },
        "dryRun": call.dry_run,
        "name": target.name,
        "namespace": target.namespace or "",
        "subResource": target.subresource,
        "requestSubResource": target.subresource,
        "options": {},
    }
    return found
