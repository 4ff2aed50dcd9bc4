"""What an agent shows to those who look at it: numbers, one document, one line for each part."""

import dataclasses
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from support.clock import START
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.credentials.state import AgentState, StateReport
from towline_agent.credentials.state_tracking import CredentialFacts
from towline_agent.station.overview import AddonOverview, CredentialOverview
from towline_agent.station.user_code import Role, UserFunction
from towline_agent.status.endpoint import addon_answer
from towline_agent.status.metrics import AgentMetrics
from towline_agent.status.overview import AgentOverview
from towline_agent.status.report import is_well, report_document
from towline_agent.status.table import print_report
from towline_certs.validity import Validity
from towline_kube.client import Call
from towline_kube.health_checks import Well

DOCUMENT = Path(__file__).parents[4] / "docs" / "operating.md"
HOUR = timedelta(hours=1)
OWN = "secret ns/hub-kubeconfig-secret"


def credential(state: AgentState, *, store: str = OWN) -> CredentialOverview:
    return CredentialOverview(
        store=store,
        report=StateReport(
            state=state, reason="WaitingForApproval", message="request r waits", since=START
        ),
        facts=CredentialFacts(
            reason="WaitingForApproval",
            message="request r waits",
            validity=Validity(START, START + HOUR),
            renew_at=START + HOUR / 2,
            request="r",
        ),
        renewals=3,
        failures=2,
    )


def addon(state: AgentState = AgentState.REGISTERED, *troubles: str) -> AddonOverview:
    return AddonOverview(
        name="helloworld",
        credentials=(credential(state, store="secret apps/helloworld-hub-kubeconfig"),),
        outcome=ConfigurationOutcome(troubles=troubles),
        applied=4,
        failed=1,
        code_failures={UserFunction(Role.TASK, "forward"): 6},
    )


OVERVIEW = AgentOverview(
    cluster="c1",
    agent="x7k2q",
    hub="https://hub:6443",
    credential=credential(AgentState.RENEWING),
    addons=(addon(),),
    last_contact=START,
    contact_age=timedelta(seconds=7),
    lease_renewals=11,
    lease_failures=5,
)


@pytest.fixture
def metrics() -> AgentMetrics:
    return AgentMetrics(lambda: OVERVIEW)


def value(metrics: AgentMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_exactly_one_state_of_each_credential_is_1(metrics: AgentMetrics) -> None:
    """So that an alert can ask for a state by its name, and a sum counts agents."""
    for whose, expected in (
        ({"addon": "", "credential": OWN}, AgentState.RENEWING),
        (
            {"addon": "helloworld", "credential": "secret apps/helloworld-hub-kubeconfig"},
            AgentState.REGISTERED,
        ),
    ):
        shown = {
            state: value(metrics, "towline_agent_state", state=state, **whose)
            for state in AgentState
        }
        assert shown == {state: float(state is expected) for state in AgentState}


def test_what_an_agent_counts_is_shown(metrics: AgentMetrics) -> None:
    """Each number under the name that the document gives it."""
    own = {"addon": "", "credential": OWN}
    expected: dict[str, tuple[float, dict[str, str]]] = {
        "state_since_timestamp_seconds": (START.timestamp(), own),
        "certificate_expiry_timestamp_seconds": ((START + HOUR).timestamp(), own),
        "certificate_renewals_total": (3, own),
        "certificate_failures_total": (2, own),
        "lease_renewals_total": (11, {}),
        "lease_failures_total": (5, {}),
        "hub_contact_age_seconds": (7, {}),
        "configurations_applied_total": (4, {"addon": "helloworld"}),
        "configurations_failed_total": (1, {"addon": "helloworld"}),
        "configuration_troubles": (0, {"addon": "helloworld"}),
        "addon_code_failures_total": (
            6,
            {"addon": "helloworld", "role": "task", "function": "forward"},
        ),
    }
    for name, (number, labels) in expected.items():
        assert value(metrics, f"towline_agent_{name}", **labels) == number, name


def test_calls_are_counted_by_side_and_code(metrics: AgentMetrics) -> None:
    """What an agent costs its hub, and what its own cluster."""
    call = Call("get", "leases", 200, timedelta(0), 1)
    metrics.count_hub_call(call)
    metrics.count_hub_call(call)
    metrics.count_spoke_call(dataclasses.replace(call, status=0))
    name = "towline_agent_api_requests_total"
    labels = {"verb": "get", "resource": "leases"}
    assert value(metrics, name, side="hub", code="200", **labels) == 2
    assert value(metrics, name, side="spoke", code="0", **labels) == 1


def test_two_agents_in_one_process_do_not_mix(metrics: AgentMetrics) -> None:
    """A registry of the whole process would refuse the second agent."""
    other = AgentMetrics(lambda: None)
    other.count_hub_call(Call("get", "leases", 200, timedelta(0), 1))
    labels = {"side": "hub", "verb": "get", "resource": "leases", "code": "200"}
    assert value(metrics, "towline_agent_api_requests_total", **labels) is None
    assert value(other, "towline_agent_lease_renewals_total") is None


def test_the_document_lists_exactly_the_metrics_there_are(metrics: AgentMetrics) -> None:
    """A name in a dashboard comes from the document, so the document must not be wrong."""
    _, _, about_the_agent = DOCUMENT.read_text().partition("## The agent\n")
    documented = re.findall(r"^\| `(towline_\w+)", about_the_agent, flags=re.MULTILINE)
    assert len(documented) == len(set(documented))
    families = [f for f in metrics.registry.collect() if f.name.startswith("towline_")]
    assert {f"{f.name}_total" if f.type == "counter" else f.name for f in families} == set(
        documented
    )
    assert all(family.documentation.endswith(".") for family in families)


def test_the_document_explains_every_state() -> None:
    """An operator looks a state up where the metrics are."""
    documented = re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(), flags=re.MULTILINE)
    assert set(AgentState) <= set(documented)


