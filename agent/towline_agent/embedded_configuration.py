"""Configuration handed to an add-on's own code: called at start and at each change, and reported.

Each object of the hub that a handler asked for is one job. A pass for it calls the handler and
remembers what it applied; an object that goes takes along what was made from it. What the code
raises is logged with the object's name and tried again; it never harms another object.
"""

import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import NoReturn

from towline_agent.addon_station import Station
from towline_agent.configuration_plan import source_of
from towline_agent.configuration_report import ConfigurationOutcome
from towline_agent.handled_sources import HandledSources, Job, Subscription, UnknownYet
from towline_agent.handler_outputs import HandlerOutputs
from towline_agent.spoke_scope import SpokeScope
from towline_api.addons import ManagedClusterAddon
from towline_api.errors import TowlineError
from towline_api.resources import KubeObject
from towline_api.spec_hash import spec_hash
from towline_kube.cancellation import heed_cancellation
from towline_kube.client import Client
from towline_kube.controller import DONE, Controller, Result
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a handler has dealt with last: this state of an object, for this namespace."""

    spec_hash: str
    namespace: str


class HandlerError(TowlineError):
    """An add-on's own code failed; the cause is attached."""


class EmbeddedConfiguration:
    """Calls an add-on's handlers for its configuration.

    Args:
        subscriptions: The handlers.
        station: What the add-on stands on.
        hub: Its channel's client.
    """

    def __init__(
        self, subscriptions: tuple[Subscription, ...], *, station: Station, hub: Client
    ) -> None:
        self._subscriptions = subscriptions
        self._station = station
        self._bell = station.view.subscribe()
        self._bell.set()
        self._sources = HandledSources(
            subscriptions,
            owner=station.owner,
            hub=hub,
            codec=station.codec,
            on_change=self._bell.set,
            clock=station.clock,
        )
        self._outputs: HandlerOutputs[Job] = HandlerOutputs(station.spoke, owner=station.owner)
        self._known: set[Job] = set()
        self._settled: dict[Job, _Settled] = {}
        self._troubles: dict[Job, str] = {}
        self._is_swept = False
        self._controller: Controller[Job] = Controller(
            f"configure/{station.owner.addon}", self._reconcile, clock=station.clock
        )

    async def run(self) -> NoReturn:
        """Call handlers until cancelled; what they applied then stays."""
        name = self._station.owner.addon
        async with TaskGroup() as group:
            group.create_task(self._sources.run(), name=f"watch-configuration/{name}")
            group.create_task(self._controller.run(), name=f"configure/{name}")
            group.create_task(self._follow(), name=f"follow-addon/{name}")
        raise AssertionError("unreachable: the tasks are endless")

    async def _follow(self) -> NoReturn:
        """Turn every change, of the add-on or of its configuration, into passes."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            addon = self._active_addon()
            if addon is None:
                continue
            await self._sources.follow(addon)
            self._known |= self._sources.jobs(addon)
            for job in self._known:
                self._controller.enqueue(job)
            if not self._known and self._sources.are_complete(addon):
                await self._finish(addon)

    async def _reconcile(self, job: Job) -> Result:
        addon = self._active_addon()
        if addon is None:
            return DONE
        found = self._sources.find(job, addon)
        if isinstance(found, UnknownYet):
            return DONE
        if found is None:
            await self._outputs.drop(job)
            self._known.discard(job)
            self._settled.pop(job, None)
            self._troubles.pop(job, None)
        else:
            settled = _Settled(spec_hash(found), addon.install_namespace)
            if self._settled.get(job) != settled:
                await self._handle(job, found, addon=addon)
                self._settled[job] = settled
        await self._finish(addon)
        return DONE

    def _active_addon(self) -> ManagedClusterAddon | None:
        """Return the add-on, unless it is going: then what is in force stays."""
        addon = self._station.view.addon
        return None if addon is None or addon.is_being_deleted else addon

    async def _handle(self, job: Job, found: KubeObject, *, addon: ManagedClusterAddon) -> None:
        source = source_of(job.subscription.resource, job.key)
        scope = SpokeScope(
            self._station.spoke,
            owner=self._station.owner,
            namespace=addon.install_namespace,
            source=source,
            kinds=job.subscription.kinds,
        )
        try:
            await job.subscription.handler(deepcopy(found), scope)
        except Exception as error:
            heed_cancellation()
            # What was applied before stays: the last good configuration is in force.
            self._outputs.add(job, scope.applied)
            self._settled.pop(job, None)
            self._troubles[job] = f"{source}: {type(error).__name__}: {error}"
            self._report(addon)
            if isinstance(error, TowlineError):
                raise
            log.exception(
                "configuration handler failed",
                extra={"addon": self._station.owner.addon, "object": source},
            )
            raise HandlerError(f"handler failed for {source}: {error}") from error
        await self._outputs.replace(job, scope.applied)
        self._troubles.pop(job, None)

    async def _finish(self, addon: ManagedClusterAddon) -> None:
        """Tell how things stand; once everything is in force, remove what is left from before."""
        self._report(addon)
        is_whole = self._sources.are_complete(addon) and self._known <= self._settled.keys()
        if is_whole and not self._is_swept:
            kinds = {kind for subscription in self._subscriptions for kind in subscription.kinds}
            await self._outputs.sweep(kinds, namespace=addon.install_namespace)
            self._is_swept = True

    def _report(self, addon: ManagedClusterAddon) -> None:
        applied, awaited = set(), []
        for reference in addon.config_references:
            desired = _Settled(reference.desired.spec_hash, addon.install_namespace)
            handled = [
                self._settled.get(Job(subscription, reference.desired.key)) == desired
                for subscription in self._subscriptions
                if subscription.kind == reference.kind
            ]
            if handled and all(handled):
                applied.add(reference)
            elif not reference.is_applied:
                awaited.append(f"{reference.kind} {reference.desired.key} is not applied yet")
        self._station.report(
            ConfigurationOutcome(
                applied=frozenset(applied),
                troubles=tuple(self._troubles.values()),
                awaited=tuple(awaited),
                namespace=addon.install_namespace,
            )
        )
