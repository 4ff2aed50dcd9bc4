"""An add-on's heartbeat: its Lease is renewed while every health check is passed."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

from towline_agent.health.rounds import HealthRounds, RegisteredCheck
from towline_agent.running.resting import rest
from towline_agent.station.addon_station import Station
from towline_agent.station.lease import AddonLease, until_next
from towline_api.addons import HealthMode

CHECK_AGAIN = timedelta(seconds=10)
"""How soon an unhealthy add-on is asked again; a healthy one is asked once per renewal."""


class AddonHeartbeat:
    """Asks the health checks of an add-on, and renews its Lease while all of them are passed.

    An add-on that says by itself how it is (health mode `Customized`) has no Lease. Its checks are
    asked all the same, for those who look at its agent.

    Args:
        checks: The health checks.
        station: What the add-on stands on.
        namespace: Where the Lease belongs; None takes the namespace the hub says.
    """

    def __init__(
        self, checks: Sequence[RegisteredCheck], *, station: Station, namespace: str | None
    ) -> None:
        self._station = station
        self._namespace = namespace
        self._changed = station.view.subscribe()
        self._rounds = HealthRounds(checks, code=station.code)
        self._lease = AddonLease(
            station.home,
            owner=station.owner,
            holder=f"{station.owner.addon}-agent",
            is_agent=False,
            find_hub=lambda: station.hub.client,
            record=station.lease,
            clock=station.clock,
        )

    async def run(self) -> NoReturn:
        """Ask and renew until cancelled."""
        # Alive means able to do its work, and that begins with the channel.
        await self._station.hub.wait_ready()
        await self._lease.keep_renewing(self._ready)

    async def _ready(self) -> str:
        """Return where the Lease is to be renewed, once it is to be."""
        clock = self._station.clock
        while True:
            self._changed.clear()
            addon = self._station.view.addon
            namespace = self._namespace or (None if addon is None else addon.install_namespace)
            if namespace is None:
                await self._changed.wait()
                continue
            is_well = await self._rounds.are_well(self._station.spoke_at(namespace))
            is_wanted = addon is None or addon.effective_health_mode is HealthMode.LEASE
            if is_well and is_wanted:
                return namespace
            roll = random.random()  # noqa: S311 - no secret
            if is_well:
                # Whose health mode changes has a Lease from then on.
                await rest(clock, until_next(roll=roll), unless=self._changed)
            else:
                await clock.sleep(CHECK_AGAIN)
