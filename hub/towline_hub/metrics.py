"""What the hub counts and measures, for Prometheus.

Whoever does something worth counting is given a `HubMetrics` and calls one method. Nothing here
asks the API server: a scrape reads counters, queues and what caches know already.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from towline_hub.caches import HubCaches
from towline_hub.clusters.heartbeats import Heartbeats
from towline_hub.fleet.numbers import FleetMetrics
from towline_kube.api_metrics import ApiMetrics
from towline_kube.client import Call
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.controller import Controller
from towline_kube.controller_metrics import ControllerMetrics

_APPROVAL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86_400)
"""Seconds. A hub decides in a tenth of one; what waits for a person waits for hours."""


class HubMetrics:
    """The hub's metrics, in a registry of their own.

    Args:
        registry: Where they are registered; by default a new one.
        clock: Where time comes from.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.registry = registry or CollectorRegistry(auto_describe=True)
        """What an exporter shows."""
        self._decisions = Counter(
            "towline_hub_decisions",
            "Certificate requests decided about or left alone, each once per outcome.",
            ("outcome", "reason", "kind"),
            registry=self.registry,
        )
        self._waited = Histogram(
            "towline_hub_decision_wait_seconds",
            "From the creation of a certificate request to its approval or denial.",
            ("outcome", "kind"),
            buckets=_APPROVAL_BUCKETS,
            registry=self.registry,
        )
        self._joins = Counter(
            "towline_hub_clusters_joined",
            "Clusters that used a certificate of their own for the first time.",
            registry=self.registry,
        )
        self._signed = Counter(
            "towline_hub_certificates_signed",
            "Certificates that this hub's own signers issued.",
            ("signer",),
            registry=self.registry,
        )
        self._refused = Counter(
            "towline_hub_certificates_refused",
            "Approved requests that this hub's own signers would not sign.",
            ("signer", "reason"),
            registry=self.registry,
        )
        self._conversions = Counter(
            "towline_hub_conversions",
            "Objects that an API server asked to have in another version.",
            ("to", "outcome"),
            registry=self.registry,
        )
        self._ends = Gauge(
            "towline_hub_own_certificate_expiry_timestamp_seconds",
            "When a certificate of the hub's own ends, in seconds since 1970.",
            ("certificate", "signer"),
            registry=self.registry,
        )
        self._signers_with_end: set[str] = set()
        self._events_lost = Counter(
            "towline_hub_events_lost",
            "Events that were not recorded: refused, or given up in a storm.",
            registry=self.registry,
        )
        self._leader = Gauge(
            "towline_hub_leader",
            "1 on the replica that leads, 0 on one that stands by.",
            registry=self.registry,
        )
        self._api = ApiMetrics(self.registry)
        self._controllers = ControllerMetrics("towline_hub", self.registry)
        self._fleet = FleetMetrics(self.registry, joined=self.joined, clock=clock)
        # Of this process: CPU seconds, memory, open files, start time.
        ProcessCollector(registry=self.registry)

    def decided(self, outcome: str, reason: str, *, kind: str, waited: timedelta | None) -> None:
        """Count a decision about a certificate request.

        Args:
            outcome: `approve`, `deny` or `ignore`.
            reason: The policy's one word for why.
            kind: What was asked for, for example `cluster` or `addon`; a small fixed set.
            waited: From the creation of the request until now; None if it is left alone, or its
                age is not known.
        """
        self._decisions.labels(outcome, reason, kind).inc()
        if waited is not None:
            # The API server's clock may be ahead of ours.
            self._waited.labels(outcome, kind).observe(max(0.0, waited.total_seconds()))

    def joined(self) -> None:
        """Count a cluster that has joined."""
        self._joins.inc()

    def certificate_signed(self, signer: str) -> None:
        """Count a certificate that a signer of ours issued."""
        self._signed.labels(signer).inc()

    def certificate_refused(self, signer: str, reason: str) -> None:
        """Count an approved request that a signer of ours would not sign.

        Args:
            signer: Its name.
            reason: One word for why; a small fixed set.
        """
        self._refused.labels(signer, reason).inc()

    def converted(self, to: str, *, outcome: str, count: int) -> None:
        """Count objects that an API server asked the webhook for in another version.

        Args:
            to: That version, or `unknown`; a small fixed set.
            outcome: `converted`, or `refused`: the whole review is then.
            count: How many objects.
        """
        self._conversions.labels(to, outcome).inc(count)

    def event_lost(self) -> None:
        """Count an Event that nobody will find; give it to an `EventRecorder` as `on_lost`."""
        self._events_lost.inc()

    def webhook_certificate(self, *, shown_until: datetime, authority_until: datetime) -> None:
        """Note until when the webhook's certificate is good, and the authority that issued it."""
        self._ends.labels("webhook", "").set(shown_until.timestamp())
        self._ends.labels("webhook-authority", "").set(authority_until.timestamp())

    def signer_authority(self, signer: str, until: datetime | None) -> None:
        """Note until when the authority of a signer of ours is good; None if there is none."""
        if until is not None:
            self._signers_with_end.add(signer)
            self._ends.labels("signer-authority", signer).set(until.timestamp())
        elif signer in self._signers_with_end:
            self._signers_with_end.remove(signer)
            self._ends.remove("signer-authority", signer)

    def api_call(self, call: Call) -> None:
        """Count a request to the API server; give it to a `Client` as `on_call`."""
        self._api.count(call)

    def watch_controllers(self, controllers: Iterable[Controller[Any]]) -> None:
        """Report on these controllers from now on, in place of those before."""
        self._controllers.watch(controllers)

    def watch_fleet(self, caches: HubCaches, beats: Heartbeats) -> None:
        """Report on the clusters in the caches from now on, and on their leases.

        Until the hub stops leading: were every replica to report, sums over them would be wrong.
        """
        self._fleet.watch(caches.clusters, beats)

    def leader(self, is_leader: bool) -> None:
        """Note whether this replica leads.

        One that does not reports on no controller, no fleet and no signer.
        """
        self._leader.set(is_leader)
        if not is_leader:
            self._controllers.watch(())
            self._fleet.stop()
            for signer in tuple(self._signers_with_end):
                self.signer_authority(signer, None)
