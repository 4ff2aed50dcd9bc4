"""Deadlines for many keys in one heap, cheap to push back.

A fleet's leases are renewed all the time and expire almost never, so renewing must cost next to
nothing: it only notes the new deadline. The heap holds one entry per key, which is put back with
the real deadline when it comes up too early.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """The instants by which something must have happened, per key.

    Instants are readings of one monotonic clock, in seconds. Pushing a deadline back is O(1);
    setting a new or an earlier one is O(log n).
    """

    def __init__(self) -> None:
        self._deadline: dict[K, float] = {}
        # Entries hold a serial so that keys are never compared; `_entry` names the valid one.
        self._heap: list[tuple[float, int, K]] = []
        self._entry: dict[K, tuple[float, int]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._deadline)

    def __contains__(self, key: K) -> bool:
        return key in self._deadline

    def set(self, key: K, at: float) -> None:
        """Give a key a deadline, in place of the one it may have."""
        self._deadline[key] = at
        entry = self._entry.get(key)
        if entry is None or at < entry[0]:
            self._push(key, at)

    def discard(self, key: K) -> None:
        """Forget a key; forgetting an unknown one is fine."""
        self._deadline.pop(key, None)
        self._entry.pop(key, None)
        self._compact()

    def next(self) -> float | None:
        """Return the earliest deadline, or None if there is none."""
        self._settle()
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[K]:
        """Remove and return the keys whose deadline has passed or is exactly now."""
        due: list[K] = []
        while (earliest := self.next()) is not None and earliest <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._entry[key]
            del self._deadline[key]
            due.append(key)
        return due

    def _push(self, key: K, at: float) -> None:
        self._serial += 1
        self._entry[key] = (at, self._serial)
        heapq.heappush(self._heap, (at, self._serial, key))
        self._compact()

    def _compact(self) -> None:
        # Stale entries are dropped when they come up; a heap mostly made of them is built anew.
        if len(self._heap) > 2 * len(self._entry) + 64:
            self._heap = [(at, serial, key) for key, (at, serial) in self._entry.items()]
            heapq.heapify(self._heap)

    def _settle(self) -> None:
        """Bring the true earliest deadline to the top."""
        while self._heap:
            at, serial, key = self._heap[0]
            if self._entry.get(key) != (at, serial):
                heapq.heappop(self._heap)
            elif self._deadline[key] > at:
                heapq.heappop(self._heap)
                self._push(key, self._deadline[key])
            else:
                return
