"""Sleeping that an event can end."""

import asyncio
from datetime import timedelta

from towline_kube.clock import Clock
from towline_kube.task_groups import TaskGroup


async def rest(clock: Clock, delay: timedelta, *, unless: asyncio.Event) -> bool:
    """Sleep for `delay`, or until the event is set. Return whether it was set.

    The event is left as it is: whoever rests clears it before looking at the world.
    """
    if unless.is_set():
        return True
    async with TaskGroup() as group:
        sleeping = group.create_task(clock.sleep(delay), name="rest-sleep")
        waking = group.create_task(unless.wait(), name="rest-wake")
        await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        waking.cancel()
    return unless.is_set()
