"""An add-on's own code at work: its configuration handlers, its health checks, its tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NoReturn

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.embedding.code_tasks import run_task
from towline_agent.embedding.removal import (
    REMOVAL_LIMIT,
    RemovalFunction,
    RemovalPlan,
    RemovalWork,
)
from towline_agent.handling.embedded_configuration import EmbeddedConfiguration, places_of
from towline_agent.handling.handled_sources import NamedSubscription, Subscription
from towline_agent.handling.under_way import UnderWay
from towline_agent.health.heartbeat import AddonHeartbeat
from towline_agent.health.rounds import RegisteredCheck
from towline_agent.running.task_set import TaskSet
from towline_agent.station.addon_station import Station
from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import UserFunction
from towline_api.names import ADDON_NAMESPACE
from towline_kube.task_groups import TaskGroup

HubTask = Callable[[HubChannel], Awaitable[object]]
"""Work that lasts as long as the agent, or ends when it has nothing more to do."""
SpokeTask = Callable[[HubChannel, Spoke], Awaitable[object]]
"""The same, for work that needs the managed cluster, too."""


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
    checks: tuple[RegisteredCheck, ...] = ()
    tasks: tuple[AddonTask, ...] = ()
    namespace: str | None = None
    on_removed: tuple[RemovalFunction, ...] = ()
    removal_limit: timedelta = REMOVAL_LIMIT

    @property
    def cleans_up(self) -> bool:
        """Whether it has to run once more for an add-on that is gone."""
        return bool(self.on_removed or self.subscriptions)

    @property
    def applies_in(self) -> frozenset[str]:
        """Namespaces its handlers apply to beside the add-on's install namespace."""
        return frozenset(place for each in self.subscriptions for place in each.places)

    async def work(self, station: Station) -> NoReturn:
        """Work until cancelled. What the add-on's code raises harms nothing but itself."""
        name = station.owner.addon
        running: TaskSet[str] = TaskSet(clock=station.clock)
        under_way = UnderWay()
        if self.subscriptions:
            running.start(
                "configuration",
                lambda: self._configure(station, under_way),
                name=f"configure-addon/{name}",
            )
        for number, task in enumerate(self.tasks):
            running.start(
                f"task-{number}",
                partial(self._run, task, station),
                name=f"run-{task.function.name}/{name}",
            )
        plan = RemovalPlan(
            self.on_removed,
            lambda namespace: places_of(self.subscriptions, namespace=namespace),
            self.namespace,
            self.removal_limit,
        )
        running.start(
            "removal",
            lambda: RemovalWork(plan, station=station, under_way=under_way).run(),
            name=f"await-removal/{name}",
        )
        async with TaskGroup() as group:
            group.create_task(running.run(), name=f"work-for-addon/{name}")
            heartbeat = AddonHeartbeat(self.checks, station=station, namespace=self.namespace)
            group.create_task(heartbeat.run(), name=f"renew-addon-lease/{name}")
        raise AssertionError("unreachable: the tasks are endless")

    async def _configure(self, station: Station, under_way: UnderWay) -> NoReturn:
        hub = await station.hub.wait_ready()
        await EmbeddedConfiguration(
            self.subscriptions, station=station, hub=hub, under_way=under_way
        ).run()

    async def _run(self, task: AddonTask, station: Station) -> NoReturn:
        """Run a task to its end, and then rest: only what fails is started again."""
        await station.hub.wait_ready()
        spoke = station.spoke_at(await self._install_namespace(station))
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
