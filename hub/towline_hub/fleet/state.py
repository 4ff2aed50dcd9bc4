"""The state of a fleet as an operator wants to see it: clusters, add-ons, requests that wait.

Pure: objects of the hub in, values out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from towline_api.addon_codec import AddonCodec
from towline_api.addons import ConfigReference
from towline_api.condition_types import (
    AVAILABLE,
    CLUSTER_AVAILABLE,
    CONFIGURED,
    HUB_ACCEPTED,
    JOINED,
    PROGRESSING,
    REASON_HUB_ERROR,
    REGISTRATION_APPLIED,
)
from towline_api.conditions import find_condition, is_true
from towline_api.errors import WireError
from towline_api.metadata import is_being_deleted, name_of, namespace_of
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval.live_identity import reported_expiry
from towline_hub.clusters.standing import Standing, standing_of

NOT_SEEN = "no hub has looked at it yet"


class Acceptance(StrEnum):
    """What the hub's owner decided about a cluster."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DENIED = "denied"
    LEAVING = "leaving"


_ACCEPTANCE = {
    Standing.NEW: Acceptance.WAITING,
    Standing.ACCEPTED: Acceptance.ACCEPTED,
    Standing.DENIED: Acceptance.DENIED,
    Standing.LEAVING: Acceptance.LEAVING,
    Standing.GONE: Acceptance.LEAVING,
}


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One managed cluster.

    Args:
        name: Its name.
        acceptance: What the hub's owner decided.
        joined: Whether its agent has used a certificate of its own.
        available: True, False or Unknown; None before anybody could tell.
        kubernetes: Version of its API server; None before its agent said so.
        certificate_expires: When its agent's certificate ends, as the agent reported.
        lease_age: Time since its agent last renewed its lease, by the spoke's clock.
        problem: What keeps it from working, in a sentence; None if nothing is known.
    """

    name: str
    acceptance: Acceptance
    joined: bool
    available: str | None
    kubernetes: str | None
    certificate_expires: datetime | None
    lease_age: timedelta | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """One configuration of an add-on: what is desired, and what is applied.

    Args:
        config: The object, as `resource.group namespace/name`.
        desired: Hash of what should be applied; empty if it cannot be.
        applied: Hash of what was applied last; empty if nothing was.
    """

    config: str
    desired: str
    applied: str

    @property
    def is_applied(self) -> bool:
        """Whether what is applied is what is desired."""
        return bool(self.desired) and self.desired == self.applied


@dataclass(frozen=True, slots=True)
class AddonStatus:
    """One add-on on one cluster.

    Args:
        cluster: The cluster.
        name: The add-on.
        available: True, False or Unknown; None before anybody could tell.
        progressing: The reason of its `Progressing` condition; None without one.
        configs: Its configuration.
        problem: What keeps it from working, in a sentence; None if nothing is known.
    """

    cluster: str
    name: str
    available: str | None
    progressing: str | None
    configs: tuple[ConfigStatus, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """One certificate request nobody has decided about.

    Args:
        name: Its name.
        cluster: The cluster it says it is for.
        addon: The add-on it says it is for; None for a cluster's own.
        requester: Who made it.
        age: Time since it was made.
        waiting_for: Why it was not decided, in a sentence.
    """

    name: str
    cluster: str
    addon: str | None
    requester: str
    age: timedelta
    waiting_for: str


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The whole fleet at one moment.

    Args:
        at: The moment.
        clusters: The clusters, by name.
        addons: The add-ons, by cluster and name.
        pending: The requests that wait, oldest first.
    """

    at: datetime
    clusters: tuple[ClusterStatus, ...]
    addons: tuple[AddonStatus, ...]
    pending: tuple[PendingRequest, ...]


