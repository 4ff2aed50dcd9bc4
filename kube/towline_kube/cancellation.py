"""Keeping a cancellation that came together with an error."""

import asyncio


def heed_cancellation() -> None:
    """Raise `CancelledError` if the running task has been told to end; otherwise do nothing.

    For whatever goes on after an error that may have come out of a task group. Until Python 3.13, a
    group that is cancelled while one of its tasks fails raises the failure alone. asyncio tells a
    task only once, so a loop that catches the failure and goes on would never end.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop: nobody to be cancelled
        return
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
