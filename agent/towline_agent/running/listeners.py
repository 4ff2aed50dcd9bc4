"""Whom to tell of a change."""

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

Listener = Callable[[], None]
"""Told that something has changed; looks for itself what. Must not block."""


class Listeners:
    """Those who want to know of one thing's changes.

    Args:
        of: What that thing is, for messages.
    """

    def __init__(self, *, of: str) -> None:
        self._of = of
        # A list: the same function may listen twice, and stops listening once for each.
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener of each change from now on; return what makes an end of it."""
        self._listeners.append(listener)
        is_listening = True

        def stop() -> None:
            nonlocal is_listening
            if is_listening:
                is_listening = False
                self._listeners.remove(listener)

        return stop

    def tell(self) -> None:
        """Tell all of them. What one raises is logged, and harms neither the others nor us."""
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception:
                log.exception("listener failed", extra={"object": self._of})
