"""Says, in one line at the end of a test run, how many conformance tests passed on which plane."""

from collections import Counter

import pytest

PLANE_PROPERTY = "conformance_plane"
"""What a conformance test records about itself: the plane it ran on."""


class ConformanceCount:
    """Counts the outcomes of conformance tests.

    Reports of xdist's workers reach the main process with their properties, so nothing has to be
    handed over.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a test went: a failure in any phase is one."""
        plane = dict(report.user_properties).get(PLANE_PROPERTY)
        if not isinstance(plane, str):
            return
        outcomes = self._outcomes.setdefault(plane, {})
        if report.failed or (report.when == "call" and outcomes.get(report.nodeid) != "failed"):
            outcomes[report.nodeid] = report.outcome

    def line(self) -> str | None:
        """Return the line that ends the run; None if no such test ran."""
        parts = []
        for plane in sorted(self._outcomes):
            counts = Counter(self._outcomes[plane].values())
            told = [f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped")]
            shown = [part for part in told if not part.startswith("0 ")] or ["nothing ran"]
            parts.append(f"{', '.join(shown)} on {plane}")
        return f"conformance: {'; '.join(parts)}" if parts else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the line."""
        line = self.line()
        if line is not None:
            terminalreporter.write_line(line)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller choose the planes."""
    parser.addoption(
        "--plane",
        action="append",
        choices=("embedded", "kube"),
        help="control plane that the conformance suite runs on; may be given several times; "
        "without it, every plane that can be had on this machine",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Count in the process that prints the summary."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(ConformanceCount(), "conformance-count")
