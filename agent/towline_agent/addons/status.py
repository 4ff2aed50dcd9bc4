"""What the agent says about an add-on on the hub, all of it in one write. Pure.

Only the agent's own parts of the status change: its driver, how its certificates fare, whether the
add-on is alive, and what of its configuration is in force. The hub's parts stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from towline_agent.addons.registrations import service_account_user
from towline_agent.configuration.report import ConfigurationOutcome, with_outcome
from towline_agent.credentials.service_account_tokens import RefreshReport
from towline_agent.credentials.status import RotationReport
from towline_agent.station.availability import Availability
from towline_agent.station.user_code import OUR_REASONS, CodeReport
from towline_api.addon_codec import AddonCodec
from towline_api.addons import (
    HealthMode,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
    SubjectSpec,
)
from towline_api.condition_types import (
    AVAILABLE,
    CERTIFICATE_ROTATED,
    CLUSTER_AVAILABLE,
    DEGRADED,
    TOKEN_REFRESHED,
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
        refresh: How its token fares.
        code: How the functions fare that its developer registered.
    """

    rotation: RotationReport | None = None
    availability: Availability | None = None
    outcome: ConfigurationOutcome | None = None
    refresh: RefreshReport | None = None
    code: CodeReport | None = None


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
    driver: KubeClientDriver | None = KubeClientDriver.CSR,
) -> dict[str, Any]:
    """Return the status of an add-on with the agent's parts brought up to date.

    Args:
        obj: The ManagedClusterAddOn as it stands on the hub.
        facts: What to say.
        cluster: The ManagedCluster as it stands on the hub; None if that is not known.
        codec: How the API version in use writes it.
        now: The present, for conditions that change.
        driver: How the add-on authenticates, which whoever keeps its credential says; None for
            somebody else. With tokens the subject is the agent's to say as well.
    """
    addon = codec.decode_addon(obj)
    status: dict[str, Any] = dict(obj.get("status") or {})
    if driver is not None:
        status = _with_driver(status, addon, driver=driver, codec=codec)
    if facts.refresh is not None:
        status = _with(status, TOKEN_REFRESHED, facts.refresh, now=now)
    if facts.rotation is not None:
        status = _with(status, CERTIFICATE_ROTATED, facts.rotation, now=now)
    by_lease = addon.effective_health_mode is HealthMode.LEASE
    if facts.availability is not None and by_lease and not _is_unknown_with(obj, cluster):
        status = _with(status, AVAILABLE, facts.availability, now=now)
    if facts.code is not None and (facts.code.status == "True" or _is_degraded_by_us(obj)):
        status = _with(status, DEGRADED, facts.code, now=now)
    if facts.outcome is not None:
        status = with_outcome(status, facts.outcome, obj=obj, addon=addon, codec=codec, now=now)
    return status


def _with_driver(
    status: Mapping[str, Any],
    addon: ManagedClusterAddon,
    *,
    driver: KubeClientDriver,
    codec: AddonCodec,
) -> dict[str, Any]:
    ours = next(
        (item for item in addon.registrations if isinstance(item, KubeClientRegistration)), None
    )
    if ours is None:
        return dict(status)
    if driver is not KubeClientDriver.TOKEN:
        return codec.encode_addon_status(status, driver=driver)
    subject = SubjectSpec(user=service_account_user(addon.cluster, addon.name))
    registrations: list[Registration] = [
        KubeClientRegistration(subject, driver) if item is ours else item
        for item in addon.registrations
    ]
    return codec.encode_addon_status(status, registrations=registrations, driver=driver)


def _with(
    status: Mapping[str, Any],
    condition_type: str,
    says: RotationReport | RefreshReport | Availability | CodeReport,
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


def _is_degraded_by_us(obj: KubeObject) -> bool:
    """Return whether there is something to take back: an add-on may set the condition itself."""
    current = find_condition(obj, DEGRADED)
    return current is not None and current.reason in OUR_REASONS


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
