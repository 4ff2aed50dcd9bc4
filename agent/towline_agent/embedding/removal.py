"""What an add-on's code does when the add-on is removed from its cluster.

The functions are called once the ManagedClusterAddOn is being deleted, while the hub still knows
the add-on's credential, or once the object is gone. They are tried again until they succeed or
their time is over; when the object is gone, what the add-on's handlers applied is removed. How far
that came is remembered by nobody: a process that is started meanwhile begins again.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.handling.outputs import HandlerOutputs, Place
from towline_agent.handling.under_way import UnderWay
from towline_agent.station.addon_station import Station
from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import Role, UserFunction, function_name
from towline_api.addons import ManagedClusterAddon
from towline_api.errors import TowlineError
from towline_api.names import ADDON_NAMESPACE
from towline_kube.backoff import Backoff
from towline_kube.cancellation import heed_cancellation

log = logging.getLogger(__name__)

REMOVAL_LIMIT = timedelta(minutes=5)
"""For all tries of all functions together. Somebody waits for the add-on to be gone."""
_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(seconds=30))
_PRUNING_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What a function that is called on removal gets to work with.

    Args:
        hub: The channel. It works for as long as the ManagedClusterAddOn is there.
        spoke: The managed cluster.
        is_gone: Whether the ManagedClusterAddOn is gone already, and the add-on's rights with it.
    """

    hub: HubChannel
    spoke: Spoke
    is_gone: bool


RemovalFunction = Callable[[Removal], Awaitable[object]]
"""Undoes what the add-on's code has done outside of what its handlers applied."""


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """What is to be done on removal.

    Args:
        functions: To be called, in this order.
        places: Returns everywhere that handlers may have applied something, by install namespace.
        namespace: The install namespace where the hub does not say it any more; None for the
            usual one.
        limit: How long all tries of the functions may take together.
    """

    functions: Sequence[RemovalFunction]
    places: Callable[[str], Collection[Place]]
    namespace: str | None = None
    limit: timedelta = REMOVAL_LIMIT


class RemovalWork:
    """Waits for an add-on's removal, and does what is to be done then.

    Args:
        plan: What that is.
        station: What the add-on stands on.
        under_way: What its handlers are just changing; none begins once the add-on is gone.
    """

    def __init__(self, plan: RemovalPlan, *, station: Station, under_way: UnderWay) -> None:
        self._plan = plan
        self._station = station
        self._under_way = under_way
        self._bell = station.view.subscribe()
        self._bell.set()
        self._namespace = plan.namespace or ADDON_NAMESPACE
        self._is_begun = False
        self._is_pruned = False

    async def run(self) -> NoReturn:
        """Wait and work until cancelled; an add-on that is installed again may be removed again."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            view = self._station.view
            addon = view.addon
            if addon is not None:
                self._namespace = addon.install_namespace
                self._is_pruned = False
                if not addon.is_being_deleted:
                    self._is_begun = False
                    continue
            elif not view.is_gone:
                continue
            if not self._is_begun:
                self._is_begun = True
                await self._call_functions(addon)
            if view.is_gone and not self._is_pruned:
                await self._prune()
                self._is_pruned = True
                self._station.cleaned_up()

    async def _call_functions(self, addon: ManagedClusterAddon | None) -> None:
        station = self._station
        removal = Removal(
            hub=station.hub,
            spoke=station.spoke_at(self._namespace),
            is_gone=addon is None,
        )
        ends = station.clock.monotonic() + self._plan.limit.total_seconds()
        for call in self._plan.functions:
            await self._call(call, removal, ends=ends)

    async def _call(self, call: RemovalFunction, removal: Removal, *, ends: float) -> None:
        """Call one function until it succeeds or time is over."""
        station = self._station
        function = UserFunction(Role.ON_REMOVED, function_name(call))
        while (left := ends - station.clock.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await call(removal)
            except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - told
                # A cancellation that is not ours comes from something the code waited for.
                heed_cancellation()
                error: BaseException = failure
                if isinstance(error, TimeoutError) and not str(error):
                    error = TimeoutError(f"not done within {left:.0f} s")
                failures = station.code.failed(function, error)
            else:
                station.code.succeeded(function)
                return
            roll = random.random()  # noqa: S311 - spreads load
            wait = _RETRIES.delay(failures, roll=roll)
            left = ends - station.clock.monotonic()
            await station.clock.sleep(min(wait, timedelta(seconds=max(left, 0.0))))
        log.error(
            "gave up on what is to be done when the add-on is removed",
            extra={
                "addon": station.owner.addon,
                "task": str(function),
                "attempt": station.code.failures[function],
            },
        )

    async def _prune(self) -> None:
        """Remove what the add-on's handlers applied, by whichever process."""
        station = self._station
        await self._under_way.ended()
        outputs: HandlerOutputs[str] = HandlerOutputs(station.spoke, owner=station.owner)
        failures = 0
        while station.view.is_gone:
            try:
                await outputs.sweep(self._plan.places(self._namespace))
            except TowlineError as error:
                failures += 1
                log.log(
                    logging.WARNING if failures == 1 else logging.DEBUG,
                    "what the add-on applied is not removed yet",
                    extra={"addon": station.owner.addon, "error": str(error)},
                )
            else:
                return
            roll = random.random()  # noqa: S311 - spreads load
            await station.clock.sleep(_PRUNING_RETRIES.delay(failures, roll=roll))
