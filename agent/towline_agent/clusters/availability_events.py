"""Telling people on the hub, by an Event, that the managed cluster came or went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from towline_api.condition_types import CLUSTER_AVAILABLE
from towline_api.conditions import ConditionStatus, find_condition
from towline_api.metadata import name_of
from towline_api.resources import KubeObject
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.events import EventRecorder, EventType

CONTROLLER = "klusterlet-agent"
"""Who reports, as OCM's agent calls itself: people select Events by it."""


@dataclass(frozen=True, slots=True)
class AvailabilityNews:
    """What an Event says."""

    reason: str
    note: str
    type: EventType


def find_news(before: KubeObject, status: Mapping[str, Any]) -> AvailabilityNews | None:
    """Return what to tell about a ManagedCluster whose status was written; None for nothing.

    That a cluster comes for the first time its hub says, which has accepted it; and that nobody
    hears of it says the hub, too.

    Args:
        before: The ManagedCluster as it was.
        status: The status it has now.
    """
    was = find_condition(before, CLUSTER_AVAILABLE)
    now = find_condition({"status": status}, CLUSTER_AVAILABLE)
    if was is None or now is None or was.status is now.status:
        return None
    match now.status:
        case ConditionStatus.TRUE:
            note = f"managed cluster {name_of(before)} is available again"
            return AvailabilityNews("Available", note, EventType.NORMAL)
        case ConditionStatus.FALSE:
            note = f"managed cluster {name_of(before)} is not available: {now.message}"
            return AvailabilityNews("Unavailable", note, EventType.WARNING)
        case ConditionStatus.UNKNOWN:
            return None
        case _:
            assert_never(now.status)


async def tell_news(
    news: AvailabilityNews,
    *,
    cluster: KubeObject,
    hub: Client,
    instance: str,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Put an Event into the cluster's namespace on the hub; what goes wrong is logged only.

    Args:
        news: What to tell.
        cluster: The ManagedCluster.
        hub: The hub, under the cluster's own identity.
        instance: Name of the agent.
        clock: Time.
    """
    # A recorder of its own for each Event: one that counts repeats would change Events, which
    # agents may not. The same news within half an hour is one Event by its name.
    recorder = EventRecorder(hub, controller=CONTROLLER, instance=instance, clock=clock)
    await recorder.record(
        cluster,
        reason=news.reason,
        note=news.note,
        action=news.reason,
        type=news.type,
        namespace=name_of(cluster),
    )
