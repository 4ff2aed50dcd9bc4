"""Keeps the time limits of all tests with one thread; pytest-timeout starts one for every test.

To start a thread and have it end takes as long as thousands of the tests do.
"""

import threading
import time
from typing import Any

import pytest

_EVERY_SECONDS = 0.5
"""How late a limit may be noticed. They are minutes, and nobody waits for one to pass."""


class TimeKeeper:
    """Ends the process, with the stacks of all its threads, when a test is over its limit."""

    def __init__(self) -> None:
        self._running: tuple[pytest.Item, Any, float] | None = None
        self._thread: threading.Thread | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Begin to count; a test that wants to be ended by a signal is left to pytest-timeout."""
        if settings.method != "thread":
            return None
        self._running = (item, settings, time.monotonic() + settings.timeout)
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="time-keeper", daemon=True)
            self._thread.start()
        return True

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_cancel_timer(self) -> None:
        """Stop counting."""
        self._running = None

    def _watch(self) -> None:
        from pytest_timeout import timeout_timer  # type: ignore[import-untyped]

        while True:
            time.sleep(_EVERY_SECONDS)
            running = self._running
            if running is not None and time.monotonic() > running[2]:
                item, settings, _ = running
                timeout_timer(item, settings)
                self._running = None  # a person is debugging it


def pytest_configure(config: pytest.Config) -> None:
    """Keep the time."""
    config.pluginmanager.register(TimeKeeper(), "time-keeper")
