"""How the functions fare that an add-on's developer registered: what fails, how often, who is told.

Each failure is counted. The first of a row is logged with its traceback and with what the function
was called for; the next ones are not repeated, the recovery is. What keeps failing becomes the
condition `Degraded` of the ManagedClusterAddOn, which `kubectl get` shows as a column.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from towline_api.condition_types import (
    REASON_ADDON_CODE_FAILED,
    REASON_ADDON_CODE_RECOVERED,
    REASON_HEALTH_CHECK_FAILED,
    REASON_REMOVAL_FAILED,
)
from towline_api.errors import TowlineError, TransientError
from towline_kube.redaction import quotable

log = logging.getLogger(__name__)

TOLD_FROM = 3
"""From which failure in a row on one that may pass by itself, such as a hub that is away, counts
against the add-on. A bug counts from the first."""
_MOST_TOLD = 5


class Role(StrEnum):
    """What a function was registered for."""

    CONFIGURATION = "configuration"
    HEALTH = "health"
    TASK = "task"
    ON_REMOVED = "on_removed"


_REASONS = {
    Role.TASK: REASON_ADDON_CODE_FAILED,
    Role.HEALTH: REASON_HEALTH_CHECK_FAILED,
    Role.ON_REMOVED: REASON_REMOVAL_FAILED,
}
"""What `Degraded` says. Configuration that fails is told by `Progressing` instead, per object."""
OUR_REASONS = frozenset({*_REASONS.values(), REASON_ADDON_CODE_RECOVERED})
"""Reasons of the condition by which we know that we wrote it."""


@dataclass(frozen=True, slots=True)
class UserFunction:
    """One function of the developer's.

    Args:
        role: What it was registered for.
        name: What it is called.
    """

    role: Role
    name: str

    def __str__(self) -> str:
        return f"{self.role} {self.name}"


@dataclass(frozen=True, slots=True)
class CodeFault:
    """A function that fails at present.

    Args:
        function: Which.
        object: What it was called for; empty if for nothing in particular.
        error: What it raised, in one line.
        attempt: How often it has failed in a row.
        is_passing: Whether it may pass by itself.
    """

    function: UserFunction
    object: str
    error: str
    attempt: int
    is_passing: bool

    @property
    def is_told(self) -> bool:
        """Whether the hub hears of it."""
        return not self.is_passing or self.attempt >= TOLD_FROM

    def __str__(self) -> str:
        """Return a sentence that stays the same for as long as the function fails in this way."""
        about = f" for {self.object}" if self.object else ""
        return f"{self.function}{about}: {self.error}"


@dataclass(frozen=True, slots=True)
class CodeReport:
    """What the condition `Degraded` should say."""

    status: Literal["True", "False"]
    reason: str
    message: str


class UserCode:
    """The functions of one add-on, as they fare in this process.

    Args:
        addon: Name of the add-on.
        on_change: Called whenever `report` may say something else.
    """

    def __init__(self, addon: str, *, on_change: Callable[[], None] = lambda: None) -> None:
        self._addon = addon
        self._on_change = on_change
        self._faults: dict[tuple[UserFunction, str], CodeFault] = {}
        self._untried: set[UserFunction] = set()
        self.failures: Counter[UserFunction] = Counter()
        """How often each function has failed since the process began."""
        self.checks: dict[str, bool] = {}
        """Whether each health check was passed when it was last asked, by its name."""

    @property
    def faults(self) -> tuple[CodeFault, ...]:
        """What fails at present."""
        return tuple(self._faults.values())

    def expect(self, function: UserFunction) -> None:
        """Count a function as not tried yet: until it succeeds, nothing is known to be well."""
        self._untried.add(function)

    def failed(self, function: UserFunction, error: BaseException, *, about: str = "") -> int:
        """Take a failure, log it if it is news, and return how many there were in a row.

        Args:
            function: What failed.
            error: What it raised.
            about: The object it was called for.
        """
        self.failures[function] += 1
        if function.role is Role.HEALTH:
            self.checks[function.name] = False
        key = (function, about)
        before = self._faults.get(key)
        fault = CodeFault(
            function,
            about,
            explain(error),
            1 if before is None else before.attempt + 1,
            is_passing=isinstance(error, TransientError | TimeoutError),
        )
        self._faults[key] = fault
        is_news = before is None or before.error != fault.error
        # towline's own errors say all there is to say; what else is raised is a bug to be found.
        is_bug = is_news and not isinstance(error, TowlineError | TimeoutError)
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "add-on code failed" if is_news else "add-on code failed again",
            extra={
                "addon": self._addon,
                "task": str(function),
                "object": about,
                "attempt": fault.attempt,
                "error": fault.error,
            },
            exc_info=error if is_bug else None,
        )
        if is_news or fault.is_told != (before is not None and before.is_told):
            self._on_change()
        return fault.attempt

    def succeeded(self, function: UserFunction, *, about: str = "") -> None:
        """Take it that a function works (again)."""
        if function.role is Role.HEALTH:
            self.checks[function.name] = True
        fault = self._faults.pop((function, about), None)
        was_untried = function in self._untried
        self._untried.discard(function)
        if fault is not None:
            log.info(
                "add-on code works again",
                extra={
                    "addon": self._addon,
                    "task": str(function),
                    "object": about,
                    "attempt": fault.attempt + 1,
                },
            )
        if fault is not None or was_untried:
            self._on_change()

    def report(self) -> CodeReport | None:
        """Return what to tell the hub; None while nothing is known yet."""
        told = [
            fault
            for fault in self._faults.values()
            if fault.is_told and fault.function.role in _REASONS
        ]
        if told:
            shown = [str(fault) for fault in told[:_MOST_TOLD]]
            if len(told) > _MOST_TOLD:
                shown.append(f"and {len(told) - _MOST_TOLD} more")
            return CodeReport("True", _REASONS[told[0].function.role], "; ".join(shown))
        if self._untried:
            return None
        return CodeReport("False", REASON_ADDON_CODE_RECOVERED, "the add-on's code works.")


def explain(error: BaseException) -> str:
    """Return what was raised in one line, without anything that looks like a key or a token."""
    if isinstance(error, TowlineError):
        return quotable(str(error))
    text = str(error)
    return quotable(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def function_name(function: object) -> str:
    """Return what messages call a function."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]
