"""Task groups that tell a cancellation of somebody else's from one of their own."""

import asyncio
import sys
from types import TracebackType

if sys.version_info >= (3, 13):
    TaskGroup = asyncio.TaskGroup
else:

    class TaskGroup(asyncio.TaskGroup):
        """A group as asyncio has it since Python 3.13.

        A group cancels the task that waits for it when one of its own tasks fails, and has to take
        that back. Before 3.13 it does not where the body had ended by then, so that the task looks
        as if somebody had told it to end, for as long as it lives.
        """

        async def __aexit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            """Wait for the tasks; leave no cancellation behind but others'."""
            # Where the body was still running, asyncio takes it back itself.
            asked_before = self._has_cancelled
            try:
                await super().__aexit__(kind, error, traceback)
            except BaseException:
                task = asyncio.current_task()
                if task is not None and self._has_cancelled and not asked_before:
                    task.uncancel()
                raise

        @property
        def _has_cancelled(self) -> bool:
            # Told by nothing public; these two releases of Python do not change any more.
            return bool(self._parent_cancel_requested)  # type: ignore[attr-defined]
