"""Requests to an API server in numbers, for Prometheus.

Not imported with the rest of this package: only programs that export metrics load the library.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from towline_kube.caller import Call

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds. An API server that is well answers in hundredths of one; a request lasts at most 30."""


class ApiMetrics:
    """Counts the requests of one or more clients.

    Args:
        registry: Where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        requests = Counter(
            "towline_api_requests",
            "Requests made to the API server, retries included; code 0 is no answer.",
            ("verb", "resource", "code"),
            registry=registry,
        )
        retries = Counter(
            "towline_api_request_retries",
            "Requests made to the API server again because the one before failed.",
            ("verb",),
            registry=registry,
        )
        duration = Histogram(
            "towline_api_request_duration_seconds",
            "Until the answer to a request was complete; for a watch, until it began.",
            ("verb",),
            buckets=_BUCKETS,
            registry=registry,
        )
        # Finding the one with the right labels takes longer than counting does.
        self._requests = cache(requests.labels)
        self._retries = cache(retries.labels)
        self._duration = cache(duration.labels)

    def count(self, call: Call) -> None:
        """Count one request; give this to a `Client` as `on_call`."""
        self._requests(call.verb, call.resource, str(call.status)).inc()
        if call.attempt > 1:
            self._retries(call.verb).inc()
        self._duration(call.verb).observe(call.took.total_seconds())
