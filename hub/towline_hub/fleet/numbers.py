"""The fleet in numbers: clusters by how long their certificate is good, leases by state.

A scrape has to be cheap with 10,000 clusters, so what costs, parsing dates out of conditions, is
done once for each change of a cluster. The scrape itself compares numbers.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from towline_api.condition_types import JOINED
from towline_api.conditions import is_true
from towline_api.errors import WireError
from towline_api.resources import KubeObject
from towline_hub.approval.live_identity import reported_expiry
from towline_hub.clusters.heartbeats import Heartbeats
from towline_hub.clusters.standing import Standing, standing_of
from towline_kube.cache import Cache
from towline_kube.clock import Clock
from towline_kube.store import Change

_HOUR = 3600.0
_DAY = 24 * _HOUR


class Remaining(StrEnum):
    """How long a certificate is still good: each class ends where the next begins."""

    EXPIRED = "expired"
    HOUR = "1h"
    DAY = "1d"
    WEEK = "7d"
    MONTH = "30d"
    MORE = "more"
    UNKNOWN = "unknown"


_UPPER_BOUNDS = (
    (0.0, Remaining.EXPIRED),
    (_HOUR, Remaining.HOUR),
    (_DAY, Remaining.DAY),
    (7 * _DAY, Remaining.WEEK),
    (30 * _DAY, Remaining.MONTH),
)


def remaining(seconds: float | None) -> Remaining:
    """Return the class of a certificate that is good for so many more seconds; None: not known."""
    if seconds is None:
        return Remaining.UNKNOWN
    return next((name for bound, name in _UPPER_BOUNDS if seconds <= bound), Remaining.MORE)


_ACCEPTED = Standing.ACCEPTED.name.lower()
_UNREADABLE = "unreadable"
_STANDINGS = (*(standing.name.lower() for standing in Standing), _UNREADABLE)


class FleetMetrics(Collector):
    """Gauges over the whole fleet, computed when they are asked for.

    Args:
        registry: Where to register.
        joined: Called for each cluster that is seen to have joined.
        clock: Where time comes from.
    """

    def __init__(
        self, registry: CollectorRegistry, *, joined: Callable[[], None], clock: Clock
    ) -> None:
        self._joined = joined
        self._clock = clock
        self._standing: Counter[str] = Counter()
        self._known: dict[str, tuple[str, float | None]] = {}
        self._beats: Heartbeats | None = None
        registry.register(self)

    def watch(self, clusters: Cache, beats: Heartbeats) -> None:
        """Report on these clusters from now on."""
        self.stop()
        self._beats = beats
        clusters.on_change(self._take)

    def stop(self) -> None:
        """Report on no cluster; the cache's own owner ends its notices."""
        self._beats = None
        self._known.clear()
        self._standing.clear()

    def describe(self) -> Iterable[Metric]:
        """Yield the gauges without values: which names there are."""
        return self._families()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as of now."""
        clusters, certificates, leases = self._families()
        if self._beats is not None:
            for standing in _STANDINGS:
                clusters.add_metric((standing,), self._standing[standing])
            now = self._clock.now().timestamp()
            by_class = Counter(
                remaining(None if expiry is None else expiry - now)
                for standing, expiry in self._known.values()
                if standing == _ACCEPTED
            )
            for name in Remaining:
                certificates.add_metric((name.value,), by_class[name])
            for state, count in self._beats.counts().items():
                leases.add_metric((state,), count)
        yield from (clusters, certificates, leases)

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                "towline_hub_clusters",
                "Managed clusters by what the hub's owner decided about them.",
                labels=("standing",),
            ),
            GaugeMetricFamily(
                "towline_hub_cluster_certificates",
                "Accepted clusters by the time their reported certificate is still good: less "
                "than the label says, and no less than the one before.",
                labels=("remaining",),
            ),
            GaugeMetricFamily(
                "towline_hub_cluster_leases",
                "Leases of accepted clusters by whether they are renewed in time.",
                labels=("state",),
            ),
        )

    def _take(self, change: Change) -> None:
        name = change.key.name
        known = self._known.pop(name, None)
        if known is not None:
            self._standing[known[0]] -= 1
        if self._beats is None or change.new is None:
            return
        if change.old is not None and _has_joined(change.new) and not _has_joined(change.old):
            self._joined()
        standing = _standing(change.new)
        expiry = reported_expiry(change.new)
        self._known[name] = (standing, None if expiry is None else expiry.timestamp())
        self._standing[standing] += 1


def _has_joined(cluster: KubeObject) -> bool:
    try:
        return is_true(cluster, JOINED)
    except WireError:
        return False


def _standing(cluster: KubeObject) -> str:
    try:
        return standing_of(cluster).name.lower()
    except WireError:
        return _UNREADABLE
