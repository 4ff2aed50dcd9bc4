"""Errors out of task groups, told as one line instead of a tree."""

from collections.abc import Iterator
from contextlib import contextmanager

from towline_api.errors import TowlineError
from towline_kube.cancellation import heed_cancellation


@contextmanager
def one_failure() -> Iterator[None]:
    """Raise the first of several expected errors by itself; let anything unexpected be seen whole.

    A task group wraps whatever its tasks raise. A person who has to act on it needs the one
    sentence; a programmer who has to find a mistake needs the group with its tracebacks.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        heed_cancellation()
        leaves = list(_leaves(group))
        if all(isinstance(leaf, TowlineError) for leaf in leaves):
            raise leaves[0] from None
        raise


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
