"""The last line of a conformance run says how many cases passed on which plane."""

from typing import Literal

import pytest

from support.conformance_count import PLANE_PROPERTY, ConformanceCount

Phase = Literal["setup", "call", "teardown"]
Outcome = Literal["passed", "failed", "skipped"]


def report(
    case: str, outcome: Outcome = "passed", *, when: Phase = "call", plane: str | None = "kube v1"
) -> pytest.TestReport:
    """Return what pytest reports about one phase of a case."""
    properties = [] if plane is None else [(PLANE_PROPERTY, plane)]
    return pytest.TestReport(
        case,
        ("test.py", 1, case),
        {},
        outcome,
        longrepr=None,
        when=when,
        user_properties=properties,
    )


def count(*reports: pytest.TestReport) -> str | None:
    """Return the line after these reports."""
    counted = ConformanceCount()
    for each in reports:
        counted.pytest_runtest_logreport(each)
    return counted.line()


def test_a_run_without_such_cases_says_nothing() -> None:
    """Most runs have none, and an empty line would be noise."""
    assert count(report("a", plane=None)) is None


def test_each_plane_is_counted_by_itself() -> None:
    """A case that ran on two planes is two results."""
    line = count(
        report("a[kube]"),
        report("b[kube]"),
        report("a[embedded]", plane="embedded v2"),
        report("unrelated", plane=None),
    )
    assert line == "conformance: 1 passed on embedded v2; 2 passed on kube v1"


def test_the_phases_of_a_case_are_one() -> None:
    """What is reported three times is counted once."""
    phases: tuple[Phase, ...] = ("setup", "call", "teardown")
    assert count(*(report("a", when=when) for when in phases)) == "conformance: 1 passed on kube v1"


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_a_failure_in_any_phase_is_a_failure(when: Phase) -> None:
    """A case that left something behind has not passed."""
    phases: tuple[Phase, ...] = ("setup", "call", "teardown")
    reports = [report("a", "failed" if phase == when else "passed", when=phase) for phase in phases]
    if when == "setup":
        del reports[1]  # pytest does not call what could not be set up
    assert count(*reports) == "conformance: 1 failed on kube v1"
