"""Who owns the number of replicas after it was written through the `scale` subresource.

Whoever writes there sees a Scale, which holds one field that can be owned. Kubernetes finds out
whose it is then, and notes that in the object itself, without a time.
"""

from dataclasses import dataclass, replace

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.patches.comparison import Changes
from towline_sandbox.embedded.patches.conflicts import conflicts_over, refusal
from towline_sandbox.embedded.patches.field_sets import NOTHING, field_step, of_paths
from towline_sandbox.embedded.patches.managed_fields import taken_from
from towline_sandbox.embedded.patches.owners import (
    Operation,
    Owner,
    entries_of,
    stored_owners,
    with_owners,
)

_SCALE = "scale"
_SCALE_VERSION = "autoscaling/v1"


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody who writes a Scale wants.

    Args:
        manager: Who it is.
        operation: How it is written.
        changes: Whether the number becomes another one.
        names: Whether the number is named at all.
        force: Whether an applier takes it from others.
    """

    manager: str
    operation: Operation
    changes: bool
    names: bool = True
    force: bool = False


def scaled_by(obj: KubeObject, claim: Claim, *, kind: Kind, path: str) -> KubeObject:
    """Return the scaled object with the owners it has then.

    Args:
        obj: The object with its new number and the owners from before.
        claim: Who wrote it, and how.
        kind: Kind of the object.
        path: Where it keeps the number, for example `.spec.replicas`.

    Raises:
        ApiFailure: Others own the number, and the applier does not force them.
    """
    applies = claim.operation is Operation.APPLY
    if not claim.names or not (claim.changes or applies):
        return obj
    number = of_paths([tuple(map(field_step, path.removeprefix(".").split(".")))])
    me = Owner(
        manager=claim.manager,
        operation=claim.operation,
        api_version=kind.resource.api_version,
        subresource=_SCALE,
        time=None,
        fields=number,
    )
    owners = stored_owners(entries_of(obj))
    others = {identity: owner for identity, owner in owners.items() if identity != me.identity}
    if claim.changes:
        if applies and not claim.force:
            seen = {
                identity: replace(owner, api_version=_SCALE_VERSION)
                for identity, owner in others.items()
            }
            if conflicts := conflicts_over(number, seen):
                raise refusal(conflicts)
        others = taken_from(others, Changes(NOTHING, number))
    return with_owners(obj, {**others, me.identity: me})
