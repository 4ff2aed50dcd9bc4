"""An add-on's own code at work: its configuration handlers, its health checks, its tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NoReturn

from towline_agent.addon_lease import AddonLease
from towline_agent.addon_station import Station
from towline_agent.channel import HubChannel
from towline_agent.embedded_configuration import EmbeddedConfiguration
from towline_agent.handled_sources import Subscription
from towline_agent.task_set import TaskSet
from towline_api.addons import HealthMode
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

HealthCheck = Callable[[], Awaitable[bool]]
"""Says whether the add-on is healthy; what it raises means that it is not."""
AddonTask = Callable[[HubChannel], Awaitable[object]]
"""Work that lasts as long as the agent, or ends when it has nothing more to do."""

CHECK_AGAIN = timedelta(seconds=10)
"""How soon an unhealthy add-on is asked again; a healthy one is asked once per renewal."""
CHECK_LIMIT = timedelta(seconds=10)
"""How long a health check may take before it counts as failed."""


@dataclass(frozen=True, slots=True)
class EmbeddedProcess:
    """What an add-on's program registered.

    Args:
        subscriptions: Its configuration handlers.
        checks: Its health checks.
        tasks: Its tasks.
        namespace: Where its Lease belongs; None takes the namespace the hub says.
    """

    subscriptions: tuple[Subscription, ...] = ()
    checks: tuple[HealthCheck, ...] = ()
    tasks: tuple[AddonTask, ...] = ()
    namespace: str | None = None

    async def work(self, station: Station) -> NoReturn:
        """Work until cancelled. What the add-on's code raises harms nothing but itself."""
        name = station.owner.addon
        running: TaskSet[str] = TaskSet(clock=station.clock)
        if self.subscriptions:
            running.start(
                "configuration",
                lambda: self._configure(station),
                name=f"configure-addon/{name}",
            )
        for number, task in enumerate(self.tasks):
            title = getattr(task, "__name__", str(number))
            running.start(
                f"task-{number}", partial(_run, task, station), name=f"run-{title}/{name}"
            )
        async with TaskGroup() as group:
            group.create_task(running.run(), name=f"work-for-addon/{name}")
            group.create_task(self._renew(station), name=f"renew-addon-lease/{name}")
        raise AssertionError("unreachable: the tasks are endless")

    async def _configure(self, station: Station) -> NoReturn:
        hub = await station.hub.wait_ready()
        await EmbeddedConfiguration(self.subscriptions, station=station, hub=hub).run()

    async def _renew(self, station: Station) -> NoReturn:
        lease = AddonLease(
            station.spoke,
            owner=station.owner,
            holder=f"{station.owner.addon}-agent",
            is_agent=False,
            clock=station.clock,
        )
        # Alive means able to do its work, and that begins with the channel.
        await station.hub.wait_ready()

        async def ready() -> str:
            while True:
                namespace = self._lease_namespace(station)
                if namespace is not None and await self._is_healthy(station):
                    return namespace
                await station.clock.sleep(CHECK_AGAIN)

        await lease.keep_renewing(ready)

    def _lease_namespace(self, station: Station) -> str | None:
        """Return where the Lease belongs; None while nobody looks for one."""
        addon = station.view.addon
        if addon is not None and addon.effective_health_mode is not HealthMode.LEASE:
            return None
        return self.namespace or (None if addon is None else addon.install_namespace)

    async def _is_healthy(self, station: Station) -> bool:
        for check in self.checks:
            reason = "it says that it is not"
            try:
                async with asyncio.timeout(CHECK_LIMIT.total_seconds()):
                    if await check():
                        continue
            except Exception as error:  # noqa: BLE001 - logged below: whatever it is means unhealthy
                reason = f"{type(error).__name__}: {error}"
            log.warning(
                "add-on is not healthy; its lease is not renewed",
                extra={
                    "addon": station.owner.addon,
                    "object": getattr(check, "__name__", "health check"),
                    "reason": reason,
                },
            )
            return False
        return True


async def _run(task: AddonTask, station: Station) -> NoReturn:
    """Run a task to its end, and then rest: only what fails is started again."""
    await station.hub.wait_ready()
    await task(station.hub)
    await asyncio.Event().wait()
    raise AssertionError("unreachable: the wait ends by cancellation only")
