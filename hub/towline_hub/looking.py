"""Looking at things one may not be allowed to look at."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from towline_kube.errors import ApiError, Forbidden, NotServed

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unseen:
    """In place of something that could not be looked at.

    Args:
        why: What it takes to look, in half a sentence.
    """

    why: str


async def look(asked: Awaitable[T]) -> T | Unseen:
    """Return the answer, or why there is none for whoever asks.

    Raises:
        ApiError: Neither a right nor a kind is missing: the server failed or cannot be reached.
    """
    try:
        return await asked
    except (Forbidden, NotServed) as error:
        log.debug("cannot look", extra={"error": str(error)})
        return Unseen(_why(error))


def _why(error: ApiError) -> str:
    if isinstance(error, Forbidden):
        return f"that takes the right to {error.verb} {error.object}"
    return f"the server does not serve {error.object}"
