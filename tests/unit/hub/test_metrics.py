"""What the hub counts, as a scrape shows it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.clock import START, FakeClock
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_hub.approval.live_identity import reported_expiry
from towline_hub.clusters.heartbeats import Heartbeats
from towline_hub.fleet import numbers as fleet_metrics
from towline_hub.fleet.numbers import Remaining, remaining
from towline_hub.metrics import HubMetrics
from towline_kube.client import Call
from towline_kube.controller import DONE, Controller, Result
from towline_kube.store import Change, ChangeType

DOCUMENT = Path(__file__).parents[3] / "docs" / "operating.md"
HOUR = 3600.0


@dataclass
class FakeCaches:
    """The one cache that metrics look at, filled by the test."""

    handlers: list[Callable[[Change], None]] = field(default_factory=list)

    @property
    def clusters(self) -> Any:
        return self

    def on_change(self, handler: Callable[[Change], None]) -> None:
        self.handlers.append(handler)

    def tell(self, new: KubeObject | None, *, old: KubeObject | None = None) -> None:
        kind = ChangeType.ADDED if old is None else ChangeType.MODIFIED
        for handler in self.handlers:
            handler(Change(ChangeType.DELETED if new is None else kind, old, new))


def cluster(
    name: str, *, ends_in: timedelta | None = None, accepted: bool = True, joined: bool = False
) -> KubeObject:
    conditions = []
    if ends_in is not None:
        end = format_time(START + ends_in)
        message = f"client certificate rotated starting from {format_time(START)} to {end}"
        conditions.append(
            {
                "type": "ClusterCertificateRotated",
                "status": "True",
                "reason": "ClientCertificateUpdated",
                "message": message,
            }
        )
    if joined:
        conditions.append({"type": "ManagedClusterJoined", "status": "True", "reason": "x"})
    return {
        "metadata": {"name": name},
        "spec": {"hubAcceptsClient": accepted},
        "status": {"conditions": conditions},
    }


@pytest.fixture
def metrics() -> HubMetrics:
    return HubMetrics(clock=FakeClock())


def value(metrics: HubMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_decisions_are_counted_by_reason_and_timed_when_they_are_final(metrics: HubMetrics) -> None:
    """How long people and agents wait is what an operator promises."""
    metrics.decided("approve", "ClusterBootstrap", kind="cluster", waited=timedelta(seconds=3))
    metrics.decided("approve", "ClusterBootstrap", kind="cluster", waited=timedelta(seconds=-1))
    metrics.decided("ignore", "WaitingForOperator", kind="cluster", waited=None)
    counted = {"outcome": "approve", "reason": "ClusterBootstrap", "kind": "cluster"}
    assert value(metrics, "towline_hub_decisions_total", **counted) == 2
    timed = {"outcome": "approve", "kind": "cluster"}
    assert value(metrics, "towline_hub_decision_wait_seconds_count", **timed) == 2
    assert value(metrics, "towline_hub_decision_wait_seconds_sum", **timed) == 3
    ignored = {"outcome": "ignore", "kind": "cluster"}
    assert value(metrics, "towline_hub_decision_wait_seconds_count", **ignored) is None


def test_calls_are_counted_with_their_code_and_tries_again_apart(metrics: HubMetrics) -> None:
    """A server that throttles shows as 429; one that is away as code 0."""
    for status, attempt in ((429, 1), (429, 2), (200, 3), (0, 1)):
        metrics.api_call(Call("patch", "leases", status, timedelta(milliseconds=20), attempt))
    for code, expected in (("429", 2), ("200", 1), ("0", 1)):
        labels = {"verb": "patch", "resource": "leases", "code": code}
        assert value(metrics, "towline_api_requests_total", **labels) == expected
    assert value(metrics, "towline_api_request_retries_total", verb="patch") == 2
    assert value(metrics, "towline_api_request_duration_seconds_count", verb="patch") == 4


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, Remaining.UNKNOWN),
        (-1, Remaining.EXPIRED),
        (0, Remaining.EXPIRED),
        (1, Remaining.HOUR),
        (HOUR, Remaining.HOUR),
        (HOUR + 1, Remaining.DAY),
        (24 * HOUR + 1, Remaining.WEEK),
        (7 * 24 * HOUR + 1, Remaining.MONTH),
        (30 * 24 * HOUR + 1, Remaining.MORE),
    ],
)
def test_a_certificate_counts_once_by_the_time_it_has_left(
    seconds: float | None, expected: Remaining
) -> None:
    """So that an alert can ask for those that end within a day."""
    assert remaining(seconds) is expected


def test_the_fleet_is_shown_as_it_is_now(metrics: HubMetrics) -> None:
    """Clusters that changed or went are counted where they are, or not any more."""
    caches, beats = FakeCaches(), Heartbeats()
    metrics.watch_fleet(caches, beats)  # type: ignore[arg-type] # all that is asked of caches
    first = cluster("c1", ends_in=timedelta(minutes=30))
    caches.tell(first)
    caches.tell(cluster("c2", ends_in=timedelta(days=300)))
    caches.tell(cluster("c3"))
    caches.tell(cluster("c4", accepted=False, ends_in=timedelta(minutes=30)))
    gone = cluster("c5", ends_in=timedelta(minutes=30))
    caches.tell(gone)
    caches.tell(None, old=gone)
    name = "towline_hub_cluster_certificates"
    assert {r: value(metrics, name, remaining=r) for r in ("1h", "more", "unknown", "1d")} == {
        "1h": 1,
        "more": 1,
        "unknown": 1,
        "1d": 0,
    }
    assert value(metrics, "towline_hub_clusters", standing="accepted") == 3
    assert value(metrics, "towline_hub_clusters", standing="new") == 1
    caches.tell(cluster("c1", ends_in=timedelta(days=300)), old=first)
    assert value(metrics, name, remaining="1h") == 0
    assert value(metrics, name, remaining="more") == 2


def test_leases_are_counted_by_whether_they_are_renewed(metrics: HubMetrics) -> None:
    """The fleet's pulse in two numbers."""
    caches, beats = FakeCaches(), Heartbeats()
    metrics.watch_fleet(caches, beats)  # type: ignore[arg-type]
    beats.see("c1", lease_uid="1", renew_time="a", at=0, grace=10)
    beats.see("c2", lease_uid="2", renew_time="a", at=0, grace=100)
    beats.pop_late(50)
    assert value(metrics, "towline_hub_cluster_leases", state="renewed") == 1
    assert value(metrics, "towline_hub_cluster_leases", state="stopped") == 1


