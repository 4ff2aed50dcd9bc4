"""How an agent stands with its hub, in one word: the state machine, without a client or a clock.

Each credential has one: the cluster's, and every one of each add-on. `next_state` is defined for
every state and everything that can be observed, also for what cannot happen, and depends on the
state before only where what is observed leaves the question open::

    unregistered --a request is made--> requested --issued, and the hub accepts--> registered
    requested    --refused------------> denied    --asked again-----------------> requested
    registered   --renewal is due-----> renewing  --issued----------------------> registered
    renewing     --not in time--------> expired   --issued----------------------> registered
    any          --hub denies---------> denied    --hub accepts again-----------> registered
    any          --hub deletes it-----> removed   --it is there again-----------> as observed

Nothing of it is stored. A process that starts concludes its state from what is stored and seen.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never


class AgentState(StrEnum):
    """How an agent, or one of its add-ons, stands with its hub."""

    UNREGISTERED = "unregistered"
    """Nothing usable is held, and nothing was asked for yet."""
    REQUESTED = "requested"
    """A certificate was asked for, or is held while the hub still has to accept us."""
    DENIED = "denied"
    """The hub refused: the request, or the cluster itself."""
    REGISTERED = "registered"
    """A good credential is held, and nothing is due."""
    RENEWING = "renewing"
    """The credential is still good; its successor is due or asked for."""
    EXPIRED = "expired"
    """The credential ended before its successor came."""
    REMOVED = "removed"
    """The hub has deleted the cluster, or the add-on."""

    @property
    def is_serving(self) -> bool:
        """Whether the hub can be worked with in this state."""
        return self in (AgentState.REGISTERED, AgentState.RENEWING)


class Holding(StrEnum):
    """What is observed of the credential."""

    NOTHING = "nothing"
    """There is none, or none that could be used."""
    GOOD = "good"
    DUE = "due"
    """Good still, and due for renewal."""
    EXPIRED = "expired"


class Asking(StrEnum):
    """What is observed of the request for the next credential."""

    NOT = "not"
    PENDING = "pending"
    """A key was made; the request is about to be posted, or waits."""
    REFUSED = "refused"
    """The last request came to nothing; the next follows after a pause."""


class Standing(StrEnum):
    """What the hub was last seen to say of us."""

    UNKNOWN = "unknown"
    """This process has not seen it yet."""
    WAITING = "waiting"
    """It knows of us and has not decided."""
    ACCEPTED = "accepted"
    DENIED = "denied"
    """It has decided against us, or taken its acceptance back."""
    GONE = "gone"
    """It has deleted us, or is about to."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a state follows from, beside the state before."""

    holding: Holding
    asking: Asking
    standing: Standing


def next_state(state: AgentState, seen: Observation) -> AgentState:
    """Return the state that follows.

    Args:
        state: The state before; `UNREGISTERED` when the process starts.
        seen: What is observed now.
    """
    match seen.standing:
        case Standing.GONE:
            return AgentState.REMOVED
        case Standing.DENIED:
            return AgentState.DENIED
        case Standing.UNKNOWN | Standing.WAITING | Standing.ACCEPTED:
            pass
        case _:
            assert_never(seen.standing)
    match seen.holding:
        case Holding.NOTHING:
            return _WITHOUT_CREDENTIAL[seen.asking]
        case Holding.EXPIRED:
            # Asking again for what is over is no news; being refused it is.
            refused = seen.asking is Asking.REFUSED
            return AgentState.DENIED if refused else AgentState.EXPIRED
        case Holding.GOOD | Holding.DUE:
            return _with_credential(state, seen)
        case _:
            assert_never(seen.holding)


_WITHOUT_CREDENTIAL = {
    Asking.NOT: AgentState.UNREGISTERED,
    Asking.PENDING: AgentState.REQUESTED,
    Asking.REFUSED: AgentState.DENIED,
}


def _with_credential(state: AgentState, seen: Observation) -> AgentState:
    if seen.standing is Standing.WAITING:
        return AgentState.REQUESTED
    if seen.standing is Standing.UNKNOWN:
        if state is AgentState.REMOVED:
            return state
        if state in (AgentState.REQUESTED, AgentState.DENIED):
            # The certificate came just now; whether we are accepted is still to be seen.
            return AgentState.REQUESTED
        # A process that starts while the hub is away: what is held was good for the one before.
    is_settled = seen.holding is Holding.GOOD and seen.asking is Asking.NOT
    return AgentState.REGISTERED if is_settled else AgentState.RENEWING


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReport:
    """A state with what a person wants to know beside it.

    Args:
        state: The state.
        reason: CamelCase word for programs.
        message: One line for people: what is the matter, and what comes next.
        since: When the state began, as far as that is known. It stays while the state does,
            whatever becomes of the reason.
    """

    state: AgentState
    reason: str
    message: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.state} ({self.reason}) since {self.since:%FT%TZ}: {self.message}"
