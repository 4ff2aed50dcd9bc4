"""Whether the managed cluster's own API server is well."""

from datetime import timedelta
from typing import cast

import pytest

from support.clock import START
from towline_agent.clusters.spoke_health import HealthHistory, judge, probe
from towline_agent.clusters.status import Healthy, Unhealthy
from towline_kube.client import Client
from towline_kube.errors import ApiError, Forbidden, NotServed, ServerError, Unreachable

SECOND = timedelta(seconds=1)


def test_one_good_probe_is_enough() -> None:
    """Also after a long outage: the hub is to know at once."""
    ill = HealthHistory(Unhealthy("down"), failing_since=START)
    assert judge(ill, failure=None, now=START) == HealthHistory(Healthy())


def test_a_short_failure_is_not_told() -> None:
    """An API server that restarts must not move workloads off its cluster."""
    history = HealthHistory(Healthy())
    for seconds in (0, 5, 10, 19):
        history = judge(history, failure="500", now=START + seconds * SECOND)
        assert history.health == Healthy()
        assert history.is_in_doubt
    history = judge(history, failure="500", now=START + 20 * SECOND)
    assert history.health == Unhealthy("500")
    assert not history.is_in_doubt


def test_a_good_probe_between_failures_starts_the_count_anew() -> None:
    """Twenty seconds in a row, not in sum."""
    history = judge(HealthHistory(Healthy()), failure="500", now=START)
    history = judge(history, failure=None, now=START + 15 * SECOND)
    history = judge(history, failure="500", now=START + 25 * SECOND)
    assert history.health == Healthy()


def test_nothing_is_said_before_the_first_judgement() -> None:
    """A new agent that cannot reach its API server yet knows nothing about it."""
    assert judge(HealthHistory(), failure="500", now=START).health is None


class Api:
    """Answers paths; what it does not know is well."""

    def __init__(self, **answers: ApiError) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def request_text(self, path: str) -> str:
        self.asked.append(path)
        answer = self.answers.get(path.strip("/"))
        if answer is not None:
            raise answer
        return "ok"


@pytest.mark.parametrize(
    ("api", "well", "asked"),
    [
        pytest.param(Api(), True, ["/livez"], id="well"),
        pytest.param(Api(livez=Forbidden("no")), True, ["/livez", "/healthz"], id="not-allowed"),
        pytest.param(Api(livez=NotServed("no")), True, ["/livez", "/healthz"], id="older-server"),
        pytest.param(
            Api(livez=NotServed("no"), healthz=Forbidden("no")),
            False,
            ["/livez", "/healthz"],
            id="neither",
        ),
        pytest.param(Api(livez=ServerError("ill", status=500)), False, ["/livez"], id="ill"),
        pytest.param(Api(livez=Unreachable("no route")), False, ["/livez"], id="unreachable"),
    ],
)
async def test_the_older_path_is_asked_only_where_the_newer_is_missing(
    api: Api, asked: list[str], *, well: bool
) -> None:
    """As OCM's agent does it; a failing server gets no second chance by another name."""
    failure = await probe(cast("Client", api))
    assert (failure is None) == well
    assert api.asked == asked
    if failure is not None:
        assert failure.startswith("The kube-apiserver is not ok, status code: ")
