"""The state of a fleet for people, as a table, and for programs, as JSON."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from towline_api.timestamps import format_time
from towline_hub.fleet.state import (
    Acceptance,
    AddonStatus,
    ClusterStatus,
    ConfigStatus,
    FleetStatus,
    PendingRequest,
)
from towline_hub.spans import rough

_SHOWN_HASH = 12
_NOTHING = "-"
WIDE = 1000
"""Columns nobody reaches: the terminal folds a long line, the table never does."""


def status_json(fleet: FleetStatus) -> dict[str, Any]:
    """Return a fleet's state as JSON: times as RFC 3339, durations as seconds."""
    plain: dict[str, Any] = _plain(asdict(fleet))
    return plain


def print_status(fleet: FleetStatus, *, console: Console) -> None:
    """Print a fleet's state as tables: one line a thing however narrow the terminal, as kubectl."""
    before, console.width = console.width, WIDE
    try:
        console.print(status_table(fleet))
    finally:
        console.width = before


def status_table(fleet: FleetStatus) -> RenderableType:
    """Return a fleet's state as tables."""
    parts: list[RenderableType] = [_clusters(fleet)]
    if fleet.addons:
        parts.append(_addons(fleet))
    if fleet.pending:
        parts.append(_pending(fleet))
    return Group(*parts)


def _clusters(fleet: FleetStatus) -> Table:
    table = _table(
        "Clusters",
        *("Name", "Accepted", "Joined", "Available", "Kubernetes", "Certificate ends", "Lease age"),
        "Problem",
    )
    for cluster in fleet.clusters:
        table.add_row(*_cluster_row(cluster, now=fleet.at))
    if not fleet.clusters:
        table.add_row("none", *[""] * 7)
    return table


def _cluster_row(cluster: ClusterStatus, *, now: datetime) -> tuple[str | Text, ...]:
    good = cluster.acceptance is Acceptance.ACCEPTED
    return (
        cluster.name,
        Text(cluster.acceptance.value, style="green" if good else "yellow"),
        "yes" if cluster.joined else "no",
        _verdict(cluster.available),
        cluster.kubernetes or _NOTHING,
        _expiry(cluster.certificate_expires, now=now),
        _NOTHING if cluster.lease_age is None else rough(cluster.lease_age),
        cluster.problem or "",
    )


def _addons(fleet: FleetStatus) -> Table:
    table = _table(
        "Add-ons", "Cluster", "Name", "Available", "Progressing", "Configuration", "Problem"
    )
    for addon in fleet.addons:
        table.add_row(*_addon_row(addon))
    return table


def _addon_row(addon: AddonStatus) -> tuple[str | Text, ...]:
    return (
        addon.cluster,
        addon.name,
        _verdict(addon.available),
        addon.progressing or _NOTHING,
        "\n".join(map(_config, addon.configs)) or _NOTHING,
        addon.problem or "",
    )


def _config(config: ConfigStatus) -> str:
    kind, _, name = config.config.partition(" ")
    state = "applied" if config.is_applied else "not applied"
    shown = config.desired[:_SHOWN_HASH] or "no hash"
    # The group would take half the line; `-o json` has it.
    return f"{kind.partition('.')[0]} {name} {shown} ({state})"


def _pending(fleet: FleetStatus) -> Table:
    table = _table(
        "Requests that wait", "Name", "Cluster", "Add-on", "Requester", "Age", "Waiting for"
    )
    for request in fleet.pending:
        table.add_row(*_pending_row(request))
    return table


def _pending_row(request: PendingRequest) -> tuple[str, ...]:
    return (
        request.name,
        request.cluster,
        request.addon or _NOTHING,
        request.requester,
        rough(request.age),
        request.waiting_for,
    )


def _table(title: str, *columns: str) -> Table:
    """Return a table that looks like kubectl's, so that a line can be cut and pasted as one."""
    table = Table(
        title=f"\n{title}", title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0)
    )
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _verdict(status: str | None) -> Text:
    style = {"True": "green", "False": "red", "Unknown": "yellow"}.get(status or "", "")
    return Text(status or _NOTHING, style=style)


def _expiry(expires: datetime | None, *, now: datetime) -> Text:
    if expires is None:
        return Text(_NOTHING)
    if expires < now:
        return Text(f"{rough(now - expires)} ago", style="red")
    return Text(f"in {rough(expires - now)}")


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            return format_time(value)
        case timedelta():
            return round(value.total_seconds(), 3)
        case Acceptance():
            return value.value
        case _:
            return value
