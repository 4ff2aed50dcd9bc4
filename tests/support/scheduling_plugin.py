"""Decides which of xdist's workers runs which tests: real planes on one worker, long tests first.

A worker starts the planes that its tests share once and keeps them to the end. A real one costs
seconds to start and some of a core while it is there, so one worker gets all tests of a folder that
need one, and gets them first: tests on other planes end it.
A long test that begins last has all other workers wait for it, so what takes long begins first.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

_ON_KUBE = "[kube]"
"""Ends the names of units that need real planes."""
_WORKERS = {"tests/conformance": 1, "tests/integration": 1}
"""How many workers start real planes for the tests of a folder."""
_TOGETHER = ("tests/integration/deploy/",)
"""Folders whose tests have a real plane of their own in common."""
_ALONE = (
    "tests/crash_points/",
    "tests/integration/sandbox/test_demo.py",
    "tests/unit/certs/test_hostile_requests.py",
)
"""Where single tests are long enough to be handed out one by one."""
_LONGEST_FIRST = (
    "tests/integration/channel/",
    "tests/integration/sandbox/",
    "tests/conformance/",
    "tests/crash_points/",
    "tests/integration/",
    "tests/unit/certs/test_hostile_requests.py",
    "examples/",
    "tests/component/",
    "",
)


def unit_of(test: str) -> str:
    """Return what a test is handed out with: its module, on the same kind of plane."""
    module, _, name = test.partition("::")
    if module.startswith(_ALONE):
        return test
    parameters = name.partition("[")[2].removesuffix("]").split("-")
    if "kube" not in parameters or "embedded" in parameters:
        return module
    shared = next((folder for folder in _TOGETHER if module.startswith(folder)), module)
    return f"{shared}::{_ON_KUBE}"


def planes_of(unit: str) -> str | None:
    """Return which folder's real planes the tests of a unit share; None if they share none."""
    if not unit.endswith(_ON_KUBE):
        return None
    return next((folder for folder in _WORKERS if unit.startswith(f"{folder}/")), None)


def choose(units: Iterable[str], *, mine: Iterable[str], started: Mapping[str, int]) -> str:
    """Return the unit that a worker is to take next.

    Args:
        units: What is left, at least one.
        mine: The folders whose real planes the worker has.
        started: How many workers have those of a folder.
    """
    has = frozenset(mine)

    def rank(unit: str) -> tuple[int, int]:
        folder = planes_of(unit)
        if folder is None:
            turn = 1
        else:
            turn = 0 if folder in has or started.get(folder, 0) < _WORKERS[folder] else 2
        return turn, next(n for n, start in enumerate(_LONGEST_FIRST) if unit.startswith(start))

    return min(units, key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out tests as described above where `--dist loadgroup` is asked for."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class FewPlanes(LoadScopeScheduling):  # type: ignore[misc]
        """Keeps tests on real planes together."""

        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            has = {
                worker: set(filter(None, map(planes_of, units)))
                for worker, units in self.assigned_work.items()
            }
            started = {folder: sum(folder in it for it in has.values()) for folder in _WORKERS}
            unit = choose(self.workqueue, mine=has.get(node, ()), started=started)
            self.workqueue.move_to_end(unit, last=False)
            super()._assign_work_unit(node)

    return FewPlanes(config, log)