def test_a_report_says_everything_for_programs() -> None:
    """Instants as Kubernetes writes them; null where nothing is known."""
    document = report_document(OVERVIEW)
    assert document["state"] == "renewing"
    assert document["certificate"] == {
        "from": "2026-01-01T00:00:00Z",
        "until": "2026-01-01T01:00:00Z",
        "renewal": "2026-01-01T00:30:00Z",
    }
    assert document["request"] == "r"
    assert document["hub"] == {
        "server": "https://hub:6443",
        "lastContact": "2026-01-01T00:00:00Z",
        "trouble": "",
        "move": "",
    }
    (helloworld,) = document["addons"]
    assert helloworld["credentials"][0]["state"] == "registered"
    assert helloworld["configuration"] == {"troubles": [], "awaited": []}


@pytest.mark.parametrize(
    ("change", "well"),
    [
        ({}, True),
        ({"credential": credential(AgentState.EXPIRED)}, False),
        ({"addons": (addon(AgentState.DENIED),)}, False),
        ({"addons": (addon(AgentState.REGISTERED, "ConfigMap x cannot be applied"),)}, False),
        ({"addons": (dataclasses.replace(addon(), faults=("task forward fails",)),)}, False),
        ({"addons": (AddonOverview(name="new"),)}, True),
    ],
)
def test_it_is_well_only_as_a_whole(change: dict[str, Any], well: bool) -> None:
    """The command's exit status rests on it."""
    assert is_well(report_document(dataclasses.replace(OVERVIEW, **change))) is well


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (addon(), None),
        (addon(AgentState.RENEWING), None),
        (AddonOverview(name="x"), None),
        (addon(AgentState.REQUESTED), "requested (WaitingForApproval) since 2026-01-01T00:00:00Z"),
        (addon(AgentState.REGISTERED, "field a.b is wrong"), "field a.b is wrong"),
        (dataclasses.replace(addon(), faults=("task forward fails",)), "task forward fails"),
        (
            dataclasses.replace(
                addon(),
                credentials=(credential(AgentState.REGISTERED), credential(AgentState.EXPIRED)),
            ),
            "expired",
        ),
    ],
)
def test_an_addon_is_ready_with_all_its_credentials_and_its_configuration(
    shown: AddonOverview, problem: str | None
) -> None:
    """The line says what is wrong, about the credential that needs a look first."""
    answer = addon_answer(shown)
    assert isinstance(answer, Well) is (problem is None)
    assert problem is None or problem in str(answer)


def test_a_person_reads_the_same_in_a_table() -> None:
    """State, reason, times and request; and each add-on with its problem."""
    overview = dataclasses.replace(OVERVIEW, addons=(addon(AgentState.DENIED, "no namespace"),))
    console = Console(file=io.StringIO(), width=200)
    print_report(report_document(overview), console=console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for line in (
        r"Cluster +c1",
        r"State +renewing",
        r"Reason +WaitingForApproval: request r waits",
        r"Certificate +2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z",
        r"Renewal due +2026-01-01T00:30:00Z",
        r"Request +r",
        r"helloworld +denied .*WaitingForApproval: request r waits; no namespace",
    ):
        assert re.search(line, text), (line, text)
    assert "Trouble" not in text
