"""What a caller sends to change an object: patches, and whose the fields then are."""

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches import merge_patch, strategic_merge
from towline_sandbox.embedded.patches.media_types import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE,
    not_accepted,
)


def apply_patch(current: KubeObject, patch: bytes, *, media_type: str, kind: Kind) -> KubeObject:
    """Return the object as the patch makes it; a private copy, `current` stays as it is.

    Args:
        current: The stored object.
        patch: The body of the call.
        media_type: Its form, without parameters; server-side apply is not one of them.
        kind: Kind of the object.

    Raises:
        ApiFailure: The form is not read for this kind, or the patch is no good.
    """
    if media_type == JSON_PATCH:
        # Here, since few send any, and its library would take its time at every start of a plane.
        from towline_sandbox.embedded.patches import json_patch

        return json_patch.apply(current, patch)
    if media_type == MERGE_PATCH:
        return merge_patch.apply(current, patch)
    if media_type == STRATEGIC_MERGE:
        return strategic_merge.apply(current, patch, kind=kind)
    raise not_accepted(kind)
