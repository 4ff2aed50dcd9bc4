"""What happened to a stored object, once."""

from dataclasses import dataclass
from enum import StrEnum

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import StorageKey


class ChangeType(StrEnum):
    """What happened; the words are those of watch events."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Change:
    """One write to the store.

    Args:
        type: What happened.
        key: What the object is stored with.
        revision: The store's revision that the write made.
        object: The object as of this revision; a deleted one as it was last, but with this
            revision as its `resourceVersion`.
        previous: The object before; None if it was added.
    """

    type: ChangeType
    key: StorageKey
    revision: int
    object: KubeObject
    previous: KubeObject | None
