"""An agent's report as a person reads it in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from towline_agent.credentials.state import AgentState

_NOTHING = "-"
_STYLES = {
    AgentState.REGISTERED: "green",
    AgentState.RENEWING: "green",
    AgentState.UNREGISTERED: "yellow",
    AgentState.REQUESTED: "yellow",
}


def print_report(document: Mapping[str, Any], *, console: Console) -> None:
    """Print what `towline_agent.status.report.report_document` returned."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(document):
        table.add_row(name, value)
    console.print(table)
    if document["addons"]:
        console.print(_addons(document["addons"]))


def _lines(document: Mapping[str, Any]) -> list[tuple[str, Text]]:
    hub = document["hub"]
    lines = [
        ("Cluster", document["cluster"]),
        ("Agent", document["agent"]),
        ("Hub", hub["server"]),
        ("Last contact", hub["lastContact"]),
        ("Trouble", hub["trouble"]),
        # Agents of older versions do not say.
        ("Move", hub.get("move", "")),
    ]
    rows = [
        (name, Text(value or _NOTHING))
        for name, value in lines
        if value or name not in ("Trouble", "Move")
    ]
    rows.append(("State", _state(document)))
    certificate = document["certificate"]
    rest = [
        ("Reason", f"{document['reason']}: {document['message']}"),
        ("Since", document["since"]),
        ("Stored in", document["store"]),
        ("Certificate", _window(certificate)),
        ("Renewal due", certificate and certificate["renewal"]),
        ("Request", document["request"]),
    ]
    return rows + [(name, Text(value or _NOTHING)) for name, value in rest]


def _addons(addons: list[Mapping[str, Any]]) -> Table:
    table = Table(
        title="\nAdd-ons", title_justify="left", box=None, pad_edge=False, padding=(0, 3, 0, 0)
    )
    for column in ("Name", "State", "Since", "Until", "Stored in"):
        table.add_column(column, no_wrap=True)
    table.add_column("Problem", overflow="fold")
    for addon in addons:
        configuration = addon["configuration"] or {"troubles": []}
        troubles = "; ".join([*configuration["troubles"], *addon["faults"]])
        if not addon["credentials"]:
            table.add_row(addon["name"], _NOTHING, _NOTHING, _NOTHING, _NOTHING, troubles)
        for item in addon["credentials"]:
            well = AgentState(item["state"]).is_serving
            says = [] if well else [f"{item['reason']}: {item['message']}"]
            table.add_row(
                addon["name"],
                _state(item),
                item["since"],
                item["certificate"]["until"] if item["certificate"] else _NOTHING,
                item["store"],
                Text("; ".join([*says, troubles] if troubles else says)),
            )
    return table


def _state(item: Mapping[str, Any]) -> Text:
    return Text(item["state"], style=_STYLES.get(AgentState(item["state"]), "red"))


def _window(certificate: Mapping[str, Any] | None) -> str | None:
    return None if certificate is None else f"{certificate['from']} to {certificate['until']}"
