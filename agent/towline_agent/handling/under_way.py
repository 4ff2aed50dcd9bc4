"""What an add-on's handlers are just changing on the managed cluster."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class UnderWay:
    """Counts changes from their beginning to their end, so that a removal can wait for the last."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Count what the block does as a change under way."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def ended(self) -> None:
        """Return once nothing is under way."""
        await self._none.wait()
