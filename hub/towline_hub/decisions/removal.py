"""`towline remove`: a person takes a cluster off the hub, and sees what that waits for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from towline_api.condition_types import DELETING
from towline_api.conditions import find_condition
from towline_api.errors import TowlineError, WireError
from towline_api.metadata import finalizers_of, is_being_deleted, uid_of
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_hub.decisions.cluster_waiting import wait_for_cluster
from towline_kube.client import Client


class RemoveError(TowlineError):
    """There was no such cluster to remove."""


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """What removing a cluster came to.

    Args:
        cluster: The cluster.
        gone: Whether it is gone by now.
        waits_for: What it waits for, in the hub's words, if it is not.
    """

    cluster: str
    gone: bool
    waits_for: str | None


async def remove_cluster(
    client: Client,
    cluster: str,
    *,
    limit: timedelta | None = None,
    tell: Callable[[str], None] | None = None,
) -> RemoveReport:
    """Delete a ManagedCluster; wait until it is gone if a limit says for how long.

    Safe to repeat while it is there.

    Args:
        client: Whom to ask, as a person who may delete clusters.
        cluster: Name of the ManagedCluster.
        limit: How long to wait; None does not wait.
        tell: Told what it waits for, whenever that changes.

    Raises:
        RemoveError: There is no such cluster.
    """
    live = await client.find(MANAGED_CLUSTERS, cluster)
    if live is None:
        raise RemoveError(
            f"there is no managed cluster {cluster!r} on this hub; `towline status` shows those "
            "there are"
        )
    uid = uid_of(live)
    if not is_being_deleted(live):
        await client.delete(MANAGED_CLUSTERS, cluster, uid=uid, missing_ok=True)
    told: list[str | None] = [None]

    def show(found: KubeObject | None) -> None:
        waits_for = None if _is_gone(found, uid=uid) else waiting_for(found)
        if waits_for is not None and waits_for != told[0] and tell is not None:
            tell(waits_for)
        told[0] = waits_for

    if limit is None:
        show(await client.find(MANAGED_CLUSTERS, cluster))
        return RemoveReport(cluster, gone=told[0] is None, waits_for=told[0])
    gone = await wait_for_cluster(
        client,
        cluster,
        until=lambda found: _is_gone(found, uid=uid),
        limit=limit,
        tell=show,
    )
    return RemoveReport(cluster, gone=gone, waits_for=told[0])


def waiting_for(cluster: KubeObject | None) -> str:
    """Return what the deletion of a cluster waits for."""
    try:
        condition = None if cluster is None else find_condition(cluster, DELETING)
    except WireError:
        condition = None
    if condition is not None and condition.message:
        return condition.message
    held = ", ".join(finalizers_of(cluster or {"metadata": {}}))
    return f"the hub that put the finalizers {held} on it" if held else "the hub"


def _is_gone(found: KubeObject | None, *, uid: str) -> bool:
    """Another one of that name, which an agent may make at once, is not the one removed."""
    return found is None or uid_of(found) != uid
