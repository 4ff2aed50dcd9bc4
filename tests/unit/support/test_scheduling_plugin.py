"""Which worker gets which tests decides how many real planes are started, and how long a run is."""

import pytest

from support.scheduling_plugin import choose, planes_of, unit_of

CHANNEL = "tests/integration/channel/test_kills.py"
CONFORMANCE = "tests/conformance/test_reading.py"
UNIT = "tests/unit/kube/test_store.py"


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        (f"{UNIT}::test_it", UNIT),
        (f"{UNIT}::test_it[kubeconfig]", UNIT),
        (f"{CHANNEL}::test_it[embedded]", CHANNEL),
        (f"{CHANNEL}::test_it[kube]", f"{CHANNEL}::[kube]"),
        (f"{CHANNEL}::test_it[kube-accept c1]", f"{CHANNEL}::[kube]"),
        (f"{CHANNEL}::test_it[15-kube]", f"{CHANNEL}::[kube]"),
        (f"{CHANNEL}::test_it[embedded-kube-system]", CHANNEL),
        ("tests/integration/deploy/test_a.py::test_it[kube]", "tests/integration/deploy/::[kube]"),
        ("tests/integration/deploy/test_a.py::test_it", "tests/integration/deploy/test_a.py"),
        (
            "tests/crash_points/test_x.py::test_it[join]",
            "tests/crash_points/test_x.py::test_it[join]",
        ),
    ],
)
def test_a_module_goes_to_one_worker_but_for_its_planes(test, unit):
    """Tests of one module share what is made once for it; long ones stand alone."""
    assert unit_of(test) == unit


@pytest.mark.parametrize(
    ("unit", "folder"),
    [
        (f"{CHANNEL}::[kube]", "tests/integration"),
        (f"{CONFORMANCE}::[kube]", "tests/conformance"),
        (CHANNEL, None),
        ("tests/unit/x.py::[kube]", None),
    ],
)
def test_tests_of_a_folder_share_real_planes(unit, folder):
    """Embedded planes cost next to nothing, so nobody has to go without."""
    assert planes_of(unit) == folder


@pytest.mark.parametrize(
    ("left", "mine", "started", "taken"),
    [
        # Real planes come first, those that are there already before all.
        ([UNIT, f"{CHANNEL}::[kube]"], [], {}, f"{CHANNEL}::[kube]"),
        ([f"{CHANNEL}::[kube]", f"{CONFORMANCE}::[kube]"], [], {"tests/integration": 1},
         f"{CONFORMANCE}::[kube]"),
        ([UNIT, f"{CONFORMANCE}::[kube]"], ["tests/conformance"], {"tests/conformance": 1},
         f"{CONFORMANCE}::[kube]"),
        # Enough workers have them, so this one does what needs none, the longest first.
        ([UNIT, CHANNEL, f"{CONFORMANCE}::[kube]"], [], {"tests/conformance": 1}, CHANNEL),
        # Nothing else is left: better another plane than one worker who works alone.
        ([f"{CONFORMANCE}::[kube]"], [], {"tests/conformance": 1}, f"{CONFORMANCE}::[kube]"),
    ],
)  # fmt: skip
def test_few_workers_start_real_planes(left, mine, started, taken):
    """A plane takes seconds to start, and its share of a core to the end."""
    assert choose(left, mine=mine, started=started) == taken
