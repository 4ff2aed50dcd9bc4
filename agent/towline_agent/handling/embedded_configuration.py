"""Configuration handed to an add-on's own code: called at start and at each change, and reported.

Each object of the hub that a handler asked for is one job. A pass for it calls the handler and
remembers what it applied; an object that goes takes along what was made from it. What cannot be
used, and what the code raises, leaves the last good configuration in force; it is told on the hub
with the object's name, and never harms another object.
"""

import asyncio
import math
import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from towline_agent.configuration.plan import source_of
from towline_agent.configuration.report import ConfigurationOutcome
from towline_agent.handling.handled_sources import (
    HandledSources,
    Job,
    NamedSubscription,
    Subscription,
    UnknownYet,
)
from towline_agent.handling.kind_discovery import discover
from towline_agent.handling.model import InvalidConfigurationError, read_model
from towline_agent.handling.outputs import HandlerOutputs, Place
from towline_agent.handling.spoke_scope import SpokeScope
from towline_agent.handling.under_way import UnderWay
from towline_agent.handling.upkeep import AppliedUpkeep
from towline_agent.station.addon_station import Station
from towline_agent.station.user_code import explain
from towline_api.addons import ManagedClusterAddon
from towline_api.errors import TowlineError
from towline_api.resources import KubeObject
from towline_api.spec_hash import spec_hash
from towline_kube.backoff import Backoff
from towline_kube.cancellation import heed_cancellation
from towline_kube.client import Client
from towline_kube.controller import DONE, Controller, Result
from towline_kube.task_groups import TaskGroup

_DISCOVERIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=5))
_HANDLER_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=5))
"""A handler's bug must not load either cluster, and a person may take hours to mend it."""
HANDLER_LIMIT = timedelta(seconds=90)
"""How long a handler may take; longer than that it is stuck, and others wait for it."""


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a handler has dealt with last: this state of an object, for this namespace."""

    spec_hash: str
    namespace: str


@dataclass(frozen=True, slots=True)
class _Held:
    """What a handler could not deal with.

    Args:
        what: The state of the object it was given.
        until: When it may be given the same again, on the monotonic clock in seconds.
    """

    what: _Settled
    until: float


class EmbeddedConfiguration:
    """Calls an add-on's handlers for its configuration.

    Args:
        subscriptions: The handlers.
        station: What the add-on stands on.
        hub: Its channel's client.
        under_way: Told of every change to the managed cluster.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription | NamedSubscription],
        *,
        station: Station,
        hub: Client,
        under_way: UnderWay,
    ) -> None:
        self._station = station
        self._hub = hub
        self._under_way = under_way
        self._unknown_kinds = {
            item: "" for item in subscriptions if isinstance(item, NamedSubscription)
        }
        self._bell = station.view.subscribe()
        self._bell.set()
        self._sources = HandledSources(
            tuple(item for item in subscriptions if isinstance(item, Subscription)),
            owner=station.owner,
            hub=hub,
            codec=station.codec,
            on_change=self._bell.set,
            clock=station.clock,
        )
        self._outputs: HandlerOutputs[Job] = HandlerOutputs(station.spoke, owner=station.owner)
        self._upkeep: AppliedUpkeep[Job] = AppliedUpkeep(
            station.spoke,
            owner=station.owner,
            outputs=self._outputs,
            may_touch=lambda job: job not in self._in_flight and self._active_addon() is not None,
            under_way=under_way,
            on_change=self._bell.set,
            clock=station.clock,
        )
        self._uid = ""
        self._known: set[Job] = set()
        self._in_flight: set[Job] = set()
        self._settled: dict[Job, _Settled] = {}
        self._held: dict[Job, _Held] = {}
        self._troubles: dict[Job, str] = {}
        self._tried: set[Job] = set()
        self._unswept: frozenset[str] | None = None
        self._controller: Controller[Job] = Controller(
            f"configure/{station.owner.addon}", self._reconcile, clock=station.clock
        )
        self._finisher: Controller[str] = Controller(
            f"finish-configuration/{station.owner.addon}", self._finish, clock=station.clock
        )

    async def run(self) -> NoReturn:
        """Call handlers until cancelled; what they applied then stays."""
        name = self._station.owner.addon
        async with TaskGroup() as group:
            group.create_task(self._sources.run(), name=f"watch-configuration/{name}")
            group.create_task(self._controller.run(), name=f"configure/{name}")
            group.create_task(self._finisher.run(), name=f"finish-configuration/{name}")
            group.create_task(self._upkeep.run(), name=f"keep-applied/{name}")
            group.create_task(self._follow(), name=f"follow-addon/{name}")
            if self._unknown_kinds:
                group.create_task(self._find_kinds(), name=f"find-kinds/{name}")
        raise AssertionError("unreachable: the tasks are endless")

    async def _find_kinds(self) -> None:
        """Ask the hub about kinds known by name only, until it serves them all."""
        tries = 0
        while self._unknown_kinds:
            for named in list(self._unknown_kinds):
                try:
                    kind = await discover(self._hub, named.name)
                except TowlineError as error:
                    self._unknown_kinds[named] = f"cannot find {named.name} on the hub: {error}"
                    continue
                if kind is None:
                    self._unknown_kinds[named] = (
                        f"the hub does not serve {named.name}; check that its CRD is installed"
                    )
                    continue
                del self._unknown_kinds[named]
                self._sources.add(named.to_subscription(kind))
            self._bell.set()
            tries += 1
            if self._unknown_kinds:
                roll = random.random()  # noqa: S311 - spreads load
                await self._station.clock.sleep(_DISCOVERIES.delay(tries, roll=roll))

    async def _follow(self) -> NoReturn:
        """Turn every change, of the add-on or of its configuration, into passes."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            addon = self._active_addon()
            if addon is None:
                continue
            if addon.uid != self._uid:
                # Of an earlier one of that name everything was removed.
                self._uid = addon.uid
                self._settled.clear()
                self._held.clear()
            await self._sources.follow(addon)
            self._known |= self._sources.jobs(addon)
            for job in self._known:
                self._controller.enqueue(job)
            self._finish_soon()

    async def _reconcile(self, job: Job) -> Result:
        with self._under_way.change():
            return await self._bring_about(job)

    async def _bring_about(self, job: Job) -> Result:
        addon = self._active_addon()
        if addon is None:
            return DONE
        found = self._sources.find(job, addon)
        result = DONE
        if isinstance(found, UnknownYet):
            pass
        elif found is None:
            await self._outputs.drop(job)
            self._known.discard(job)
            self._settled.pop(job, None)
            self._troubles.pop(job, None)
            self._held.pop(job, None)
            self._station.code.succeeded(job.subscription.function, about=_source(job))
        else:
            settled = _Settled(spec_hash(found), addon.install_namespace)
            if self._settled.get(job) != settled:
                result = await self._handle(job, found, addon=addon, settled=settled)
        self._tried.add(job)
        self._finish_soon()
        return result

    def _finish_soon(self) -> None:
        self._finisher.enqueue(self._station.owner.addon)

    def _active_addon(self) -> ManagedClusterAddon | None:
        """Return the add-on, unless it is going: then what is in force stays."""
        addon = self._station.view.addon
        return None if addon is None or addon.is_being_deleted else addon

    async def _handle(
        self, job: Job, found: KubeObject, *, addon: ManagedClusterAddon, settled: _Settled
    ) -> Result:
        source, function = _source(job), job.subscription.function
        held, now = self._held.get(job), self._station.clock.monotonic()
        if held is not None and held.what == settled and now < held.until:
            return _look_again_after(held.until - now)
        scope = SpokeScope(
            self._station.spoke,
            owner=self._station.owner,
            namespace=addon.install_namespace,
            source=source,
            configuration=deepcopy(found),
            kinds=job.subscription.kinds,
            places=job.subscription.places,
        )
        self._settled.pop(job, None)
        self._in_flight.add(job)
        try:
            given = _given(job.subscription, found, source=source)
            async with asyncio.timeout(HANDLER_LIMIT.total_seconds()):
                await job.subscription.handler(given, scope)
        except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - told
            # A cancellation that is not ours comes from something the code waited for.
            heed_cancellation()
            error: BaseException = failure
            # What was applied before stays: the last good configuration is in force.
            self._outputs.add(job, scope.applied)
            if isinstance(error, TimeoutError) and not str(error):
                error = TimeoutError(f"took longer than {HANDLER_LIMIT.total_seconds():g} s")
            attempt = self._station.code.failed(function, error, about=source)
            said = explain(error)
            self._troubles[job] = said if source in said else f"{source}: {said}"
            wait = math.inf
            if not isinstance(error, InvalidConfigurationError):
                roll = random.random()  # noqa: S311 - spreads load
                wait = _HANDLER_RETRIES.delay(attempt, roll=roll).total_seconds()
            self._held[job] = _Held(settled, now + wait)
            return _look_again_after(wait)
        finally:
            self._in_flight.discard(job)
        await self._outputs.replace(job, scope.applied)
        self._station.code.succeeded(function, about=source)
        self._troubles.pop(job, None)
        self._held.pop(job, None)
        self._settled[job] = settled
        # Others may have changed something while the handler ran.
        self._upkeep.look_at(scope.applied.keys())
        return DONE

    async def _finish(self, _: str) -> Result:
        """Tell how things stand; remove what is left from before and not wanted any more."""
        addon = self._active_addon()
        if addon is None:
            return DONE
        self._report(addon)
        await self._upkeep.follow()
        if not self._are_sources_complete(addon) or not self._known <= self._tried:
            return DONE
        unsettled = frozenset(_source(job) for job in self._known - self._settled.keys())
        # Of what is not settled nobody can tell yet what belongs to it.
        if self._unswept is None or (self._unswept and unsettled < self._unswept):
            await self._outputs.sweep(self._places(addon), keeps=unsettled.__contains__)
            self._unswept = unsettled
        return DONE

    def _are_sources_complete(self, addon: ManagedClusterAddon) -> bool:
        return not self._unknown_kinds and self._sources.are_complete(addon)

    def _places(self, addon: ManagedClusterAddon) -> set[Place]:
        return places_of(self._sources.subscriptions, namespace=addon.install_namespace)

    def _report(self, addon: ManagedClusterAddon) -> None:
        applied, awaited = set(), []
        for reference in addon.config_references:
            desired = _Settled(reference.desired.spec_hash, addon.install_namespace)
            handled = [
                self._settled.get(Job(subscription, reference.desired.key)) == desired
                for subscription in self._sources.subscriptions
                if subscription.kind == reference.kind
            ]
            if handled and all(handled):
                applied.add(reference)
            elif not reference.is_applied:
                awaited.append(f"{reference.kind} {reference.desired.key} is not applied yet")
        self._station.report(
            ConfigurationOutcome(
                applied=frozenset(applied),
                troubles=(*self._troubles.values(), *self._upkeep.troubles),
                awaited=(*filter(None, self._unknown_kinds.values()), *awaited),
                namespace=addon.install_namespace,
            )
        )


def places_of(
    subscriptions: Sequence[Subscription | NamedSubscription], *, namespace: str
) -> set[Place]:
    """Return everywhere that handlers may have applied something.

    Args:
        subscriptions: The handlers.
        namespace: The add-on's install namespace.
    """
    return {
        (kind, where if kind.namespaced else None)
        for subscription in subscriptions
        for kind in subscription.kinds
        for where in (namespace, *subscription.places)
    }


def _given(subscription: Subscription, found: KubeObject, *, source: str) -> Any:
    """Return what a handler takes."""
    if subscription.model is None:
        return deepcopy(found)
    return read_model(found, subscription.model, resource=subscription.resource, source=source)


def _look_again_after(seconds: float) -> Result:
    return DONE if math.isinf(seconds) else Result(look_again_in=timedelta(seconds=seconds))


def _source(job: Job) -> str:
    return source_of(job.subscription.resource, job.key)
