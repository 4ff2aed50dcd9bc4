"""Which objects on the managed cluster are ours: how we mark them, and how we know them again.

An object is ours only if it carries our labels *and* names itself in an annotation. Labels alone
would be too little: whoever copies one of our objects by hand copies its labels too, and we must
never touch the copy.
"""

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum

from towline_api.metadata import annotations_of, key_of, labels_of
from towline_api.names import (
    ADDON_NAME_LABEL,
    CLUSTER_NAME_LABEL,
    MANAGED_BY_LABEL,
    SYNCED_FROM_HUB_LABEL,
)
from towline_api.resources import KubeObject
from towline_api.spec_hash import go_json

MANAGED_BY = "towline-agent"
"""Value of `MANAGED_BY_LABEL` on everything the agent makes on the managed cluster."""
APPLIED_AS_ANNOTATION = "towline/applied-as"
"""The object's own namespace and name, so that a copy made by hand is not taken for ours."""
SOURCE_ANNOTATION = "towline/source"
"""What on the hub the object was made from, as `plural.group/namespace/name`."""
CONTENT_ANNOTATION = "towline/content"
"""Digest of everything we applied, so that a key which went away on the hub counts as a change."""


class Claim(StrEnum):
    """Whose an object on the managed cluster is."""

    OURS = "Ours"
    SHARED = "Shared"
    """Made by us for another add-on from the same source: both want the very same object."""
    FOREIGN = "Foreign"


@dataclass(frozen=True, slots=True)
class Owner:
    """One add-on of one managed cluster, as the owner of objects there.

    Args:
        cluster: Name of the managed cluster.
        addon: Name of the add-on.
    """

    cluster: str
    addon: str

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels every object of this owner carries."""
        return {
            MANAGED_BY_LABEL: MANAGED_BY,
            CLUSTER_NAME_LABEL: self.cluster,
            ADDON_NAME_LABEL: self.addon,
        }

    @property
    def selector(self) -> str:
        """The label selector that finds this owner's objects."""
        return to_selector(self.labels)

    def mark(self, body: KubeObject) -> KubeObject:
        """Return a copy of an object that this owner will know again as its own.

        Args:
            body: What to write; its own labels and annotations stay, ours win.
        """
        marked = deepcopy(body)
        marked["metadata"]["labels"] = {**labels_of(body), **self.labels}
        marked["metadata"]["annotations"] = {
            **annotations_of(body),
            APPLIED_AS_ANNOTATION: str(key_of(body)),
        }
        return marked

    def stamp(self, body: KubeObject, *, source: str) -> KubeObject:
        """Return a copy of an object, marked, that also says what on the hub it was made from."""
        stamped = self.mark(body)
        stamped["metadata"]["labels"][SYNCED_FROM_HUB_LABEL] = ""
        stamped["metadata"]["annotations"] |= {
            SOURCE_ANNOTATION: source,
            CONTENT_ANNOTATION: content_digest(body),
        }
        return stamped

    def claim(self, live: KubeObject, *, source: str | None = None) -> Claim:
        """Return whose a live object is.

        Args:
            live: The object as the managed cluster has it.
            source: What the object we want under this name is made from; None if we want none.
        """
        labels, annotations = labels_of(live), annotations_of(live)
        marked = (
            labels.get(MANAGED_BY_LABEL) == MANAGED_BY
            and labels.get(CLUSTER_NAME_LABEL) == self.cluster
            and annotations.get(APPLIED_AS_ANNOTATION) == str(key_of(live))
        )
        if not marked:
            return Claim.FOREIGN
        if labels.get(ADDON_NAME_LABEL) == self.addon:
            return Claim.OURS
        shared = source is not None and annotations.get(SOURCE_ANNOTATION) == source
        return Claim.SHARED if shared else Claim.FOREIGN


def cluster_selector(cluster: str) -> str:
    """Return the label selector for everything we made for any add-on of a managed cluster."""
    return to_selector({MANAGED_BY_LABEL: MANAGED_BY, CLUSTER_NAME_LABEL: cluster})


def to_selector(labels: Mapping[str, str]) -> str:
    """Return the label selector for objects that carry all of these labels."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def content_digest(body: KubeObject) -> str:
    """Return a digest of everything an object asks for, its marks excepted."""
    return hashlib.sha256(go_json(body).encode()).hexdigest()
