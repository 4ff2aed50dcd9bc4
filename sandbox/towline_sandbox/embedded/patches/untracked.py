"""Fields that nobody comes to own: what the server sets itself, and what a write does not reach."""

from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches.field_sets import (
    FieldSet,
    difference,
    of_paths,
    without_below,
)

_SERVERS = of_paths(
    [
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
            )
        ),
    ]
)
_STATUS = ("f:status",)
_SPEC = ("f:spec",)
_STATUS_SET = of_paths([_STATUS])
_SPEC_SET = of_paths([_SPEC])

_BY_STRATEGY = {
    ("apps", "deployments", "status"): of_paths([_SPEC, ("f:metadata", "f:labels")]),
    ("", "pods", "status"): of_paths(
        [
            _SPEC,
            ("f:metadata", "f:deletionTimestamp"),
            ("f:metadata", "f:ownerReferences"),
        ]
    ),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", "status"): of_paths(
        [_SPEC, ("f:metadata",)]
    ),
    # What is asked for is the requester's for good: there is nothing to own.
    ("certificates.k8s.io", "certificatesigningrequests", ""): of_paths([_SPEC, _STATUS]),
    ("certificates.k8s.io", "certificatesigningrequests", "approval"): of_paths(
        [_SPEC, ("f:status", "f:certificate")]
    ),
    ("certificates.k8s.io", "certificatesigningrequests", "status"): of_paths(
        [_SPEC, ("f:status", "f:conditions")]
    ),
    ("", "namespaces", "finalize"): _STATUS_SET,
}
"""What a write leaves alone, by group, plural and subresource, where it is not the usual."""


def reached(fields: FieldSet, *, kind: Kind, subresource: str) -> FieldSet:
    """Return the fields without those that a write to the object or subresource leaves alone.

    A caller may send them, as most do who send back what they read; they change nothing and give
    the caller nothing.
    """
    if not fields:
        return fields
    resource = kind.resource
    untouched = _BY_STRATEGY.get((resource.group, resource.plural, subresource))
    if untouched is not None:
        return without_below(fields, untouched)
    if subresource == "":
        return without_below(fields, _STATUS_SET) if kind.has_status else fields
    if kind.custom:
        return {step: node for step, node in fields.items() if step == f"f:{subresource}"}
    return without_below(fields, _SPEC_SET)


def owned_by_callers(fields: FieldSet) -> FieldSet:
    """Return the fields without those that are the server's own."""
    return difference(fields, _SERVERS)
