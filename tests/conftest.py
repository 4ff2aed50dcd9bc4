"""What every test may ask for, and what every test is held to."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.clock import FakeClock

pytest_plugins = [
    "support.collector_plugin",
    "support.planes_plugin",
    "support.scheduling_plugin",
    "support.timeout_plugin",
    "support.conformance_count",
    "support.crash_point_count",
    "support.mutants.count",
]

# Whoever starts the tests in the background has them ignore Ctrl-C, and what a process ignores its
# children ignore as well: tests that interrupt a program would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no finding: pytest's own time limit is what ends a test that hangs.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# For a long look: `pytest --hypothesis-profile=long --timeout 0 tests/unit`.
settings.register_profile("long", settings.get_profile("patient"), max_examples=1000)
settings.load_profile("patient")


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that only the test moves."""
    return FakeClock()


@pytest.fixture(autouse=True)
def _ends_its_tasks(request: pytest.FixtureRequest) -> None:
    """Hold every asynchronous test to `_no_task_is_left`; others have no event loop."""
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("_no_task_is_left")


_TURNS_TO_END = 20
"""A task that was cancelled in the test's last line has cleaning up of its own to do."""


@pytest.fixture
async def _no_task_is_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind: nobody owned it, so nobody would cancel it."""
    before = asyncio.all_tasks()
    yield
    left: set[asyncio.Task[Any]] = set()
    for _ in range(_TURNS_TO_END):
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            return
    for task in left:
        task.cancel("left behind by a test")
    await asyncio.gather(*left, return_exceptions=True)
    names = ", ".join(sorted(task.get_name() for task in left))
    pytest.fail(f"the test left tasks behind: {names}", pytrace=False)
