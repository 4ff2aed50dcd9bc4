"""What the cluster's agent does for an add-on that has no process of its own.

It applies the add-on's configuration and, since there is nobody else to show that the add-on is
alive, renews its Lease for as long as it does so.
"""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import NoReturn

from towline_agent.applying.install_namespaces import InstallNamespaces
from towline_agent.configuration.addon_configuration import AddonConfiguration
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.station.addon_station import Station
from towline_agent.station.lease import AGENT_HOLDER, AddonLease
from towline_api.addons import HealthMode
from towline_kube.task_groups import TaskGroup

_LOOK_AGAIN = timedelta(minutes=1)


class ConfigurationProcess:
    """An add-on that consists of its configuration.

    Args:
        namespaces: What is of ours on the managed cluster; whoever runs it rings the station's
            view when something changes there.
    """

    def __init__(self, namespaces: InstallNamespaces) -> None:
        self._namespaces = namespaces

    @property
    def cleans_up(self) -> bool:
        """Whether it has to run for an add-on that is gone: its agent removes all there is."""
        return False

    @property
    def applies_in(self) -> Collection[str]:
        """Namespaces it applies something to beside the install namespace: none."""
        return ()

    async def work(self, station: Station) -> NoReturn:
        """Keep the configuration in force and the Lease renewed, until cancelled."""
        is_serving = asyncio.Event()

        def take(outcome: ConfigurationOutcome) -> None:
            if outcome.is_serving:
                is_serving.set()
            else:
                is_serving.clear()
            station.report(outcome)

        configuration = AddonConfiguration(
            owner=station.owner,
            hub=await station.hub.wait_ready(),
            codec=station.codec,
            spoke=station.home,
            namespaces=self._namespaces,
            find_addon=lambda: station.view.addon,
            on_outcome=take,
            clock=station.clock,
        )
        name = station.owner.addon
        async with TaskGroup() as group:
            group.create_task(configuration.run(), name=f"configure-addon/{name}")
            group.create_task(_relay(station, configuration), name=f"follow-addon/{name}")
            group.create_task(_renew(station, is_serving), name=f"renew-addon-lease/{name}")
        raise AssertionError("unreachable: the tasks are endless")


async def _relay(station: Station, configuration: AddonConfiguration) -> NoReturn:
    bell = station.view.subscribe()
    while True:
        await bell.wait()
        bell.clear()
        configuration.look_again()


async def _renew(station: Station, is_serving: asyncio.Event) -> NoReturn:
    lease = AddonLease(
        station.home,
        owner=station.owner,
        holder=AGENT_HOLDER,
        is_agent=True,
        find_hub=lambda: station.hub.client,
        record=station.lease,
        clock=station.clock,
    )

    async def ready() -> str:
        while True:
            await is_serving.wait()
            addon = station.view.addon
            # Add-ons that look after their own health have no Lease, and need none.
            if addon is not None and addon.effective_health_mode is HealthMode.LEASE:
                return addon.install_namespace
            await station.clock.sleep(_LOOK_AGAIN)

    await lease.keep_renewing(ready)
