"""What the agent says about an add-on on the hub, all of it in one write. Pure.

Only the agent's own parts of the status change: its driver, how its certificates fare, whether the
add-on is alive, and what of its configuration is in force. The hub's parts stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from towline_agent.addon_availability import Availability
from towline_agent.configuration_report import ConfigurationOutcome, with_outcome
from towline_agent.credential_status import RotationReport
from towline_api.addon_codec import AddonCodec
from towline_api.addons import HealthMode, KubeClientDriver, KubeClientRegistration
from towline_api.condition_types import (
    AVAILABLE,
    CERTIFICATE_ROTATED,
    CLUSTER_AVAILABLE,
)
from towline_api.conditions import ConditionStatus, find_condition, with_condition
from towline_api.resources import KubeObject


@dataclass(frozen=True, slots=True)
class AddonFacts:
    """Everything the agent has to say about one add-on; None says nothing.

    Args:
        rotation: How its certificates fare.
        availability: Whether it is alive, told from its Lease.
        outcome: How its configuration stands.
    """

    rotation: RotationReport | None = None
    availability: Availability | None = None
    outcome: ConfigurationOutcome | None = None


def worst_rotation(reports: Sequence[RotationReport | None]) -> RotationReport | None:
    """Return what to say about several certificates at once: a failure, else the first.

    There is one condition for all of an add-on's certificates.
    """
    told = [report for report in reports if report is not None]
    failed = (report for report in told if report.status == "False")
    return next(failed, told[0] if told else None)


def agent_status(
    obj: KubeObject,
    facts: AddonFacts,
    *,
    cluster: KubeObject | None,
    codec: AddonCodec,
    now: datetime,
    declares_driver: bool = True,
) -> dict[str, Any]:
    """Return the status of an add-on with the agent's parts brought up to date.

    Args:
        obj: The ManagedClusterAddOn as it stands on the hub.
        facts: What to say.
        cluster: The ManagedCluster as it stands on the hub; None if that is not known.
        codec: How the API version in use writes it.
        now: The present, for conditions that change.
        declares_driver: Whether to say how the add-on authenticates; whoever keeps its credential
            does.
    """
    addon = codec.decode_addon(obj)
    status: dict[str, Any] = dict(obj.get("status") or {})
    has_client = any(isinstance(item, KubeClientRegistration) for item in addon.registrations)
    if has_client and declares_driver:
        status = codec.encode_addon_status(status, driver=KubeClientDriver.CSR)
    if facts.rotation is not None:
        status = _with(status, CERTIFICATE_ROTATED, facts.rotation, now=now)
    by_lease = addon.effective_health_mode is HealthMode.LEASE
    if facts.availability is not None and by_lease and not _is_unknown_with(obj, cluster):
        status = _with(status, AVAILABLE, facts.availability, now=now)
    if facts.outcome is not None:
        status = with_outcome(status, facts.outcome, obj=obj, addon=addon, codec=codec, now=now)
    return status


def _with(
    status: Mapping[str, Any],
    condition_type: str,
    says: RotationReport | Availability,
    *,
    now: datetime,
) -> dict[str, Any]:
    conditions = with_condition(
        status.get("conditions") or [],
        type=condition_type,
        status=says.status,
        reason=says.reason,
        message=says.message,
        now=now,
    )
    return {**status, "conditions": conditions}


def _is_unknown_with(obj: KubeObject, cluster: KubeObject | None) -> bool:
    """Return whether the hub has declared the add-on Unknown along with its whole cluster.

    Then the hub has not heard our lease yet. Answering before it does would only be overwritten,
    and the condition would flap.
    """
    ours = find_condition(obj, AVAILABLE)
    whole = find_condition(cluster, CLUSTER_AVAILABLE) if cluster is not None else None
    return (
        ours is not None
        and whole is not None
        and whole.status is ConditionStatus.UNKNOWN
        and ours.status is ConditionStatus.UNKNOWN
        and ours.reason == whole.reason
    )
