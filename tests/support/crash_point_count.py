"""Says, in one line at the end of a test run, at how many points programs were killed."""

from collections import Counter

import pytest

CRASH_POINTS_PROPERTY = "crash_points"
"""What a test records about itself: a scenario, and how many points converged in how many runs."""


class CrashPointCount:
    """Adds up the points of all tests that passed, those of xdist's workers among them."""

    def __init__(self) -> None:
        self._points: Counter[str] = Counter()
        self._runs = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a test recorded."""
        found = dict(report.user_properties).get(CRASH_POINTS_PROPERTY)
        if report.when == "call" and report.passed and isinstance(found, (tuple, list)):
            scenario, points, runs = found
            self._points[str(scenario)] += int(points)
            self._runs += int(runs)

    def line(self) -> str | None:
        """Return the line that ends the run; None if no such test passed."""
        if not self._points:
            return None
        parts = ", ".join(f"{points} of {scenario}" for scenario, points in self._points.items())
        points = self._points.total()
        return f"crash points: {points} in {self._runs} runs, all converging ({parts})"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the line."""
        line = self.line()
        if line is not None:
            terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Count in the process that prints the summary."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(CrashPointCount(), "crash-point-count")
