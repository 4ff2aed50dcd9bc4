"""Where the Leases of a cluster's add-ons are looked for, and what they say."""

from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from towline_agent.addons.home import AddonHome, Side
from towline_agent.running.cache_group import CacheGroup
from towline_agent.station.availability import Availability, LeaseLooks
from towline_api.addons import HealthMode, ManagedClusterAddon
from towline_api.condition_types import REASON_ADDON_LEASE_NOT_FOUND, addon_unknown_message
from towline_api.metadata import ObjectKey
from towline_api.resources import LEASES
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock

_ASK_AGAIN = timedelta(seconds=10)
"""How soon to see whether Leases can be told by now; that asks no server."""


class AddonLeases:
    """Looks at the Lease of each add-on, wherever it is.

    It is on the cluster that the add-on's agent runs on. Where that serves no Leases at all, those
    on the hub count, which are watched only for as long as there is such an add-on.

    Args:
        hub: The hub, under the cluster's own identity.
        cluster: Name of the managed cluster.
        on_change: Called when a Lease on the hub may have changed.
        clock: Time.
    """

    def __init__(
        self,
        hub: Client,
        *,
        cluster: str,
        on_change: Callable[[], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._looks: dict[str, LeaseLooks] = {}
        self._on_hub: set[str] = set()
        self._hub_leases: CacheGroup[str] = CacheGroup(
            lambda namespace: Cache(hub, LEASES, namespace=namespace, clock=clock),
            on_change=lambda _: on_change(),
            clock=clock,
        )

    async def run(self) -> NoReturn:
        """Watch the hub's Leases, while they count, until cancelled."""
        await self._hub_leases.run()

    async def forget(self, name: str) -> None:
        """Look at an add-on as if for the first time, if there is ever another of that name."""
        self._looks.pop(name, None)
        await self._count_on_hub(name, counts=False)

    async def look(
        self, addon: ManagedClusterAddon, home: AddonHome
    ) -> tuple[Availability | None, timedelta | None]:
        """Return what to say about an add-on, and for how long that holds if nothing changes.

        There is nothing to say (None) while it cannot be told, and about an add-on that says by
        itself how it is. The second is None for what holds until something changes.

        Args:
            addon: The add-on as the hub describes it.
            home: The cluster its agent runs on.
        """
        if addon.effective_health_mode is not HealthMode.LEASE:
            return None, None
        where, key = str(home.side), ObjectKey(addon.name, addon.install_namespace)
        leases = home.namespaces.find_synced(LEASES, addon.install_namespace)
        lacks_leases = home.namespaces.are_unserved(LEASES, addon.install_namespace)
        await self._count_on_hub(addon.name, counts=leases is None and lacks_leases)
        if leases is None and lacks_leases:
            where = f"the hub ({home.side} serves no Leases)"
            key = ObjectKey(addon.name, self._cluster)
            leases = self._hub_leases.find_synced(self._cluster)
        if leases is None:
            return None, _ASK_AGAIN
        if home.side is Side.HOSTING:
            where = f"{where} ({addon.hosting_cluster})"
        looks = self._looks.setdefault(addon.name, LeaseLooks())
        lease = leases.find(key.name, key.namespace)
        now, monotonic = self._clock.now(), self._clock.monotonic()
        return looks.look(lease, at=key, where=where, now=now, monotonic=monotonic)

    async def _count_on_hub(self, name: str, *, counts: bool) -> None:
        if counts == (name in self._on_hub):
            return
        (self._on_hub.add if counts else self._on_hub.discard)(name)
        await self._hub_leases.want({self._cluster} if self._on_hub else ())


def out_of_sight(addon: ManagedClusterAddon) -> Availability | None:
    """Return what to say about an add-on whose agent runs on a cluster that we know nothing of."""
    if addon.effective_health_mode is not HealthMode.LEASE:
        return None
    message = (
        f"{addon_unknown_message(addon.name)} Its agent runs on the hosting cluster "
        f"{addon.hosting_cluster}, and this managed cluster's agent does not run in hosted mode: "
        "it sees no Lease there, and puts no credential there."
    )
    return Availability("Unknown", REASON_ADDON_LEASE_NOT_FOUND, message)
