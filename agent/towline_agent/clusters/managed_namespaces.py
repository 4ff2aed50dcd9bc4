"""The namespaces that cluster sets of the hub want on a managed cluster. Pure.

The hub lists them in the ManagedCluster's status. The agent makes each, marks it with a label that
names the hub, and says how that went. A namespace that is no longer listed stays, and its label
says so: what is in it is not the agent's.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from towline_api.condition_types import (
    NAMESPACE_APPLIED_MESSAGE,
    NAMESPACE_AVAILABLE,
    REASON_NAMESPACE_APPLIED,
    REASON_NAMESPACE_APPLY_FAILED,
)
from towline_api.conditions import with_condition
from towline_api.metadata import labels_of, name_of, uid_of
from towline_api.names import MANAGED_NAMESPACE_LABEL_PREFIX
from towline_api.resources import NAMESPACES, KubeObject

_LONGEST_LABEL_NAME = 63
LISTED, UNLISTED = "true", "false"
"""Values of the label."""


def hub_label(server: str) -> str:
    """Return the key of the label by which a hub's namespaces are known, as OCM's agent makes it.

    Args:
        server: URL of the hub.
    """
    digest = hashlib.sha256(server.encode()).hexdigest()
    return f"{MANAGED_NAMESPACE_LABEL_PREFIX}{digest[:_LONGEST_LABEL_NAME]}"


def listed_namespaces(cluster: KubeObject) -> frozenset[str]:
    """Return the names of the namespaces that the hub wants on a managed cluster."""
    return frozenset(str(entry.get("name") or "") for entry in _entries(cluster)) - {""}


def missing_namespaces(
    listed: Collection[str], present: Sequence[KubeObject], *, label: str
) -> tuple[str, ...]:
    """Return which namespaces still have to be made or marked.

    Args:
        listed: The namespaces that the hub wants.
        present: The namespaces that carry the label, whatever its value.
        label: The label's key.
    """
    marked = {name_of(item) for item in present if labels_of(item).get(label) == LISTED}
    return tuple(sorted(set(listed) - marked))


def unlisted_namespaces(
    listed: Collection[str], present: Sequence[KubeObject], *, label: str
) -> tuple[KubeObject, ...]:
    """Return which of these namespaces are marked although the hub wants them no more."""
    return tuple(
        item
        for item in present
        if name_of(item) not in listed and labels_of(item).get(label) != UNLISTED
    )


def marked_namespace(name: str, *, label: str, value: str, like: KubeObject | None) -> KubeObject:
    """Return a namespace to apply, with nothing in it but the label.

    Args:
        name: Its name.
        label: The label's key.
        value: The label's value.
        like: The namespace it has to be; None if it may be made.
    """
    metadata: dict[str, Any] = {"name": name, "labels": {label: value}}
    if like is not None:
        metadata["uid"] = uid_of(like)
    return {
        "apiVersion": NAMESPACES.api_version,
        "kind": NAMESPACES.kind,
        "metadata": metadata,
    }


def told_namespaces(
    cluster: KubeObject, outcomes: Mapping[str, str], *, now: datetime
) -> list[dict[str, Any]]:
    """Return the entries of a ManagedCluster's managed namespaces, with how each of them fares.

    Args:
        cluster: The ManagedCluster.
        outcomes: What stands in the way of each namespace; empty for one that is there. What is not
            in it is not known yet, and stays as it is.
        now: The present, for conditions that change.
    """
    told = []
    for entry in _entries(cluster):
        trouble = outcomes.get(str(entry.get("name")))
        if trouble is not None:
            conditions = with_condition(
                entry.get("conditions") or [],
                type=NAMESPACE_AVAILABLE,
                status="False" if trouble else "True",
                reason=REASON_NAMESPACE_APPLY_FAILED if trouble else REASON_NAMESPACE_APPLIED,
                message=trouble or NAMESPACE_APPLIED_MESSAGE,
                now=now,
            )
            entry = {**entry, "conditions": conditions}
        told.append(entry)
    return told


def _entries(cluster: KubeObject) -> list[dict[str, Any]]:
    return list((cluster.get("status") or {}).get("managedNamespaces") or [])
