"""What `towline status` makes of the hub's objects."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from towline_api.addon_codec import V1Alpha1Codec
from towline_hub.fleet.report import print_status, status_json, status_table
from towline_hub.fleet.selection import narrowed
from towline_hub.fleet.state import NOT_SEEN, Acceptance, FleetStatus, fleet_status

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def _condition(kind: str, status: str, *, reason: str = "R", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


CLUSTER: dict[str, Any] = {
    "metadata": {"name": "c1"},
    "spec": {"hubAcceptsClient": True},
    "status": {
        "version": {"kubernetes": "v1.37.2"},
        "conditions": [
            _condition("ManagedClusterJoined", "True"),
            _condition("ManagedClusterConditionAvailable", "Unknown", message="lease stopped"),
            _condition(
                "ClusterCertificateRotated",
                "True",
                message="client certificate rotated starting from 2026-07-01T11:00:00Z "
                "to 2026-07-01T14:30:00Z",
            ),
        ],
    },
}
LEASE = {
    "metadata": {"name": "managed-cluster-lease", "namespace": "c1"},
    "spec": {"renewTime": "2026-07-01T11:59:18.000000Z"},
}
ADDON: dict[str, Any] = {
    "metadata": {"name": "helloworld", "namespace": "c1", "uid": "u"},
    "spec": {},
    "status": {
        "registrations": [{"signerName": "kubernetes.io/kube-apiserver-client", "subject": {}}],
        "conditions": [
            _condition("Available", "True"),
            _condition("Progressing", "False", reason="Completed"),
            _condition("Configured", "False", message="hub/default does not exist"),
        ],
        "configReferences": [
            {
                "group": "addon.open-cluster-management.io",
                "resource": "addondeploymentconfigs",
                "name": "default",
                "namespace": "hub",
                "desiredConfig": {"name": "default", "namespace": "hub", "specHash": "f" * 64},
                "lastAppliedConfig": {"name": "default", "namespace": "hub", "specHash": "f" * 64},
            }
        ],
    },
}


def _request(name: str, *, created: str, conditions: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "labels": {"open-cluster-management.io/cluster-name": "c2"},
        },
        "spec": {"username": "system:bootstrap:abc", "signerName": "s"},
        "status": {"conditions": [{"type": item} for item in conditions]},
    }


def _event(name: str, note: str, *, at: str, last: str | None = None) -> dict[str, Any]:
    event: dict[str, Any] = {"regarding": {"name": name}, "note": note, "eventTime": at}
    if last is not None:
        event["series"] = {"lastObservedTime": last}
    return event


def _fleet(**changes: Any) -> FleetStatus:
    objects: dict[str, Any] = {
        "clusters": [CLUSTER],
        "addons": [ADDON],
        "leases": [LEASE],
        "requests": [],
        "events": [],
    }
    return fleet_status(**(objects | changes), codec=V1Alpha1Codec(), now=NOW)


def test_a_cluster_is_told_with_everything_an_operator_asks_first() -> None:
    """Is it in, is it well, how long does its certificate last, when was it last heard of."""
    (cluster,) = _fleet().clusters
    assert cluster.acceptance is Acceptance.ACCEPTED
    assert cluster.joined
    assert cluster.available == "Unknown"
    assert cluster.kubernetes == "v1.37.2"
    assert cluster.certificate_expires == datetime(2026, 7, 1, 14, 30, tzinfo=UTC)
    assert cluster.lease_age == timedelta(seconds=42)
    assert cluster.problem == "lease stopped"


def test_a_cluster_of_which_nothing_is_known_is_no_error() -> None:
    """The first seconds of every cluster look like this."""
    (cluster,) = _fleet(clusters=[{"metadata": {"name": "c9"}}], leases=[{"metadata": {}}]).clusters
    assert cluster.acceptance is Acceptance.WAITING
    assert (cluster.available, cluster.lease_age, cluster.problem) == (None, None, None)


def test_an_addon_tells_what_is_applied_and_what_is_wrong() -> None:
    """The first problem on the way counts: later ones follow from it."""
    (addon,) = _fleet().addons
    assert addon.available == "True"
    assert addon.progressing == "Completed"
    assert addon.problem == "hub/default does not exist"
    (config,) = addon.configs
    assert config.is_applied


def test_an_addon_nobody_serves_says_what_it_lacks() -> None:
    """Without a ClusterManagementAddOn nothing happens, in silence, for ever."""
    orphan = {"metadata": {"name": "lost", "namespace": "c1"}, "spec": {}}
    (addon,) = _fleet(addons=[orphan]).addons
    assert addon.problem is not None
    assert "ClusterManagementAddOn named lost" in addon.problem


def test_pending_requests_come_oldest_first_with_their_latest_reason() -> None:
    """Decided ones are no longer anybody's work."""
    fleet = _fleet(
        requests=[
            _request("young", created="2026-07-01T11:59:00Z"),
            _request("old", created="2026-07-01T11:00:00Z"),
            _request("done", created="2026-07-01T10:00:00Z", conditions=("Approved",)),
        ],
        events=[
            _event("old", "first", at="2026-07-01T11:00:01Z", last="2026-07-01T11:40:00Z"),
            _event("old", "second", at="2026-07-01T11:30:00Z"),
            _event("unrelated", "x", at="2026-07-01T11:30:00Z"),
        ],
    )
    assert [(item.name, item.waiting_for) for item in fleet.pending] == [
        ("old", "first"),
        ("young", NOT_SEEN),
    ]
    assert fleet.pending[0].age == timedelta(hours=1)


