"""An agent in numbers, for Prometheus.

Not imported with the rest of this package: only agents that are looked at load the library. But for
calls nothing is counted twice: a scrape reads what the agent knows already, and asks nobody.
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from towline_agent.credentials.state import AgentState
from towline_agent.station.overview import CredentialOverview
from towline_agent.status.overview import AgentOverview
from towline_kube.client import Call

_WHOSE = ("addon", "credential")


class AgentMetrics:
    """One agent's metrics, in a registry of their own.

    Args:
        overview: Returns how the agent is now; None before it has begun.
    """

    def __init__(self, overview: Callable[[], AgentOverview | None]) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        """What an exporter shows."""
        self._calls = Counter(
            "towline_agent_api_requests",
            "Requests made to the API servers of hub, managed and hosting cluster, with retries.",
            ("side", "verb", "resource", "code"),
            registry=self.registry,
        )
        self.registry.register(_Overlooked(overview))
        # Of this process: CPU seconds, memory, open files, start time.
        ProcessCollector(registry=self.registry)

    def count_hub_call(self, call: Call) -> None:
        """Count a request to the hub; give it to a client as `on_call`."""
        self._count("hub", call)

    def count_spoke_call(self, call: Call) -> None:
        """Count a request to the managed cluster; give it to a client as `on_call`."""
        self._count("spoke", call)

    def count_hosting_call(self, call: Call) -> None:
        """Count a request to the hosting cluster; give it to a client as `on_call`."""
        self._count("hosting", call)

    def _count(self, side: str, call: Call) -> None:
        self._calls.labels(side, call.verb, call.resource, str(call.status)).inc()


class _Overlooked(Collector):
    """What an overview says, as metrics."""

    def __init__(self, overview: Callable[[], AgentOverview | None]) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment; none before the agent has begun."""
        overview = self._overview()
        if overview is None:
            return
        yield from _credentials(overview)
        yield from _configurations(overview)
        yield from _code(overview)
        yield from _health(overview)
        renewed = CounterMetricFamily(
            "towline_agent_lease_renewals", "Renewals of the cluster's lease on the hub."
        )
        renewed.add_metric((), overview.lease_renewals)
        yield renewed
        failed = CounterMetricFamily(
            "towline_agent_lease_failures", "Renewals of the cluster's lease that failed."
        )
        failed.add_metric((), overview.lease_failures)
        yield failed
        age = GaugeMetricFamily(
            "towline_agent_hub_contact_age_seconds",
            "Since the hub last answered a call under the agent's own credential.",
        )
        if overview.contact_age is not None:
            age.add_metric((), overview.contact_age.total_seconds())
        yield age


def _credentials(overview: AgentOverview) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "towline_agent_state",
        "1 for the state that a credential is in, 0 for the others.",
        labels=(*_WHOSE, "state"),
    )
    since = GaugeMetricFamily(
        "towline_agent_state_since_timestamp_seconds", "When that state began.", labels=_WHOSE
    )
    expiry = GaugeMetricFamily(
        "towline_agent_certificate_expiry_timestamp_seconds",
        "When the newest certificate or token ends, or has ended.",
        labels=_WHOSE,
    )
    renewals = CounterMetricFamily(
        "towline_agent_certificate_renewals",
        "Certificates and tokens earned and stored, the first among them.",
        labels=_WHOSE,
    )
    failures = CounterMetricFamily(
        "towline_agent_certificate_failures",
        "Attempts to earn or store one that failed, requests refused among them.",
        labels=_WHOSE,
    )
    for addon, item in _all_credentials(overview):
        whose = (addon, item.store)
        for each in AgentState:
            state.add_metric((*whose, each), float(item.report.state is each))
        since.add_metric(whose, item.report.since.timestamp())
        if item.facts.validity is not None:
            expiry.add_metric(whose, item.facts.validity.not_after.timestamp())
        renewals.add_metric(whose, item.renewals)
        failures.add_metric(whose, item.failures)
    yield from (state, since, expiry, renewals, failures)


def _all_credentials(overview: AgentOverview) -> Iterator[tuple[str, CredentialOverview]]:
    yield "", overview.credential
    for addon in overview.addons:
        for item in addon.credentials:
            yield addon.name, item


def _configurations(overview: AgentOverview) -> Iterator[Metric]:
    applied = CounterMetricFamily(
        "towline_agent_configurations_applied",
        "Times that an add-on's configuration came wholly into force.",
        labels=("addon",),
    )
    failed = CounterMetricFamily(
        "towline_agent_configurations_failed",
        "Times that something stood in the way of an add-on's configuration.",
        labels=("addon",),
    )
    troubles = GaugeMetricFamily(
        "towline_agent_configuration_troubles",
        "What stands in the way of an add-on's configuration now.",
        labels=("addon",),
    )
    for addon in overview.addons:
        applied.add_metric((addon.name,), addon.applied)
        failed.add_metric((addon.name,), addon.failed)
        if addon.outcome is not None:
            troubles.add_metric((addon.name,), len(addon.outcome.troubles))
    yield from (applied, failed, troubles)


def _code(overview: AgentOverview) -> Iterator[Metric]:
    failures = CounterMetricFamily(
        "towline_agent_addon_code_failures",
        "Times that a function of an add-on's own code failed.",
        labels=("addon", "role", "function"),
    )
    for addon in overview.addons:
        for function, count in addon.code_failures.items():
            failures.add_metric((addon.name, function.role, function.name), count)
    yield failures


def _health(overview: AgentOverview) -> Iterator[Metric]:
    checks = GaugeMetricFamily(
        "towline_agent_addon_check",
        "1 for a health check of an add-on that was passed when it was last asked, else 0.",
        labels=("addon", "check"),
    )
    renewed = CounterMetricFamily(
        "towline_agent_addon_lease_renewals",
        "Renewals of an add-on's Lease by this process.",
        labels=("addon",),
    )
    failed = CounterMetricFamily(
        "towline_agent_addon_lease_failures",
        "Renewals of an add-on's Lease by this process that failed.",
        labels=("addon",),
    )
    for addon in overview.addons:
        for name, is_passed in addon.checks.items():
            checks.add_metric((addon.name, name), float(is_passed))
        if addon.lease is not None:
            renewed.add_metric((addon.name,), addon.lease.renewals)
            failed.add_metric((addon.name,), addon.lease.failures)
    yield from (checks, renewed, failed)
