"""Says, in one line at the end of a test run, how many mutants of requests were tried; options."""

from collections import Counter

import pytest

from support.mutants.campaign import DEFAULT_SEED

MUTANTS_PROPERTY = "mutants"
"""What a test records about itself: tried, entitled and found, of one subject under test."""


class MutantCount:
    """Adds up what tests recorded; reports of xdist's workers reach the main process with it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counts: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test recorded, once."""
        found = dict(report.user_properties).get(MUTANTS_PROPERTY)
        if report.when == "call" and isinstance(found, dict):
            self._counts.setdefault(found["by"], Counter()).update(
                {key: value for key, value in found.items() if isinstance(value, int)}
            )

    def lines(self) -> list[str]:
        """Return the lines that end the run; none if no such test ran."""
        return [
            f"mutants, decided by {by} (seed {self._seed}): {count['tried']:,} tried; "
            f"{count['tried'] - count['entitled']:,} not entitled, {count['entitled']:,} entitled; "
            f"{count['findings'] or 'no'} wrong decisions or errors"
            for by, count in sorted(self._counts.items())
        ]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the lines."""
        for line in self.lines():
            terminalreporter.write_line(line)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller choose how many, and which."""
    parser.addoption(
        "--mutants",
        type=float,
        default=1.0,
        metavar="TIMES",
        help="how many times the usual number of mutated certificate requests to try "
        "(with --timeout 0, and -n for as many processes as there are cores)",
    )
    parser.addoption(
        "--mutants-seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="SEED",
        help="chance of the mutated certificate requests, as a failure names it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Count in the process that prints the summary."""
    if not hasattr(config, "workerinput"):
        seed = config.getoption("--mutants-seed")
        config.pluginmanager.register(MutantCount(seed), "mutant-count")
