"""What has changed in a fleet, a line a change: for logs, pipes, and everything but a terminal.

Pure. That time goes by is no change: ages and the moment of looking are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from towline_api.timestamps import format_time
from towline_hub.fleet.state import AddonStatus, ClusterStatus, FleetStatus, PendingRequest

_GONE = "gone"


def timeless(fleet: FleetStatus) -> FleetStatus:
    """Return a fleet without its ages, which two moments can be compared by."""
    first = timedelta(0)
    return FleetStatus(
        at=fleet.at.replace(year=1, month=1, day=1, hour=0, minute=0, second=0, microsecond=0),
        clusters=tuple(replace(item, lease_age=None) for item in fleet.clusters),
        addons=fleet.addons,
        pending=tuple(
            sorted((replace(item, age=first) for item in fleet.pending), key=lambda it: it.name)
        ),
    )


def change_lines(before: FleetStatus | None, after: FleetStatus) -> list[str]:
    """Return a line for each thing that is another than before.

    Args:
        before: The fleet as it was told last; None at the first time, when everything is told.
        after: The fleet now.
    """
    known = {} if before is None else _sentences(before)
    now = _sentences(after)
    moment = format_time(after.at)
    told = [f"{moment} {key}: {text}" for key, text in now.items() if known.get(key) != text]
    return told + [f"{moment} {key}: {_GONE}" for key in known if key not in now]


def _sentences(fleet: FleetStatus) -> Mapping[str, str]:
    return dict(_each(fleet))


def _each(fleet: FleetStatus) -> Iterator[tuple[str, str]]:
    for cluster in fleet.clusters:
        yield f"cluster {cluster.name}", _cluster(cluster)
    for addon in fleet.addons:
        yield f"add-on {addon.cluster}/{addon.name}", _addon(addon)
    for request in fleet.pending:
        yield f"request {request.name}", _request(request)


def _cluster(cluster: ClusterStatus) -> str:
    return _joined(
        cluster.acceptance.value,
        "joined" if cluster.joined else "not joined",
        _health(cluster.available),
        f"certificate ends {format_time(cluster.certificate_expires)}"
        if cluster.certificate_expires is not None
        else None,
        problem=cluster.problem,
    )


def _addon(addon: AddonStatus) -> str:
    behind = [config.config for config in addon.configs if not config.is_applied]
    return _joined(
        _health(addon.available),
        f"not applied: {', '.join(behind)}" if behind else None,
        problem=addon.problem,
    )


def _request(request: PendingRequest) -> str:
    whose = f"{request.cluster}/{request.addon}" if request.addon else request.cluster
    return _joined(f"for {whose} by {request.requester}", "waits", problem=request.waiting_for)


def _health(available: str | None) -> str:
    return {"True": "available", "False": "not available"}.get(
        available or "", "availability unknown"
    )


def _joined(*parts: str | None, problem: str | None) -> str:
    said = ", ".join(part for part in parts if part)
    return f"{said}: {problem}" if problem else said
