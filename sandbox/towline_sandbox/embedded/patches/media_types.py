"""The forms a patch may be sent in, by media type."""

from towline_sandbox.embedded.model.failures import ApiFailure, unsupported_media_type
from towline_sandbox.embedded.model.kinds import Kind

JSON_PATCH = "application/json-patch+json"
"""RFC 6902: a list of operations."""

MERGE_PATCH = "application/merge-patch+json"
"""RFC 7386: an object laid over the stored one."""

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
"""A merge patch that pairs the items of lists by their keys; built-in kinds only."""

APPLY = "application/apply-patch+yaml"
"""Server-side apply: all that one manager wants, as YAML or JSON."""


def accepted(kind: Kind) -> tuple[str, ...]:
    """Return the forms that objects of a kind may be patched with, as a refusal lists them."""
    if kind.custom:
        return (JSON_PATCH, MERGE_PATCH, APPLY)
    return (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE, APPLY)


def not_accepted(kind: Kind) -> ApiFailure:
    """The patch comes in a form that objects of the kind cannot be patched with."""
    if kind.custom:
        return unsupported_media_type(accepted(kind))
    return ApiFailure(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
