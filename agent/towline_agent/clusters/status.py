"""What a managed cluster says about itself on the hub: the whole status, as a pure function.

The rules are those of OCM's registration agent, in its order: joined, available, resources, claims,
and the state of the cluster's certificate beside them. All of it goes out in one patch, and in none
when nothing changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, assert_never

from towline_agent.clusters.managed_namespaces import told_namespaces
from towline_agent.clusters.quantities import sum_quantities
from towline_agent.credentials.state import Standing
from towline_agent.credentials.status import RotationReport
from towline_api.condition_types import (
    CERTIFICATE_ROTATED,
    CLUSTER_AVAILABLE,
    CLUSTER_AVAILABLE_MESSAGE,
    HUB_ACCEPTED,
    JOINED,
    JOINED_MESSAGE,
    REASON_CLUSTER_API_SERVER_UNAVAILABLE,
    REASON_CLUSTER_AVAILABLE,
    REASON_HUB_ERROR,
    REASON_JOINED,
)
from towline_api.conditions import ConditionStatus, find_condition, is_true, with_condition
from towline_api.metadata import is_being_deleted, labels_of, name_of
from towline_api.names import SPOKE_ONLY_CLAIM_LABEL
from towline_api.resources import KubeObject

RESERVED_CLAIMS = frozenset(
    {
        "id.k8s.io",
        "kubeversion.open-cluster-management.io",
        "platform.open-cluster-management.io",
        "product.open-cluster-management.io",
    }
)
"""Claims with a meaning of their own: always reported, whatever the limit."""
_LONGEST_CLAIM_NAME, _LONGEST_CLAIM_VALUE = 253, 1024
"""What a hub takes in a ManagedCluster. A claim beyond that, which only a changed definition on the
managed cluster lets through, would keep the whole status from being written."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """The managed cluster's API server answers."""


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """The managed cluster's API server has not answered for a while; `message` says how."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokeFacts:
    """What is known of the managed cluster; None for what is not known yet, and stays as it is.

    Args:
        health: Whether its API server answers.
        version: Its Kubernetes version, as in `v1.34.1`.
        nodes: Its Nodes.
        claims: Its ClusterClaims; empty where the kind is not installed.
        namespaces: What stands in the way of each namespace that cluster sets want on it; empty for
            one that is there.
    """

    health: Healthy | Unhealthy | None = None
    version: str | None = None
    nodes: Sequence[KubeObject] | None = None
    claims: Sequence[KubeObject] | None = None
    namespaces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """Which cluster claims are reported.

    Args:
        custom: How many claims beside the reserved ones; 20 as in OCM.
        reserved_suffixes: Claims whose names end so count as reserved.
    """

    custom: int = 20
    reserved_suffixes: tuple[str, ...] = ()


def is_accepted(cluster: KubeObject) -> bool:
    """Return whether the hub has accepted a ManagedCluster and said so."""
    return is_true(cluster, HUB_ACCEPTED)


def standing_of(cluster: KubeObject) -> Standing:
    """Return what the hub says of a ManagedCluster that it shows."""
    if is_being_deleted(cluster):
        return Standing.GONE
    if is_accepted(cluster):
        return Standing.ACCEPTED
    says = find_condition(cluster, HUB_ACCEPTED)
    wanted = (cluster.get("spec") or {}).get("hubAcceptsClient")
    # A hub that fails at what acceptance takes says False as well, with another reason.
    if says is None or wanted or says.reason == REASON_HUB_ERROR:
        return Standing.WAITING
    return Standing.DENIED if says.status is ConditionStatus.FALSE else Standing.WAITING


def desired_status(
    cluster: KubeObject,
    facts: SpokeFacts,
    *,
    rotation: RotationReport | None,
    limits: ClaimLimits,
    is_heard: bool,
    now: datetime,
) -> dict[str, Any]:
    """Return the status a ManagedCluster should have; equal to the present one if nothing changed.

    Until the hub has accepted the cluster nothing is said at all. A cluster whose API server does
    not answer keeps the resources it last reported.

    Args:
        cluster: The ManagedCluster as it stands on the hub.
        facts: What is known of the managed cluster.
        rotation: How the agent's certificate fares; None says nothing.
        limits: Which claims are reported.
        is_heard: False while the hub says that the lease is not renewed, and it was not since. Then
            its word on whether the cluster is available stands.
        now: The present, for conditions that change.
    """
    status: dict[str, Any] = dict(cluster.get("status") or {})
    if not is_accepted(cluster):
        return status
    conditions: list[dict[str, Any]] = list(status.get("conditions") or [])

    def set_condition(
        condition_type: str, *, status: Literal["True", "False"], reason: str, message: str
    ) -> None:
        nonlocal conditions
        conditions = with_condition(
            conditions, type=condition_type, status=status, reason=reason, message=message, now=now
        )

    if not is_true(cluster, JOINED):
        set_condition(JOINED, status="True", reason=REASON_JOINED, message=JOINED_MESSAGE)
    if rotation is not None:
        set_condition(
            CERTIFICATE_ROTATED,
            status=rotation.status,
            reason=rotation.reason,
            message=rotation.message,
        )
    match facts.health if is_heard else None:
        case Healthy():
            set_condition(
                CLUSTER_AVAILABLE,
                status="True",
                reason=REASON_CLUSTER_AVAILABLE,
                message=CLUSTER_AVAILABLE_MESSAGE,
            )
        case Unhealthy(message=message):
            set_condition(
                CLUSTER_AVAILABLE,
                status="False",
                reason=REASON_CLUSTER_API_SERVER_UNAVAILABLE,
                message=message,
            )
        case None:
            pass
        case _:
            assert_never(facts.health)
    status["conditions"] = conditions
    if isinstance(facts.health, Healthy):
        _report_resources(status, facts)
        if facts.namespaces:
            status["managedNamespaces"] = told_namespaces(cluster, facts.namespaces, now=now)
        if facts.claims is not None:
            status |= _claims(status, facts.claims, limits)
    return status


def _report_resources(status: dict[str, Any], facts: SpokeFacts) -> None:
    if facts.version is not None:
        status["version"] = {**(status.get("version") or {}), "kubernetes": facts.version}
    if facts.nodes is None:
        return
    # Others may add entries of their own to the capacity (OCM's rule); allocatable is all ours.
    capacity = {**(status.get("capacity") or {}), **total(facts.nodes, "capacity")}
    allocatable = total(filter(is_schedulable, facts.nodes), "allocatable")
    if capacity or "capacity" in status:
        status["capacity"] = capacity
    if allocatable or "allocatable" in status:
        status["allocatable"] = allocatable


def total(nodes: Iterable[KubeObject], field: str) -> dict[str, str]:
    """Return the sum of one field of the status of nodes, by resource name."""
    amounts: dict[str, list[str]] = {}
    # In the order of their names, because the first amount decides how the sum is written.
    for node in sorted(nodes, key=name_of):
        for resource, amount in ((node.get("status") or {}).get(field) or {}).items():
            amounts.setdefault(resource, []).append(str(amount))
    return {resource: sum_quantities(texts) for resource, texts in sorted(amounts.items())}


def is_schedulable(node: KubeObject) -> bool:
    """Return whether new pods may be put on a node."""
    return not (node.get("spec") or {}).get("unschedulable")


def _claims(
    status: Mapping[str, Any], claims: Sequence[KubeObject], limits: ClaimLimits
) -> dict[str, Any]:
    reported = [claim for claim in claims if SPOKE_ONLY_CLAIM_LABEL not in labels_of(claim)]
    entries = sorted(
        (name, value)
        for claim in reported
        if len(name := name_of(claim)) <= _LONGEST_CLAIM_NAME
        and 0 < len(value := _value_of(claim)) <= _LONGEST_CLAIM_VALUE
    )
    reserved = [entry for entry in entries if _is_reserved(entry[0], limits)]
    custom = [entry for entry in entries if not _is_reserved(entry[0], limits)]
    kept = [{"name": name, "value": value} for name, value in [*reserved, *custom[: limits.custom]]]
    return {"clusterClaims": kept} if kept or status.get("clusterClaims") else {}


def _value_of(claim: KubeObject) -> str:
    return str((claim.get("spec") or {}).get("value") or "")


def _is_reserved(name: str, limits: ClaimLimits) -> bool:
    return name in RESERVED_CLAIMS or name.endswith(limits.reserved_suffixes)
