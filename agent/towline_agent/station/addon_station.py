"""What an add-on's own code stands on, wherever its credential comes from."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from towline_agent.applying.ownership import Owner
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.station.lease import LeaseRecord
from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import UserCode
from towline_api.addon_codec import AddonCodec
from towline_api.addons import ManagedClusterAddon
from towline_kube.client import Client
from towline_kube.clock import Clock


class AddonView:
    """An add-on as the hub describes it now, for all parts that act on it.

    Args:
        find: Returns the add-on; None while it is unknown.
        is_known: Returns whether an add-on that is not found is not there, rather than unknown.
    """

    def __init__(
        self,
        find: Callable[[], ManagedClusterAddon | None],
        *,
        is_known: Callable[[], bool] = lambda: True,
    ) -> None:
        self._find = find
        self._is_known = is_known
        self._bells: list[asyncio.Event] = []

    @property
    def addon(self) -> ManagedClusterAddon | None:
        """The add-on; None while the hub shows none."""
        return self._find()

    @property
    def is_gone(self) -> bool:
        """Whether the hub has no such add-on."""
        return self._is_known() and self._find() is None

    def subscribe(self) -> asyncio.Event:
        """Return an event that is set at each change; whoever asked clears it."""
        bell = asyncio.Event()
        self._bells.append(bell)
        return bell

    def unsubscribe(self, bell: asyncio.Event) -> None:
        """Tell whoever asked for this event nothing more."""
        self._bells.remove(bell)

    def ring(self) -> None:
        """Tell all subscribers of a change."""
        for bell in self._bells:
            bell.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """The two ends an add-on works between, and what connects it to its own registration.

    Args:
        owner: The add-on.
        hub: The hub, under the add-on's own credential, through every rotation.
        codec: Of the API version the hub serves.
        spoke: The managed cluster.
        view: The add-on as the hub describes it.
        report: Takes how its configuration stands, for the hub to know.
        code: Takes how its developer's functions fare, for the hub to know.
        clock: Time.
        cleaned_up: Called when nothing is left to do for an add-on that is gone.
        hosting: The cluster its agent runs on, where that is not the managed one; else None.
        lease: Takes how the renewals of its Lease go.
    """

    owner: Owner
    hub: HubChannel
    codec: AddonCodec
    spoke: Client
    view: AddonView
    report: Callable[[ConfigurationOutcome], None]
    code: UserCode
    clock: Clock
    cleaned_up: Callable[[], None] = lambda: None
    hosting: Client | None = None
    lease: LeaseRecord = field(default_factory=LeaseRecord)

    @property
    def home(self) -> Client:
        """The cluster that the add-on's agent runs on, where its Secrets and its Lease are."""
        return self.spoke if self.hosting is None else self.hosting

    def spoke_at(self, namespace: str) -> Spoke:
        """Return the managed cluster as the add-on's functions get it.

        Args:
            namespace: The add-on's install namespace.
        """
        return Spoke(self.spoke, self.owner.cluster, namespace, self.hosting)


class AddonProcess(Protocol):
    """An add-on's own code."""

    @property
    def cleans_up(self) -> bool:
        """Whether it has to run once more for an add-on that is gone."""
        ...

    @property
    def applies_in(self) -> Collection[str]:
        """Namespaces it applies something to beside the add-on's install namespace."""
        ...

    async def work(self, station: Station) -> NoReturn:
        """Work until cancelled."""
        ...
