"""Fields that an applier wants otherwise than those who own them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from towline_sandbox.embedded.model.failures import ApiFailure, Cause
from towline_sandbox.embedded.patches.field_sets import FieldSet, intersection, path_words, paths
from towline_sandbox.embedded.patches.go_words import quoted
from towline_sandbox.embedded.patches.owners import Identity, Operation, Owner


class Conflict(NamedTuple):
    """One field with an owner who wants another value."""

    owner: Owner
    path: tuple[str, ...]


def conflicts_over(written: FieldSet, others: Mapping[Identity, Owner]) -> list[Conflict]:
    """Return the written fields that others own, by owner."""
    return [
        Conflict(owner, path)
        for owner in sorted(others.values(), key=lambda owner: owner.identity.as_text())
        for path in paths(intersection(owner.fields, written))
    ]


def refusal(conflicts: Sequence[Conflict]) -> ApiFailure:
    """The apply would take fields from others, and was not told to."""
    if len(conflicts) == 1:
        only = conflicts[0]
        told = f"1 conflict: conflict with {_name(only.owner)}: {path_words(only.path)}"
    else:
        lines = []
        for at, conflict in enumerate(conflicts):
            if at == 0 or conflict.owner is not conflicts[at - 1].owner:
                lines.append(f"conflicts with {_name(conflict.owner)}:")
            lines.append(f"- {path_words(conflict.path)}")
        told = f"{len(conflicts)} conflicts: " + "\n".join(lines)
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_name(c.owner)}", path_words(c.path))
        for c in conflicts
    ]
    return ApiFailure(
        409,
        "Conflict",
        f"Apply failed with {told}",
        details={"causes": [cause.as_object() for cause in causes]},
    )


def _name(owner: Owner) -> str:
    name = quoted(owner.manager)
    if owner.subresource:
        name += f" with subresource {quoted(owner.subresource)}"
    if owner.operation is Operation.UPDATE:
        name += f" using {owner.api_version}"
    return name
