"""The state of a fleet, kept up to date by watches instead of by asking again and again."""

import asyncio
from datetime import timedelta
from typing import NoReturn

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.errors import TowlineError
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, EVENTS, LEASES, MANAGED_CLUSTERS
from towline_hub.fleet.state import FleetStatus, fleet_status
from towline_hub.fleet.status import EVENTS_NAMESPACE, REQUEST_EVENTS
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.store import Change
from towline_kube.task_groups import TaskGroup


class WatchedFleet:
    """What `collect_status` collects, at any moment and without another call.

    Args:
        client: Whom to ask.
        codec: How the API version in use writes add-ons.
        clock: Where time comes from.
    """

    def __init__(self, client: Client, *, codec: AddonCodec, clock: Clock = SYSTEM_CLOCK) -> None:
        self._codec = codec
        self._clock = clock
        self._changed = asyncio.Event()
        self._clusters = Cache(client, MANAGED_CLUSTERS, clock=clock)
        self._addons = Cache(client, codec.managed_cluster_addons, clock=clock)
        self._leases = Cache(
            client,
            LEASES,
            label_selector=names.CLUSTER_NAME_LABEL,
            field_selector=f"metadata.name={names.CLUSTER_LEASE}",
            clock=clock,
        )
        self._requests = Cache(
            client,
            CERTIFICATE_SIGNING_REQUESTS,
            label_selector=names.CLUSTER_NAME_LABEL,
            clock=clock,
        )
        self._events = Cache(
            client, EVENTS, namespace=EVENTS_NAMESPACE, field_selector=REQUEST_EVENTS, clock=clock
        )
        # Renewed leases are no news: in a large fleet there are hundreds of them a second.
        for cache in (self._clusters, self._addons, self._requests, self._events):
            cache.on_change(self._note)

    @property
    def _needed(self) -> tuple[Cache, ...]:
        return (self._clusters, self._addons, self._leases, self._requests)

    @property
    def problem(self) -> TowlineError | None:
        """Why what is shown may be out of date; None if it is not.

        Events are left out: without the right to see them, why a request waits stays unsaid.
        """
        return next((each.last_error for each in self._needed if each.last_error), None)

    async def run(self) -> NoReturn:
        """Keep up to date until cancelled."""
        async with TaskGroup() as group:
            for cache in (*self._needed, self._events):
                group.create_task(cache.run(), name=f"watch-{cache.resource.plural}")
        raise AssertionError("unreachable: caches run without end")

    async def wait_synced(self) -> None:
        """Return once everything was listed; that may take for ever, see `problem`."""
        for cache in self._needed:
            await cache.wait_synced()

    async def wait_changed(self, *, limit: timedelta) -> None:
        """Return when something has changed since the last `status`, or the limit is over."""
        change = asyncio.create_task(self._changed.wait(), name="fleet-change")
        over = asyncio.create_task(self._clock.sleep(limit), name="fleet-limit")
        try:
            await asyncio.wait((change, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (change, over):
                task.cancel()
            await asyncio.gather(change, over, return_exceptions=True)

    def status(self) -> FleetStatus:
        """Return the state of the fleet as it is known now."""
        self._changed.clear()
        return fleet_status(
            clusters=self._clusters.list(),
            addons=self._addons.list(),
            leases=self._leases.list(),
            requests=self._requests.list(),
            events=self._events.list(),
            codec=self._codec,
            now=self._clock.now(),
        )

    def _note(self, change: Change) -> None:
        del change
        self._changed.set()
