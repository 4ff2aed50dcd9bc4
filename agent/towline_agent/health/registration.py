"""What may be registered as a health check, and what becomes of it."""

from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Protocol, TypeVar

from towline_agent.health.rounds import LONGEST_LIMIT, RegisteredCheck
from towline_agent.station.registered_functions import check_function
from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import Role, UserFunction, function_name

HealthCheck = Callable[[], Awaitable[bool]]
"""Says whether the add-on is healthy; what it raises means that it is not."""
SpokeHealthCheck = Callable[[Spoke], Awaitable[bool]]
"""The same, for checks that look at the managed cluster."""
AnyHealthCheck = HealthCheck | SpokeHealthCheck

_H = TypeVar("_H", bound=AnyHealthCheck)


class HealthDecorator(Protocol):
    """Registers what it decorates, and returns it as it is."""

    def __call__(self, check: _H, /) -> _H:
        """Register a health check."""
        ...


def register_check(
    check: AnyHealthCheck, *, timeout: timedelta, name: str | None, taken: Collection[str]
) -> RegisteredCheck:
    """Return a health check as it is to be asked.

    Args:
        check: What is being registered.
        timeout: How long it may take.
        name: What to call it; None for what it calls itself (`name`), or is called.
        taken: Names of the checks registered before; a number tells a further one of that name.

    Raises:
        TypeError: It is not asynchronous, or takes other arguments.
        ValueError: The time is too short or too long.
    """
    count = check_function(
        check, decorator="agent.health", takes=(1, 0), example="async def healthy() -> bool"
    )
    said = name or getattr(check, "name", None)
    wanted = said if isinstance(said, str) and said else function_name(check)
    if not timedelta(0) < timeout <= LONGEST_LIMIT:
        raise ValueError(
            f"health check {wanted}: expected a timeout of more than 0 s and at most "
            f"{LONGEST_LIMIT.total_seconds():g} s, found {timeout.total_seconds():g} s"
        )

    def ask(spoke: Spoke) -> Awaitable[object]:
        return check(spoke) if count else check()  # type: ignore[call-arg]

    function = UserFunction(Role.HEALTH, _unlike(wanted, taken=taken))
    return RegisteredCheck(ask, function, timeout)


def _unlike(name: str, *, taken: Collection[str]) -> str:
    number = 2
    unique = name
    while unique in taken:
        unique = f"{name}-{number}"
        number += 1
    return unique
