"""What `towline status --watch` shows when something changes, and when nothing does."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console
from rich.live import Live

from towline_api.errors import TowlineError
from towline_hub.fleet.changes import change_lines, timeless
from towline_hub.fleet.state import (
    Acceptance,
    AddonStatus,
    ClusterStatus,
    ConfigStatus,
    FleetStatus,
    PendingRequest,
)
from towline_hub.fleet.watch_command import Lines, Picture, _json_line

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
CLUSTER = ClusterStatus(
    name="c1",
    acceptance=Acceptance.ACCEPTED,
    joined=True,
    available="True",
    kubernetes="v1.37.2",
    certificate_expires=None,
    lease_age=timedelta(seconds=10),
    problem=None,
)
ADDON = AddonStatus(
    cluster="c1",
    name="helloworld",
    available="True",
    progressing=None,
    configs=(ConfigStatus("configmaps hub/default", "f", "f"),),
    problem=None,
)
REQUEST = PendingRequest(
    name="csr-1",
    cluster="c2",
    addon=None,
    requester="system:bootstrap:abc",
    age=timedelta(seconds=3),
    waiting_for="an operator",
)
FLEET = FleetStatus(at=NOW, clusters=(CLUSTER,), addons=(ADDON,), pending=(REQUEST,))


def _fleet(**changes: object) -> FleetStatus:
    return replace(FLEET, **changes)  # type: ignore[arg-type]


LATER = _fleet(
    at=NOW + timedelta(seconds=5),
    clusters=(replace(CLUSTER, lease_age=timedelta(seconds=15)),),
    pending=(replace(REQUEST, age=timedelta(seconds=8)),),
)


def test_the_first_look_tells_everything() -> None:
    """Somebody who begins to watch has to know what there is."""
    assert change_lines(None, FLEET) == [
        "2026-07-01T12:00:00Z cluster c1: accepted, joined, available",
        "2026-07-01T12:00:00Z add-on c1/helloworld: available",
        "2026-07-01T12:00:00Z request csr-1: for c2 by system:bootstrap:abc, waits: an operator",
    ]


def test_time_that_goes_by_is_no_change() -> None:
    """Otherwise a log of a fleet at rest would grow without end."""
    assert change_lines(FLEET, LATER) == []
    assert timeless(FLEET) == timeless(LATER)
    assert _json_line(FLEET, LATER) == []


@pytest.mark.parametrize(
    ("after", "line"),
    [
        pytest.param(
            _fleet(clusters=(replace(CLUSTER, available="Unknown", problem="lease stopped"),)),
            "cluster c1: accepted, joined, availability unknown: lease stopped",
            id="unknown",
        ),
        pytest.param(
            _fleet(clusters=(replace(CLUSTER, certificate_expires=NOW + timedelta(hours=1)),)),
            "cluster c1: accepted, joined, available, certificate ends 2026-07-01T13:00:00Z",
            id="renewed",
        ),
        pytest.param(
            _fleet(addons=(replace(ADDON, configs=(ConfigStatus("x y/z", "f", ""),)),)),
            "add-on c1/helloworld: available, not applied: x y/z",
            id="behind",
        ),
        pytest.param(_fleet(addons=()), "add-on c1/helloworld: gone", id="gone"),
        pytest.param(_fleet(pending=()), "request csr-1: gone", id="decided"),
        pytest.param(
            _fleet(pending=(replace(REQUEST, addon="helloworld"),)),
            "request csr-1: for c2/helloworld by system:bootstrap:abc, waits: an operator",
            id="add-on's",
        ),
    ],
)
def test_a_change_is_one_line(after: FleetStatus, line: str) -> None:
    """Each change is told once, for what it is about alone."""
    assert change_lines(FLEET, after) == [f"2026-07-01T12:00:00Z {line}"]
    assert timeless(FLEET) != timeless(after)


def test_a_hub_that_cannot_be_asked_is_told_once_and_its_return_too() -> None:
    """What is shown then is old, and whoever reads it has to know."""
    file = StringIO()
    lines = Lines(file, tell=change_lines)
    lost = TowlineError("connection refused")
    for problem in (None, lost, lost, None, None):
        lines.show(FLEET, problem=problem)
    assert file.getvalue().splitlines()[3:] == [
        "not up to date: connection refused",
        "up to date again",
    ]


def test_programs_get_one_document_a_line() -> None:
    """And nothing in between that is no JSON."""
    file = StringIO()
    lines = Lines(file, tell=_json_line)
    lines.show(FLEET, problem=None)
    lines.show(LATER, problem=TowlineError("connection refused"))
    lines.show(_fleet(pending=()), problem=None)
    first, second = map(json.loads, file.getvalue().splitlines())
    assert [item["name"] for item in first["pending"]] == ["csr-1"]
    assert second["pending"] == []


def test_a_picture_is_cut_off_at_the_edge_instead_of_being_folded() -> None:
    """A line that the terminal folds makes two, and the next picture would begin too low."""
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=40, height=50, color_system=None)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        Picture(live).show(FLEET, problem=TowlineError("connection refused"))
    shown = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", file.getvalue()).splitlines()
    assert any("not up to date: connection refused" in line for line in shown)
    assert any(line.startswith("csr-1") for line in shown)
    assert max(len(line) for line in shown) <= 40
