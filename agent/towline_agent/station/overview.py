"""How one add-on is at this moment, for those who look at an agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.credentials.state import AgentState, StateReport
from towline_agent.credentials.state_tracking import CredentialFacts
from towline_agent.station.lease import LeaseRecord
from towline_agent.station.user_code import Role, UserCode, UserFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialOverview:
    """One credential.

    Args:
        store: Where it rests, for example `secret ns/name`.
        report: Its state.
        facts: What is known of it.
        renewals: How many were earned and stored by this process.
        failures: How many attempts came to nothing.
    """

    store: str
    report: StateReport
    facts: CredentialFacts
    renewals: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonOverview:
    """One add-on.

    Args:
        name: Its name.
        credentials: Its credentials; empty until the hub says what it needs.
        outcome: How its configuration stands; None while this process has not looked.
        applied: How often a configuration came wholly into force.
        failed: How often one did not.
        faults: What is wrong with the add-on's own code in this process, a sentence each.
        code_failures: How often each function of it has failed.
        checks: Whether each of its health checks was passed when it was last asked, by name.
        lease: How the renewals of its Lease go; None if this process has not begun with them.
    """

    name: str
    credentials: tuple[CredentialOverview, ...] = ()
    outcome: ConfigurationOutcome | None = None
    applied: int = 0
    failed: int = 0
    faults: tuple[str, ...] = ()
    code_failures: Mapping[UserFunction, int] = field(default_factory=dict)
    checks: Mapping[str, bool] = field(default_factory=dict)
    lease: LeaseRecord | None = None

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong beside the credentials: the configuration, the add-on's code, its Lease."""
        outcome = () if self.outcome is None else self.outcome.troubles
        trouble = "" if self.lease is None else self.lease.trouble
        unrenewed = (f"its Lease is not renewed: {trouble}",) if trouble else ()
        return outcome + self.faults + unrenewed

    @property
    def worst(self) -> CredentialOverview | None:
        """The credential that needs a look first; None if there is none at all."""
        return min(self.credentials, key=lambda item: _URGENCY[item.report.state], default=None)


def told_faults(code: UserCode) -> tuple[str, ...]:
    """Return what is wrong with an add-on's code, as far as those who look at it are told.

    That is what the hub is told, and every health check that fails: a hub that is away is no reason
    to bother the hub, but while a check fails the Lease is not renewed.
    """
    report = code.report()
    told = (report.message,) if report is not None and report.status == "True" else ()
    return told + tuple(
        str(fault)
        for fault in code.faults
        if fault.function.role is Role.HEALTH and not fault.is_told
    )


_URGENCY = {
    state: place
    for place, state in enumerate(
        (
            AgentState.EXPIRED,
            AgentState.DENIED,
            AgentState.UNREGISTERED,
            AgentState.REQUESTED,
            AgentState.REMOVED,
            AgentState.RENEWING,
            AgentState.REGISTERED,
        )
    )
}
