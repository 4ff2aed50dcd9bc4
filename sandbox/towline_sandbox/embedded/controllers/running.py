"""Running the controllers: telling them what changed, and keeping their passes going."""

import functools
from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import timedelta
from typing import NoReturn, Protocol, TypeVar

from towline_api.errors import TransientError
from towline_kube.backoff import Backoff
from towline_kube.controller import Controller, Result
from towline_kube.task_groups import TaskGroup
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.changes import Change
from towline_sandbox.embedded.storage.store import Store

K = TypeVar("K", bound=Hashable)

_BACKOFF = Backoff(first=timedelta(milliseconds=50), limit=timedelta(seconds=5))
"""The store is in the same process: what fails waits for somebody to mend its cause."""


class Part(Protocol):
    """One controller."""

    def note(self, change: Change) -> None:
        """Remember what has to be looked at because of a change. Does not wait, does not fail."""
        ...

    def look_at_everything(self) -> None:
        """Forget what was remembered; look at the present state, and at the clock, afresh."""
        ...

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        ...


class Controllers:
    """All controllers of a plane.

    Args:
        store: Whose changes they follow.
        parts: The controllers.
    """

    def __init__(self, store: Store, parts: Sequence[Part]) -> None:
        self._store = store
        self._parts = tuple(parts)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        async with TaskGroup() as group:
            for part in self._parts:
                group.create_task(part.run(), name=f"controller-{type(part).__name__}")
            await self._follow()

    def look_again(self) -> None:
        """Have every controller look at everything, because the clock was moved."""
        for part in self._parts:
            part.look_at_everything()

    async def _follow(self) -> NoReturn:
        while True:
            subscription = self._store.watch_all()
            try:
                # What happened before, and what a subscription that fell behind has lost.
                self.look_again()
                async for change in subscription:
                    for part in self._parts:
                        part.note(change)
            finally:
                subscription.close()


def passes(name: str, reconcile: Callable[[K], Awaitable[Result]]) -> Controller[K]:
    """Return a queue of keys and the worker that has a pass made for each.

    Args:
        name: Names the worker and its lines in the log.
        reconcile: One pass; whatever the API server refuses is tried again later.
    """

    @functools.wraps(reconcile)
    async def translated(key: K) -> Result:
        try:
            return await reconcile(key)
        except ApiFailure as failure:
            raise TransientError(f"{name} was refused: {failure.message}") from failure

    return Controller(name, translated, backoff=_BACKOFF)
