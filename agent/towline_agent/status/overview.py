"""How a whole agent is at this moment: read by its endpoint, its metrics and its command."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from towline_agent.cluster_session import ClusterSession
from towline_agent.station.overview import AddonOverview, CredentialOverview


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOverview:
    """An agent and its add-ons.

    Args:
        cluster: Name of the managed cluster; empty while it is not known.
        agent: Name of the agent; empty for one that stands behind another agent.
        hub: URL of the hub; empty while it is not known.
        credential: The agent's own credential.
        addons: Its add-ons.
        last_contact: When the hub last answered a call under the own credential.
        contact_age: How long ago that is; None if it never did in this process.
        trouble: Why there is no channel to the hub; empty if there is.
        move: Which hub is being moved to, and how that stands; empty while none is.
        lease_renewals: How often the cluster's lease was renewed.
        lease_failures: How often it could not be.
    """

    cluster: str
    agent: str
    hub: str
    credential: CredentialOverview
    addons: tuple[AddonOverview, ...] = ()
    last_contact: datetime | None = None
    contact_age: timedelta | None = None
    trouble: str = ""
    move: str = ""
    lease_renewals: int = 0
    lease_failures: int = 0


@dataclass(frozen=True, slots=True)
class LookedSession:
    """A cluster's stay at its hub, for those who look at its agent."""

    session: ClusterSession

    def overview(self) -> AgentOverview:
        """Return how it is at this moment."""
        return overview_of(self.session)

    async def find_hub_problem(self) -> str | None:
        """Return what is wrong with the way to the hub; None if nothing is."""
        return await self.session.contact.find_problem(self.session.channel)

    def tasks(self) -> Sequence[asyncio.Task[Any]]:
        """Return what has to go on for as long as the session does."""
        return self.session.tasks


def overview_of(session: ClusterSession) -> AgentOverview:
    """Return how an agent is that keeps a cluster at its hub."""
    channel, contact, keeper = session.channel, session.contact, session.keeper
    trouble = channel.trouble
    if not channel.is_ready:
        trouble = trouble or "the hub has not accepted a credential of ours yet"
    return AgentOverview(
        cluster=session.identity.cluster,
        agent=session.identity.agent,
        hub=session.hub.server,
        credential=CredentialOverview(
            store=session.store,
            report=session.state.look(),
            facts=keeper.facts,
            renewals=keeper.renewals,
            failures=keeper.failures,
        ),
        addons=tuple(session.overlook_addons()),
        last_contact=contact.at,
        contact_age=contact.age,
        trouble=trouble,
        move=session.overlook_move(),
        lease_renewals=session.lease.renewals,
        lease_failures=session.lease.failures,
    )
