"""An add-on's own process behind an agent, for those who look at it: its channel, its work."""

import asyncio
import dataclasses
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from towline_agent.channel.contact import HubContact
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.credentials.state import Standing
from towline_agent.credentials.state_tracking import CredentialFacts, StateTracker
from towline_agent.embedding.mounted_station import StationObservers
from towline_agent.station.addon_station import AddonProcess, Station
from towline_agent.station.overview import AddonOverview, CredentialOverview, told_faults
from towline_agent.status.overview import AgentOverview
from towline_certs.certificates import parse_chain
from towline_certs.validity import validity_of
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection

_NO_CHANNEL = "the hub has not accepted the mounted credential yet"
_FAR_AWAY = datetime.max.replace(tzinfo=UTC)


class LookedProcess:
    """An add-on's code, with an eye on what it works between.

    Its credential is another agent's to renew, so it is never `renewing` here; and what the hub
    says of the cluster that agent knows.

    Args:
        name: Name of the add-on.
        process: Its code.
        store: Where the credential is mounted.
        clock: Time.
    """

    def __init__(
        self, name: str, process: AddonProcess, *, store: str, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._name = name
        self._process = process
        self._store = store
        self._contact = HubContact(clock=clock)
        self._channel: HubChannel | None = None
        self._station: Station | None = None
        self._outcome: ConfigurationOutcome | None = None
        self._applied = self._failed = 0
        self._state = StateTracker(
            f"add-on {name}", facts=self._facts, standing=self._standing, now=clock.now
        )

    @property
    def cleans_up(self) -> bool:
        """Whether the code has to run once more for an add-on that is gone."""
        return self._process.cleans_up

    @property
    def applies_in(self) -> Collection[str]:
        """Namespaces the code applies to beside the add-on's install namespace."""
        return self._process.applies_in

    async def work(self, station: Station) -> NoReturn:
        """Let the code work until cancelled."""

        def report(outcome: ConfigurationOutcome) -> None:
            if outcome != self._outcome:
                self._outcome = outcome
                self._applied += not outcome.troubles and not outcome.awaited
                self._failed += bool(outcome.troubles)
            station.report(outcome)

        self._station = station
        await self._process.work(dataclasses.replace(station, report=report))

    @property
    def observers(self) -> StationObservers:
        """Who has to look on while the code works."""
        return StationObservers(on_hub_call=self._contact.note, on_channel=self._take_channel)

    def _take_channel(self, channel: HubChannel) -> None:
        self._channel = channel

    @property
    def _trouble(self) -> str:
        trouble = "" if self._channel is None else self._channel.trouble
        return trouble or ("" if self._station is not None else _NO_CHANNEL)

    def overview(self) -> AgentOverview:
        """Return how it is at this moment."""
        station = self._station
        credential = CredentialOverview(
            store=self._store, report=self._state.look(), facts=self._facts()
        )
        addon = AddonOverview(
            name=self._name,
            outcome=self._outcome,
            applied=self._applied,
            failed=self._failed,
            faults=() if station is None else told_faults(station.code),
            code_failures={} if station is None else dict(station.code.failures),
            checks={} if station is None else dict(station.code.checks),
            lease=None if station is None else station.lease,
        )
        return AgentOverview(
            cluster="" if station is None else station.owner.cluster,
            agent="",
            hub="" if station is None else station.hub.connection.server,
            credential=credential,
            addons=(addon,),
            last_contact=self._contact.at,
            contact_age=self._contact.age,
            trouble=self._trouble,
        )

    async def find_hub_problem(self) -> str | None:
        """Return what is wrong with the way to the hub; None if nothing is."""
        if self._station is None:
            return self._trouble
        return await self._contact.find_problem(self._station.hub)

    def tasks(self) -> Sequence[asyncio.Task[Any]]:
        """Return nothing: what fails here ends the program."""
        return ()

    def _standing(self) -> Standing:
        return Standing.UNKNOWN if self._station is None else Standing.ACCEPTED

    def _facts(self) -> CredentialFacts:
        station = self._station
        if station is None:
            return CredentialFacts(reason="WaitingForCredential", message=self._trouble)
        return mounted_facts(station.hub.connection)


def mounted_facts(connection: Connection) -> CredentialFacts:
    """Return what is known of a credential that somebody else renews, once it has been proven."""
    certificate = connection.client_certificate_pem
    validity = None if certificate is None else validity_of(parse_chain(certificate))
    end = _FAR_AWAY if validity is None else validity.not_after + timedelta(seconds=1)
    return CredentialFacts(
        reason="Holding",
        message="the agent that keeps the credential renews it",
        validity=validity,
        renew_at=end,
    )
