"""Controllers in numbers, for Prometheus: how much waits, how long, how passes end.

Not imported with the rest of this package: only programs that export metrics load the library.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from towline_kube.controller import Controller, Pass

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Seconds; a pass may take two minutes."""

_LABELS = ("controller",)


class ControllerMetrics(Collector):
    """Reports on whatever controllers run at present.

    Args:
        prefix: What the metrics' names begin with, for example `towline_hub`.
        registry: Where they are registered.
    """

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        self._prefix = prefix
        self._controllers: tuple[Controller[Any], ...] = ()
        passes = Counter(
            f"{prefix}_passes",
            "Passes of a controller that ended, by how.",
            (*_LABELS, "result"),
            registry=registry,
        )
        waited = Histogram(
            f"{prefix}_queue_wait_seconds",
            "How long a key waited for a worker after it was due.",
            _LABELS,
            buckets=_BUCKETS,
            registry=registry,
        )
        took = Histogram(
            f"{prefix}_pass_duration_seconds",
            "How long a pass took.",
            _LABELS,
            buckets=_BUCKETS,
            registry=registry,
        )
        # Finding the one with the right labels takes longer than counting does.
        self._passes = cache(passes.labels)
        self._waited = cache(waited.labels)
        self._took = cache(took.labels)
        registry.register(self)

    def watch(self, controllers: Iterable[Controller[Any]]) -> None:
        """Report on these controllers from now on, in place of those before."""
        self._controllers = tuple(controllers)
        for controller in self._controllers:
            controller.on_pass(self._count)

    def describe(self) -> Iterable[Metric]:
        """Yield the gauges without values: which names there are."""
        return self._families()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as of now."""
        depth, delayed, running, failing = self._families()
        for controller in self._controllers:
            name = (controller.name,)
            depth.add_metric(name, controller.depth)
            delayed.add_metric(name, controller.delayed)
            running.add_metric(name, controller.running)
            failing.add_metric(name, controller.failing)
        yield from (depth, delayed, running, failing)

    def _count(self, ended: Pass) -> None:
        self._passes(ended.controller, "failed" if ended.failed else "done").inc()
        self._waited(ended.controller).observe(ended.waited.total_seconds())
        self._took(ended.controller).observe(ended.took.total_seconds())

    def _families(self) -> tuple[GaugeMetricFamily, ...]:
        return tuple(
            GaugeMetricFamily(f"{self._prefix}_{name}", text, labels=_LABELS)
            for name, text in (
                ("queue_depth", "Keys that wait for a worker."),
                ("queue_delayed", "Keys that wait for their time."),
                ("passes_running", "Passes under way."),
                ("failing_keys", "Keys whose last pass failed."),
            )
        )