def fleet_status(
    *,
    clusters: Iterable[KubeObject],
    addons: Iterable[KubeObject],
    leases: Iterable[KubeObject],
    requests: Iterable[KubeObject],
    events: Iterable[KubeObject],
    codec: AddonCodec,
    now: datetime,
) -> FleetStatus:
    """Return the state of a fleet.

    Args:
        clusters: ManagedClusters.
        addons: ManagedClusterAddOns.
        leases: The clusters' leases.
        requests: Certificate requests labelled with a cluster.
        events: Events about certificate requests.
        codec: How the API version in use writes add-ons.
        now: The present.
    """
    renewals = {namespace_of(lease): _renewed(lease) for lease in leases}
    notes = latest_notes(events)
    waiting = (SigningRequest.from_csr(obj) for obj in requests)
    pending = [
        PendingRequest(
            name=request.name,
            cluster=request.cluster or "",
            addon=request.addon,
            requester=request.username,
            age=now - (request.created or now),
            waiting_for=notes.get(request.name, NOT_SEEN),
        )
        for request in waiting
        if not request.is_decided
    ]
    return FleetStatus(
        at=now,
        clusters=tuple(
            sorted(
                (_cluster(obj, renewed=renewals.get(name_of(obj)), now=now) for obj in clusters),
                key=lambda item: item.name,
            )
        ),
        addons=tuple(
            sorted(
                (_addon(obj, codec=codec) for obj in addons),
                key=lambda item: (item.cluster, item.name),
            )
        ),
        pending=tuple(sorted(pending, key=lambda item: item.age, reverse=True)),
    )


def _cluster(obj: KubeObject, *, renewed: datetime | None, now: datetime) -> ClusterStatus:
    version = ((obj.get("status") or {}).get("version") or {}).get("kubernetes")
    standing = standing_of(obj)
    return ClusterStatus(
        name=name_of(obj),
        acceptance=_ACCEPTANCE[standing],
        joined=is_true(obj, JOINED),
        available=_status(obj, CLUSTER_AVAILABLE),
        kubernetes=version if isinstance(version, str) and version else None,
        certificate_expires=reported_expiry(obj),
        lease_age=now - renewed if renewed is not None else None,
        problem=_cluster_problem(obj),
    )


def _cluster_problem(obj: KubeObject) -> str | None:
    accepted = find_condition(obj, HUB_ACCEPTED)
    if accepted is not None and accepted.reason == REASON_HUB_ERROR:
        return accepted.message
    return _message_unless_true(obj, CLUSTER_AVAILABLE)


def _addon(obj: KubeObject, *, codec: AddonCodec) -> AddonStatus:
    addon = codec.decode_addon(obj)
    progressing = find_condition(obj, PROGRESSING)
    problem = next(
        filter(
            None,
            (
                _message_unless_true(obj, kind)
                for kind in (REGISTRATION_APPLIED, CONFIGURED, AVAILABLE)
            ),
        ),
        None,
    )
    if problem is None and not addon.registrations and not is_being_deleted(obj):
        problem = (
            "no hub has registered it; it needs an accepted cluster and a ClusterManagementAddOn "
            f"named {addon.name}"
        )
    return AddonStatus(
        cluster=addon.cluster,
        name=addon.name,
        available=_status(obj, AVAILABLE),
        progressing=progressing.reason if progressing is not None else None,
        configs=tuple(map(_config, addon.config_references)),
        problem=problem,
    )


def _config(reference: ConfigReference) -> ConfigStatus:
    applied = reference.last_applied
    return ConfigStatus(
        config=f"{reference.kind} {reference.desired.key}",
        desired=reference.desired.spec_hash,
        applied=applied.spec_hash if applied is not None else "",
    )


def _status(obj: KubeObject, kind: str) -> str | None:
    condition = find_condition(obj, kind)
    return condition.status.value if condition is not None else None


def _message_unless_true(obj: KubeObject, kind: str) -> str | None:
    condition = find_condition(obj, kind)
    if condition is None or condition.status == "True":
        return None
    return condition.message or condition.reason


def _renewed(lease: KubeObject) -> datetime | None:
    try:
        return parse_time(str((lease.get("spec") or {}).get("renewTime")))
    except WireError:
        return None


def latest_notes(events: Iterable[KubeObject]) -> Mapping[str, str]:
    """Return the newest note about each certificate request."""
    newest: dict[str, tuple[str, str]] = {}
    for event in events:
        regarding = event.get("regarding") or {}
        series = event.get("series") or {}
        when = str(series.get("lastObservedTime") or event.get("eventTime") or "")
        name = str(regarding.get("name") or "")
        if name not in newest or when > newest[name][0]:
            newest[name] = (when, re.sub(r"\s+", " ", str(event.get("note") or "")))
    return {name: note for name, (_, note) in newest.items() if note}