def test_json_holds_plain_values_only() -> None:
    """Programs read it: times as RFC 3339, durations as seconds."""
    plain = json.loads(json.dumps(status_json(_fleet())))
    assert plain["at"] == "2026-07-01T12:00:00Z"
    assert plain["clusters"][0]["lease_age"] == 42.0
    assert plain["clusters"][0]["acceptance"] == "accepted"
    assert plain["addons"][0]["configs"][0]["desired"] == "f" * 64


@pytest.mark.parametrize("width", [60, 250])
def test_a_thing_is_one_whole_line_at_any_width(width: int) -> None:
    """A name that is cut or folded cannot be copied into the next command."""
    fleet = _fleet(requests=[_request("r1", created="2026-07-01T11:00:00Z")])
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        print_status(fleet, console=console)
    lines = capture.get().splitlines()
    for words in (
        ("c1", "in 2h30m", "42s", "lease stopped"),
        ("c1", "ffffffffffff (applied)"),
        ("r1", NOT_SEEN),
    ):
        assert any(all(word in line for word in words) for line in lines), lines


def test_an_empty_fleet_says_so() -> None:
    """An empty screen looks like a failure."""
    fleet = _fleet(clusters=[], addons=[], leases=[])
    console = Console(width=200)
    with console.capture() as capture:
        console.print(status_table(fleet))
    assert "none" in capture.get()


def _conditions(*conditions: dict[str, str]) -> dict[str, Any]:
    return {**CLUSTER, "status": {"conditions": list(conditions)}}


def test_a_fleet_is_narrowed_to_some_clusters_with_all_that_is_theirs() -> None:
    """One cluster among ten thousand."""
    fleet = _fleet(
        clusters=[CLUSTER, {"metadata": {"name": "c2"}}],
        requests=[_request("waits", created="2026-07-01T11:59:00Z")],
    )
    first, second = narrowed(fleet, clusters={"c1"}), narrowed(fleet, clusters={"c2"})
    assert [[item.name for item in part] for part in (first.clusters, first.addons)] == [
        ["c1"],
        ["helloworld"],
    ]
    assert first.pending == ()
    assert second.addons == ()
    assert [item.name for item in second.pending] == ["waits"]
    assert narrowed(fleet) == fleet


def test_a_fleet_is_narrowed_to_what_does_not_work() -> None:
    """Nobody reads nine thousand lines that say that all is well."""
    good = (_condition("ManagedClusterJoined", "True"),)
    available = _condition("ManagedClusterConditionAvailable", "True")
    well = _conditions(*good, available)
    addon = {
        **ADDON,
        "status": {**ADDON["status"], "conditions": [_condition("Available", "True")]},
    }
    fleet = _fleet(clusters=[well], addons=[addon])
    shown = narrowed(fleet, only_problems=True)
    assert (shown.clusters, shown.addons) == ((), ())
    for cluster in (
        _conditions(available),
        _conditions(*good),
        {**well, "spec": {}},
    ):
        assert narrowed(_fleet(clusters=[cluster]), only_problems=True).clusters
    reference = ADDON["status"]["configReferences"][0]
    behind = {
        **addon,
        "status": {
            **addon["status"],
            "configReferences": [{**reference, "lastAppliedConfig": None}],
        },
    }
    for each in (ADDON, behind):
        assert narrowed(_fleet(addons=[each]), only_problems=True).addons
