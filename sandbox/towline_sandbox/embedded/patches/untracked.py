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
_STATUS = of_paths([("f:status",)])
_SPEC = of_paths([("f:spec",)])

_BESIDE_STATUS = {
    ("apps", "deployments"): of_paths([("f:spec",), ("f:metadata", "f:labels")]),
    ("", "pods"): of_paths(
        [
            ("f:spec",),
            ("f:metadata", "f:deletionTimestamp"),
            ("f:metadata", "f:ownerReferences"),
        ]
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): of_paths([("f:spec",), ("f:metadata",)]),
}
"""What a write to `status` does not reach, for built-in kinds where it is not just `spec`."""


def reached(fields: FieldSet, *, kind: Kind, subresource: str) -> FieldSet:
    """Return the fields without those that a write to the object or subresource leaves alone.

    A caller may send them, as most do who send back what they read; they change nothing and give
    the caller nothing.
    """
    if not fields:
        return fields
    if subresource == "":
        return without_below(fields, _STATUS) if kind.has_status else fields
    if kind.custom:
        return {step: node for step, node in fields.items() if step == f"f:{subresource}"}
    resource = kind.resource
    beside = _BESIDE_STATUS.get((resource.group, resource.plural), _SPEC)
    return without_below(fields, beside)


def owned_by_callers(fields: FieldSet) -> FieldSet:
    """Return the fields without those that are the server's own."""
    return difference(fields, _SERVERS)
