"""An add-on's own code at work: its configuration handlers, its health checks, its tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NoReturn

from towline_agent.addon_lease import AddonLease
from towline_agent.addon_removal import (
    REMOVAL_LIMIT,
    RemovalFunction,
    RemovalPlan,
    RemovalWork,
)
from towline_agent.addon_station import Station
from towline_agent.channel import HubChannel
from towline_agent.code_tasks import is_healthy, run_task
from towline_agent.embedded_configuration import EmbeddedConfiguration, places_of
from towline_agent.handled_sources import NamedSubscription, Subscription
from towline_agent.spoke_access import Spoke
from towline_agent.task_set import TaskSet
from towline_agent.user_code import Role, UserFunction, function_name
from towline_api.addons import HealthMode
from towline_api.names import ADDON_NAMESPACE
from towline_kube.task_groups import TaskGroup

HealthCheck = Callable[[], Awaitable[bool]]
"""Says whether the add-on is healthy; what it raises means that it is not."""
HubTask = Callable[[HubChannel], Awaitable[object]]
"""Work that lasts as long as the agent, or ends when it has nothing more to do."""
SpokeTask = Callable[[HubChannel, Spoke], Awaitable[object]]
"""The same, for work that needs the managed cluster, too."""

CHECK_AGAIN = timedelta(seconds=10)
"""How soon an unhealthy add-on is asked again; a healthy one is asked once per renewal."""
CHECK_LIMIT = timedelta(seconds=10)
"""How long a health check may take before it counts as failed."""


@dataclass(frozen=True, slots=True)
class AddonTask:
    """A task as it was registered.

    Args:
        work: What to call.
        function: What messages call it.
    """

    work: Callable[[HubChannel, Spoke], Awaitable[object]]
    function: UserFunction


@dataclass(frozen=True, slots=True)
class EmbeddedProcess:
    """What an add-on's program registered.

    Args:
        subscriptions: Its configuration handlers.
        checks: Its health checks.
        tasks: Its tasks.
        on_removed: What it calls when the add-on is removed.
        removal_limit: How long that may take.
        namespace: Where its Lease belongs; None takes the namespace the hub says.
    """

    subscriptions: tuple[Subscription | NamedSubscription, ...] = ()
    checks: tuple[HealthCheck, ...] = ()
    tasks: tuple[AddonTask, ...] = ()
    namespace: str | None = None
    on_removed: tuple[RemovalFunction, ...] = ()
    removal_limit: timedelta = REMOVAL_LIMIT

    @property
    def cleans_up(self) -> bool:
        """Whether it has to run once more for an add-on that is gone."""
        return bool(self.on_removed or self.subscriptions)

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
            running.start(
                f"task-{number}",
                partial(self._run, task, station),
                name=f"run-{task.function.name}/{name}",
            )
        for check in self.checks:
            station.code.expect(UserFunction(Role.HEALTH, function_name(check)))
        plan = RemovalPlan(
            self.on_removed,
            lambda namespace: places_of(self.subscriptions, namespace=namespace),
            self.namespace,
            self.removal_limit,
        )
        running.start(
            "removal",
            lambda: RemovalWork(plan, station=station).run(),
            name=f"await-removal/{name}",
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
            if not await is_healthy(check, code=station.code, limit=CHECK_LIMIT):
                return False
        return True

    async def _run(self, task: AddonTask, station: Station) -> NoReturn:
        """Run a task to its end, and then rest: only what fails is started again."""
        await station.hub.wait_ready()
        spoke = Spoke(station.spoke, station.owner.cluster, await self._install_namespace(station))
        await run_task(
            lambda: task.work(station.hub, spoke),
            function=task.function,
            code=station.code,
            clock=station.clock,
        )
        await asyncio.Event().wait()
        raise AssertionError("unreachable: the wait ends by cancellation only")

    async def _install_namespace(self, station: Station) -> str:
        """Return where the add-on is installed, once that is known."""
        bell = station.view.subscribe()
        try:
            while self.namespace is None and station.view.addon is None:
                await bell.wait()
                bell.clear()
        finally:
            station.view.unsubscribe(bell)
        addon = station.view.addon
        return self.namespace or (ADDON_NAMESPACE if addon is None else addon.install_namespace)
