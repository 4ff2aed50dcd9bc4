"""The words of a diagnosis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from towline_api.timestamps import format_time
from towline_hub.looking import Unseen


class Verdict(StrEnum):
    """How something was found."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should know."""
    FAIL = "fail"
    """Something does not work, or will not when it is needed."""
    UNSEEN = "unseen"
    """Nobody could look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look came to.

    Args:
        check: What was looked at, in a word or two.
        verdict: How it was found.
        found: What was found, in a sentence.
        fix: What to do, in a sentence; None where there is nothing to do.
    """

    check: str
    verdict: Verdict
    found: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found at one moment.

    Args:
        server: The hub's address.
        at: The moment.
        findings: What was found.
    """

    server: str
    at: datetime
    findings: Sequence[Finding]

    @property
    def has_failures(self) -> bool:
        """Whether something does not work."""
        return any(finding.verdict is Verdict.FAIL for finding in self.findings)


def ok(check: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Verdict.OK, found)


def warn(check: str, found: str, *, fix: str) -> Finding:
    """Return something that somebody should know."""
    return Finding(check, Verdict.WARN, found, fix)


def fail(check: str, found: str, *, fix: str) -> Finding:
    """Return something that does not work."""
    return Finding(check, Verdict.FAIL, found, fix)


def unseen(check: str, fact: Unseen) -> Finding:
    """Return that nobody could look."""
    return Finding(check, Verdict.UNSEEN, f"cannot look: {fact.why}")


def diagnosis_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as JSON."""
    return {
        "server": diagnosis.server,
        "at": format_time(diagnosis.at),
        "well": not diagnosis.has_failures,
        "findings": [
            {
                "check": finding.check,
                "verdict": finding.verdict.value,
                "found": finding.found,
                "fix": finding.fix,
            }
            for finding in diagnosis.findings
        ],
    }
