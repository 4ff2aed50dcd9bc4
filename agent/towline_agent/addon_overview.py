"""How one add-on is at this moment, for those who look at an agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from towline_agent.agent_state import AgentState, StateReport
from towline_agent.configuration_report import ConfigurationOutcome
from towline_agent.state_tracking import CredentialFacts
from towline_agent.user_code import UserCode, UserFunction


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
    """

    name: str
    credentials: tuple[CredentialOverview, ...] = ()
    outcome: ConfigurationOutcome | None = None
    applied: int = 0
    failed: int = 0
    faults: tuple[str, ...] = ()
    code_failures: Mapping[UserFunction, int] = field(default_factory=dict)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong beside the credentials: with the configuration, with the add-on's code."""
        return (() if self.outcome is None else self.outcome.troubles) + self.faults

    @property
    def worst(self) -> CredentialOverview | None:
        """The credential that needs a look first; None if there is none at all."""
        return min(self.credentials, key=lambda item: _URGENCY[item.report.state], default=None)


def told_faults(code: UserCode) -> tuple[str, ...]:
    """Return what the hub is told to be wrong with an add-on's code."""
    report = code.report()
    return (report.message,) if report is not None and report.status == "True" else ()


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
