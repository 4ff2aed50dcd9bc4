"""Something that runs beside the body of an `async with`, for as long as the body does."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from towline_kube.task_groups import TaskGroup


@asynccontextmanager
async def running_beside(
    serve: Coroutine[Any, Any, None], *, name: str, stop: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Run a coroutine beside the body; return once nothing of it runs any more.

    Its failure cancels the body and is raised in a group, as of any task group. The body's own
    error arrives as it is, not in a group.

    Args:
        serve: What to run.
        name: Name of its task, `verb-noun`.
        stop: Ends it in good order when set, once the body has ended by itself. Without, and where
            the body failed, it is cancelled.
    """
    failure: BaseException | None = None
    async with TaskGroup() as group:
        running = group.create_task(serve, name=name)
        try:
            yield
        except asyncio.CancelledError:
            running.cancel("the body was cancelled")
            raise
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = error
            running.cancel("the body failed")
        else:
            if stop is not None:
                stop.set()
            else:
                running.cancel("the body has ended")
    if failure is not None:
        raise failure
