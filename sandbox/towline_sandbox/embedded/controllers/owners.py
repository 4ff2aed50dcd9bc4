"""Who owns an object, and what follows from it: the rules of garbage collection.

Pure: the facts go in, a verdict comes out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from towline_api.resources import KubeObject

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


class Propagation(StrEnum):
    """What becomes of an object's dependents when it is deleted."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class OwnerState(StrEnum):
    """What is known of an owner that an object names."""

    THERE = "there"
    ABSENT = "absent"
    WAITING = "waiting"
    """It is being deleted and waits until its dependents are."""
    UNKNOWN = "unknown"
    """Nobody can tell: its kind is not served, or the object may not have an owner there."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The object stays, with these of its owner references.

    Args:
        references: What `ownerReferences` should be; None if they are right as they are.
    """

    references: Sequence[KubeObject] | None = None


@dataclass(frozen=True, slots=True)
class Collect:
    """No owner is left, so the object goes as well.

    Args:
        propagation: What becomes of its own dependents.
    """

    propagation: Propagation


def verdict(
    obj: KubeObject, owners: Sequence[OwnerState], *, has_dependents: bool
) -> Keep | Collect:
    """Return what becomes of an object.

    Args:
        obj: The object.
        owners: The state of each of its owner references, in their order.
        has_dependents: Whether it owns others itself.
    """
    metadata = obj["metadata"]
    references = metadata.get("ownerReferences") or []
    if not references or "deletionTimestamp" in metadata or OwnerState.UNKNOWN in owners:
        return Keep()
    if OwnerState.THERE in owners:
        kept = [
            reference
            for reference, state in zip(references, owners, strict=True)
            if state is OwnerState.THERE
        ]
        return Keep(None if len(kept) == len(references) else kept)
    if OwnerState.WAITING in owners and has_dependents:
        # Its owner waits for it, so it waits for those it owns in turn.
        return Collect(Propagation.FOREGROUND)
    return Collect(_own_propagation(metadata.get("finalizers") or ()))


def _own_propagation(finalizers: Iterable[str]) -> Propagation:
    if ORPHAN in finalizers:
        return Propagation.ORPHAN
    return Propagation.FOREGROUND if FOREGROUND in finalizers else Propagation.BACKGROUND


def waits_for(owner: KubeObject) -> str | None:
    """Return the finalizer by which a deleted owner waits for garbage collection, if it does."""
    metadata = owner["metadata"]
    if "deletionTimestamp" not in metadata:
        return None
    finalizers = metadata.get("finalizers") or ()
    return next((each for each in (ORPHAN, FOREGROUND) if each in finalizers), None)


def blocks(dependent: KubeObject, *, owner_uid: str) -> bool:
    """Tell whether an owner that is deleted in the foreground waits for this dependent."""
    return any(
        reference.get("uid") == owner_uid and reference.get("blockOwnerDeletion")
        for reference in dependent["metadata"].get("ownerReferences") or ()
    )


def without_owner(dependent: KubeObject, *, owner_uid: str) -> list[KubeObject]:
    """Return the owner references that are left when an owner gives up a dependent."""
    references = dependent["metadata"].get("ownerReferences") or ()
    return [reference for reference in references if reference.get("uid") != owner_uid]
