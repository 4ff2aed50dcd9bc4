"""Reading what is posted for a review: decoded as the kind it is, its fields noted as the caller's.

Nothing of it is stored, but a real server takes note of who wrote which field, and shows it.
"""

from functools import cache

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.built_in import decode_as, definitions
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.kinds import GroupVersion, Kind
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.patches import managed_fields
from towline_sandbox.embedded.queries.write_options import check_write_options

TOKEN_REQUEST = Resource(
    "authentication.k8s.io", "v1", "TokenRequest", "TokenRequest", namespaced=True
)
"""It has no plural: it is posted to a subresource, and refusals show the kind instead."""

_DEFAULT_SECONDS = 3600


def read_review(call: Call, body: KubeObject) -> KubeObject:
    """Return a posted review.

    Raises:
        ApiFailure: It is none, or asks for what there is not.
    """
    return _tracked(call, _decoded(call, body, call.kind.resource), call.kind)


def read_question(call: Call, body: KubeObject) -> KubeObject:
    """Return a posted review of which the answer shows nothing.

    Raises:
        ApiFailure: It is none, or asks for what there is not.
    """
    return _decoded(call, body, call.kind.resource)


def read_token_request(call: Call, body: KubeObject) -> KubeObject:
    """Return a posted TokenRequest, its lifetime filled in.

    Raises:
        ApiFailure: It is none, or asks for what there is not.
    """
    request = _decoded(call, body, TOKEN_REQUEST)
    spec = dict(request.get("spec") or {})
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = _DEFAULT_SECONDS
    tracked = _tracked(call, {**request, "spec": spec}, _token_request())
    for entry in tracked["metadata"].get("managedFields", ()):
        # Only now: what the account's own subresources reach is none of this object's business.
        entry["subresource"] = call.subresource
    return tracked


def _decoded(call: Call, body: KubeObject, resource: Resource) -> KubeObject:
    check_write_options(call)
    found = decode_as(
        body,
        group_version=GroupVersion(resource.group, resource.version),
        kind=resource.kind,
        field_validation=call.field_validation,
        warnings=call.warnings,
    )
    found.setdefault("metadata", {})
    return found


def _tracked(call: Call, review: KubeObject, kind: Kind) -> KubeObject:
    return managed_fields.track_update(
        None,
        review,
        kind=kind,
        manager=call.field_manager,
        subresource="",
        now=call.now,
    )


@cache
def _token_request() -> Kind:
    shape = {"$ref": "#/components/schemas/io.k8s.api.authentication.v1.TokenRequest"}
    return Kind(
        TOKEN_REQUEST,
        frozenset({"create"}),
        singular="",
        list_kind="",
        schema=Schema(shape, definitions=definitions()),
    )
