"""What an agent says of itself to programs: one document, without a key or a token in it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from towline_agent.credentials.state import AgentState
from towline_agent.station.overview import AddonOverview, CredentialOverview
from towline_agent.status.overview import AgentOverview
from towline_api.timestamps import format_time


def report_document(overview: AgentOverview) -> dict[str, Any]:
    """Return an overview as JSON; instants as Kubernetes writes them, null where unknown."""
    return {
        "cluster": overview.cluster,
        "agent": overview.agent,
        "hub": {
            "server": overview.hub,
            "lastContact": _time(overview.last_contact),
            "trouble": overview.trouble,
            "move": overview.move,
        },
        **_credential(overview.credential),
        "addons": [_addon(addon) for addon in overview.addons],
    }


def is_well(document: Mapping[str, Any]) -> bool:
    """Return whether a document tells of no trouble."""
    everything = [document, *(c for a in document["addons"] for c in a["credentials"])]
    return all(AgentState(item["state"]).is_serving for item in everything) and not any(
        addon["faults"] or (addon["configuration"] and addon["configuration"]["troubles"])
        for addon in document["addons"]
    )


def _credential(item: CredentialOverview) -> dict[str, Any]:
    validity = item.facts.validity
    return {
        "state": str(item.report.state),
        "reason": item.report.reason,
        "message": item.report.message,
        "since": _time(item.report.since),
        "store": item.store,
        "certificate": None
        if validity is None
        else {
            "from": _time(validity.not_before),
            "until": _time(validity.not_after),
            "renewal": _time(item.facts.renew_at),
        },
        "request": item.facts.request,
    }


def _addon(addon: AddonOverview) -> dict[str, Any]:
    outcome = addon.outcome
    return {
        "name": addon.name,
        "credentials": [_credential(item) for item in addon.credentials],
        "configuration": None
        if outcome is None
        else {"troubles": list(outcome.troubles), "awaited": list(outcome.awaited)},
        "faults": list(addon.faults),
        "checks": dict(addon.checks),
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else format_time(instant)
