"""Tasks that live as long as a block of a test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

_T = TypeVar("_T")


@asynccontextmanager
async def background(
    coro: Coroutine[Any, Any, _T], *, name: str
) -> AsyncIterator[asyncio.Task[_T]]:
    """Run a coroutine beside the block and cancel it at the end.

    If it fails, the block is cancelled and the failure raised, so that no test waits for what
    will never come. An error is raised as it is, not inside an `ExceptionGroup`.

    Args:
        coro: What to run.
        name: Name of its task, `verb-noun`.
    """
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(coro, name=name)
            try:
                yield task
            finally:
                task.cancel("the block has ended")
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from None
        raise