def test_a_join_is_counted_when_it_happens_and_not_when_it_is_read(metrics: HubMetrics) -> None:
    """A restart reads every cluster; none of them has just joined."""
    caches = FakeCaches()
    metrics.watch_fleet(caches, Heartbeats())  # type: ignore[arg-type]
    caches.tell(cluster("c1", joined=True))
    caches.tell(cluster("c2"))
    caches.tell(cluster("c2", joined=True), old=cluster("c2"))
    caches.tell(cluster("c2", joined=True), old=cluster("c2", joined=True))
    assert value(metrics, "towline_hub_clusters_joined_total") == 1


def test_a_scrape_parses_nothing_however_large_the_fleet(
    metrics: HubMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What costs is done once for each change: a scrape of 10,000 clusters compares numbers."""
    parsed: list[str] = []

    def counting(obj: KubeObject) -> Any:
        parsed.append(obj["metadata"]["name"])
        return reported_expiry(obj)

    monkeypatch.setattr(fleet_metrics, "reported_expiry", counting)
    caches = FakeCaches()
    metrics.watch_fleet(caches, Heartbeats())  # type: ignore[arg-type]
    for number in range(10_000):
        caches.tell(cluster(f"c{number}", ends_in=timedelta(days=number / 100)))
    assert len(parsed) == 10_000
    families = list(metrics.registry.collect())
    families = list(metrics.registry.collect())
    assert len(parsed) == 10_000
    # Nor does what is sent grow with the fleet.
    assert sum(len(family.samples) for family in families) < 100


def test_a_replica_that_does_not_lead_reports_on_no_fleet_and_no_controller(
    metrics: HubMetrics,
) -> None:
    """Sums over replicas would count everything twice."""

    async def nothing(key: str) -> Result:
        return DONE

    caches = FakeCaches()
    assert value(metrics, "towline_hub_leader") == 0
    metrics.watch_controllers([Controller("c", nothing)])
    metrics.watch_fleet(caches, Heartbeats())  # type: ignore[arg-type]
    metrics.leader(is_leader=True)
    caches.tell(cluster("c1"))
    assert value(metrics, "towline_hub_leader") == 1
    assert value(metrics, "towline_hub_queue_depth", controller="c") == 0
    assert value(metrics, "towline_hub_clusters", standing="accepted") == 1
    metrics.leader(is_leader=False)
    assert value(metrics, "towline_hub_leader") == 0
    assert value(metrics, "towline_hub_queue_depth", controller="c") is None
    assert value(metrics, "towline_hub_clusters", standing="accepted") is None


def test_the_hubs_own_certificates_are_shown_with_their_end(metrics: HubMetrics) -> None:
    """An authority that ends is nobody's to renew but the hub's, or its operator's."""
    name = "towline_hub_own_certificate_expiry_timestamp_seconds"
    metrics.webhook_certificate(
        shown_until=START + timedelta(hours=1), authority_until=START + timedelta(days=1)
    )
    metrics.signer_authority("example.com/a", START + timedelta(hours=2))
    metrics.signer_authority("example.com/b", None)
    start = START.timestamp()

    def shown() -> dict[str, float | None]:
        asked = {
            "webhook": "",
            "webhook-authority": "",
            "signer-authority": "example.com/a",
        }
        return {
            each: value(metrics, name, certificate=each, signer=signer)
            for each, signer in asked.items()
        }

    assert shown() == {
        "webhook": start + HOUR,
        "webhook-authority": start + 24 * HOUR,
        "signer-authority": start + 2 * HOUR,
    }
    metrics.leader(is_leader=False)
    assert shown()["signer-authority"] is None
    assert shown()["webhook"] is not None, "every replica shows a certificate of its own"
    metrics.signer_authority("example.com/a", None)


def test_conversions_are_counted_by_version_and_outcome(metrics: HubMetrics) -> None:
    """One that fails keeps a whole list from whoever asked for it."""
    metrics.converted("v1beta1", outcome="converted", count=3)
    metrics.converted("v1beta1", outcome="refused", count=2)
    name = "towline_hub_conversions_total"
    assert value(metrics, name, to="v1beta1", outcome="converted") == 3
    assert value(metrics, name, to="v1beta1", outcome="refused") == 2


def test_events_that_nobody_will_find_are_counted(metrics: HubMetrics) -> None:
    """Whoever misses one in `kubectl get events` learns here that there was one."""
    assert value(metrics, "towline_hub_events_lost_total") == 0
    metrics.event_lost()
    assert value(metrics, "towline_hub_events_lost_total") == 1


def test_two_hubs_in_one_process_do_not_count_for_each_other() -> None:
    """Tests and programs that embed a hub run several; there is no registry of all."""
    one, two = HubMetrics(), HubMetrics()
    one.joined()
    assert value(two, "towline_hub_clusters_joined_total") == 0


def shown_names(metrics: HubMetrics) -> set[str]:
    """Return the names as a query writes them, without the parts of histograms."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in metrics.registry.collect()
    }


def test_names_follow_the_conventions_of_prometheus(metrics: HubMetrics) -> None:
    """Base units, a prefix of our own, and text that says what it is."""
    for family in metrics.registry.collect():
        assert family.documentation.endswith(".")
        assert family.name.startswith(("towline_", "process_"))
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_the_document_lists_exactly_the_metrics_there_are(metrics: HubMetrics) -> None:
    """A name in a dashboard comes from the document, so the document must not be wrong."""
    about_the_hub, _, _ = DOCUMENT.read_text().partition("## The agent\n")
    documented = re.findall(r"^\| `(towline_\w+)", about_the_hub, flags=re.MULTILINE)
    assert len(documented) == len(set(documented))
    ours = {name for name in shown_names(metrics) if name.startswith("towline_")}
    assert set(documented) == ours
