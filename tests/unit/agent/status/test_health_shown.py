"""Where people look at an agent they find the health check that fails, and why."""

from datetime import UTC, datetime

from prometheus_client import generate_latest

from towline_agent.credentials.state_tracking import CredentialFacts, first_report
from towline_agent.health.rounds import UnhealthyError
from towline_agent.station.lease import LeaseRecord
from towline_agent.station.overview import AddonOverview, CredentialOverview, told_faults
from towline_agent.station.user_code import Role, UserCode, UserFunction
from towline_agent.status.endpoint import addon_answer
from towline_agent.status.metrics import AgentMetrics
from towline_agent.status.overview import AgentOverview
from towline_agent.status.report import is_well, report_document
from towline_kube.health_checks import Well

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FULL = "health queue: more than 1000 alerts are waiting"


def overview_with(code: UserCode, *, lease: LeaseRecord) -> AddonOverview:
    return AddonOverview(
        name="forwarder",
        faults=told_faults(code),
        code_failures=dict(code.failures),
        checks=dict(code.checks),
        lease=lease,
    )


def failing() -> UserCode:
    code = UserCode("forwarder")
    code.succeeded(UserFunction(Role.HEALTH, "disk"))
    error = UnhealthyError("more than 1000 alerts are waiting")
    code.failed(UserFunction(Role.HEALTH, "queue"), error)
    return code


def test_readiness_names_what_fails_and_why() -> None:
    """A Lease that is not renewed and one that cannot be are different troubles."""
    record = LeaseRecord()
    code = failing()
    assert addon_answer(overview_with(code, lease=record)) == FULL
    code.succeeded(UserFunction(Role.HEALTH, "queue"))
    assert isinstance(addon_answer(overview_with(code, lease=record)), Well)
    record.trouble = "not allowed"
    assert addon_answer(overview_with(code, lease=record)) == (
        "its Lease is not renewed: not allowed"
    )


def test_programs_get_it_as_a_document_and_as_numbers() -> None:
    """An alert on the metric names the check; whoever answers it finds the reason beside."""
    addon = overview_with(failing(), lease=LeaseRecord(renewals=3, failures=1))
    credential = CredentialOverview(
        store="file", report=first_report(now=NOW), facts=CredentialFacts(reason="", message="")
    )
    whole = AgentOverview(cluster="c1", agent="", hub="", credential=credential, addons=(addon,))
    document = report_document(whole)
    assert document["addons"][0]["checks"] == {"disk": True, "queue": False}
    assert document["addons"][0]["faults"] == [FULL]
    assert not is_well(document)
    metrics = AgentMetrics(lambda: whole)
    lines = generate_latest(metrics.registry).decode().splitlines()
    for line in (
        'towline_agent_addon_check{addon="forwarder",check="disk"} 1.0',
        'towline_agent_addon_check{addon="forwarder",check="queue"} 0.0',
        'towline_agent_addon_lease_renewals_total{addon="forwarder"} 3.0',
        'towline_agent_addon_lease_failures_total{addon="forwarder"} 1.0',
    ):
        assert line in lines
