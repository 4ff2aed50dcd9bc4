"""Metrics: how often which call was answered how, of all that Kubernetes measures."""

from collections import Counter

from towline_sandbox.embedded.serving.answers import Answer
from towline_sandbox.embedded.serving.call_log import CallLog

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NAME = "apiserver_request_total"


def metrics(calls: CallLog) -> Answer:
    """Return the answer of `/metrics`."""
    counted = Counter(
        (record.verb, record.resource, record.subresource, record.code)
        for record in calls.records()
        if record.code
    )
    lines = [
        f"# HELP {_NAME} Calls answered, of those that are remembered.",
        f"# TYPE {_NAME} counter",
        *(
            f'{_NAME}{{verb="{verb}",resource="{resource}",subresource="{subresource}",'
            f'code="{code}"}} {count}'
            for (verb, resource, subresource, code), count in sorted(counted.items())
        ),
    ]
    return Answer(200, ("\n".join(lines) + "\n").encode(), _CONTENT_TYPE)
