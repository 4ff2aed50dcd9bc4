"""What placements see of a cluster's state: taints for its health, labels for its add-ons.

Pure. The names and values are OCM's, and so is the time at which they are set. Only these two
taints and the labels of one prefix are the hub's; whatever else an operator put there stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from towline_api import names
from towline_api.condition_types import AVAILABLE, CLUSTER_AVAILABLE
from towline_api.conditions import Condition, ConditionStatus, find_condition
from towline_api.metadata import creation_time_of, is_being_deleted, labels_of, name_of
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time

_LONGEST_LABEL_NAME = 63
_OURS = (names.UNAVAILABLE_TAINT, names.UNREACHABLE_TAINT)

SETTLING = timedelta(seconds=10)
"""How long a new add-on may take to say how it is before the label says that nobody knows. It is
nearly always available by then, and a fleet that joins is spared one write for each."""


class AddonFeature(StrEnum):
    """How an add-on is there, as the value of its label on the cluster."""

    AVAILABLE = "available"
    UNHEALTHY = "unhealthy"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Marks:
    """What to change about a cluster's marks.

    Args:
        taints: All taints it shall have; None if they are right.
        labels: Labels to set, and with None to remove.
        settled_in: When to look again because time alone changes a mark; None for never.
    """

    taints: list[dict[str, Any]] | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    settled_in: timedelta | None = None

    @property
    def are_right(self) -> bool:
        """Whether there is nothing to change."""
        return self.taints is None and not self.labels


def planned_marks(cluster: KubeObject, *, addons: Iterable[KubeObject], now: datetime) -> Marks:
    """Return what has to change about a cluster's taints and feature labels.

    Args:
        cluster: The ManagedCluster.
        addons: Its ManagedClusterAddOns.
        now: The present, for new taints.
    """
    available = find_condition(cluster, CLUSTER_AVAILABLE)
    due = due_taints(cluster, now=now)
    taints = None if due == taints_of(cluster) else due
    if available is None:
        # Until something is known of the cluster, OCM says nothing of its add-ons either.
        return Marks(taints)
    labels, settled_in = _features(cluster, addons=addons, available=available, now=now)
    return Marks(taints, labels, settled_in)


def due_taints(cluster: KubeObject, *, now: datetime) -> list[dict[str, Any]]:
    """Return the taints a cluster shall have: the one for its health, and what others put there."""
    wanted = health_taint(find_condition(cluster, CLUSTER_AVAILABLE))
    return with_health_taint(taints_of(cluster), wanted=wanted, now=now)


def health_taint(available: Condition | None) -> str | None:
    """Return the key of the taint a cluster has for its availability; None for no taint."""
    match available:
        case None | Condition(status=ConditionStatus.UNKNOWN):
            return names.UNREACHABLE_TAINT
        case Condition(status=ConditionStatus.FALSE):
            return names.UNAVAILABLE_TAINT
        case _:
            return None


def with_health_taint(
    taints: Sequence[Mapping[str, Any]], *, wanted: str | None, now: datetime
) -> list[dict[str, Any]]:
    """Return taints with the wanted one of the two for health, and without the other.

    One that is there keeps its time; what others put there keeps its place.
    """
    kept = [dict(item) for item in taints if item.get("key") not in _OURS or _is(item, wanted)]
    if wanted is None or any(_is(item, wanted) for item in kept):
        return kept
    added = {
        "key": wanted,
        "effect": names.NO_SELECT_EFFECT,
        "timeAdded": format_time(now),
    }
    return [*kept, added]


def feature_label(addon: str) -> str | None:
    """Return the key of an add-on's label on clusters; None if its name is too long for one."""
    key = f"{names.FEATURE_LABEL_PREFIX}{addon}"
    name = key.partition("/")[2]
    return key if len(name) <= _LONGEST_LABEL_NAME else None


def addon_feature(available: Condition | None) -> AddonFeature:
    """Return what an add-on's label says for its `Available` condition."""
    match available:
        case Condition(status=ConditionStatus.TRUE):
            return AddonFeature.AVAILABLE
        case Condition(status=ConditionStatus.FALSE):
            return AddonFeature.UNHEALTHY
        case _:
            return AddonFeature.UNREACHABLE


def taints_of(cluster: KubeObject) -> list[dict[str, Any]]:
    """Return a cluster's taints as they stand."""
    return list((cluster.get("spec") or {}).get("taints") or [])


def _features(
    cluster: KubeObject, *, addons: Iterable[KubeObject], available: Condition, now: datetime
) -> tuple[dict[str, str | None], timedelta | None]:
    """Return what changes about the feature labels, and when time alone changes something."""
    present = {
        key: value
        for key, value in labels_of(cluster).items()
        if key.startswith(names.FEATURE_LABEL_PREFIX)
    }
    wanted: dict[str, str] = {}
    settled_in: timedelta | None = None
    for addon in addons:
        key = feature_label(name_of(addon))
        if key is None or is_being_deleted(addon):
            continue
        condition = find_condition(addon, AVAILABLE)
        if condition is None and key not in present:
            since = max(creation_time_of(addon), available.last_transition_time or now)
            left = since + SETTLING - now
            if left > timedelta():
                settled_in = left if settled_in is None else min(left, settled_in)
                continue
        wanted[key] = addon_feature(condition).value
    changes: dict[str, str | None] = {
        key: value for key, value in wanted.items() if present.get(key) != value
    }
    changes |= dict.fromkeys(present.keys() - wanted.keys())
    return changes, settled_in


def _is(taint: Mapping[str, Any], key: str | None) -> bool:
    return taint.get("key") == key and taint.get("effect") == names.NO_SELECT_EFFECT
