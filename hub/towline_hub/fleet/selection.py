"""The part of a fleet that somebody wants to see. Pure."""

from collections.abc import Collection

from towline_hub.fleet.state import Acceptance, AddonStatus, ClusterStatus, FleetStatus


def narrowed(
    fleet: FleetStatus, *, clusters: Collection[str] = (), only_problems: bool = False
) -> FleetStatus:
    """Return the part of a fleet somebody wants to see.

    Args:
        fleet: The whole fleet.
        clusters: Names of the clusters to keep; empty for all.
        only_problems: Whether to leave out clusters and add-ons that are well. What has to be said
            about a request that waits is never left out.
    """

    def is_wanted(cluster: str) -> bool:
        return not clusters or cluster in clusters

    return FleetStatus(
        at=fleet.at,
        clusters=tuple(
            item
            for item in fleet.clusters
            if is_wanted(item.name) and not (only_problems and _cluster_is_well(item))
        ),
        addons=tuple(
            item
            for item in fleet.addons
            if is_wanted(item.cluster) and not (only_problems and _addon_is_well(item))
        ),
        pending=tuple(item for item in fleet.pending if is_wanted(item.cluster)),
    )


def _cluster_is_well(cluster: ClusterStatus) -> bool:
    return (
        cluster.acceptance is Acceptance.ACCEPTED
        and cluster.joined
        and cluster.available == "True"
        and cluster.problem is None
    )


def _addon_is_well(addon: AddonStatus) -> bool:
    return (
        addon.available == "True"
        and addon.problem is None
        and all(config.is_applied for config in addon.configs)
    )
