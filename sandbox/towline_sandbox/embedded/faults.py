"""Faults on demand: what goes wrong between a caller and the server, because a test wants it to.

A rule says which calls it is about, which of them it meets, and what happens then. Rules may be
added and taken away from any thread, while calls are on their way.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from towline_sandbox.embedded.model.failures import ApiFailure

_Answer = TypeVar("_Answer")


class CallLost(Exception):  # noqa: N818  # an outcome: the connection closes without an answer
    """The caller gets no answer."""


class Moment(StrEnum):
    """When something happens to a call."""

    BEFORE = "before"
    """Before it takes effect."""
    AFTER = "after"
    """After it took effect, before the caller hears of it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One call, as rules see it.

    Args:
        verb: Kubernetes' verb; for paths that are no resource, the HTTP method in lower case.
        resource: Plural name with group, for example `leases.coordination.k8s.io`.
        subresource: For example `status`; empty for the object itself.
        namespace: Namespace of the object.
        name: Name of the object, as far as the path says it.
        path: Path of the request.
        user: User name of the caller.
        groups: The caller's groups.
        user_agent: How the caller's program introduced itself.
    """

    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    path: str
    user: str
    groups: tuple[str, ...]
    user_agent: str


@dataclass(frozen=True, slots=True)
class Calls:
    """Which calls a rule is about: all that agree with everything given here.

    Args:
        verb: As in `Seen`.
        resource: As in `Seen`.
        subresource: As in `Seen`; None for any, empty for the object itself.
        namespace: As in `Seen`.
        name: As in `Seen`.
        user: As in `Seen`.
        user_agent: Begins the caller's introduction.
        where: Whatever else has to hold.
    """

    verb: str | None = None
    resource: str | None = None
    subresource: str | None = None
    namespace: str | None = None
    name: str | None = None
    user: str | None = None
    user_agent: str | None = None
    where: Callable[[Seen], bool] | None = None

    def include(self, seen: Seen) -> bool:
        """Tell whether a call is one of them."""
        wanted = (
            (self.verb, seen.verb),
            (self.resource, seen.resource),
            (self.subresource, seen.subresource),
            (self.namespace, seen.namespace),
            (self.name, seen.name),
            (self.user, seen.user),
        )
        return (
            all(want is None or want == found for want, found in wanted)
            and (self.user_agent is None or seen.user_agent.startswith(self.user_agent))
            and (self.where is None or self.where(seen))
        )


ALL_CALLS = Calls()


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer, before or after the call takes effect."""

    moment: Moment = Moment.BEFORE


@dataclass(frozen=True, slots=True)
class Delay:
    """Let the caller wait, before or after the call takes effect."""

    by: timedelta
    moment: Moment = Moment.BEFORE


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with a refusal; the call takes no effect."""

    failure: ApiFailure


@dataclass(frozen=True, slots=True)
class Repeat:
    """Carry the call out twice, as if it had been sent twice; the second answer is sent."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a function at both moments, on the plane's own thread.

    Args:
        function: Gets the call and the moment; tells whether the call may go on. If it may not, the
            connection closes without an answer.
    """

    function: Callable[[Seen, Moment], bool]


Action = Drop | Delay | Refuse | Repeat | Ask


@dataclass(eq=False, slots=True)
class Rule:
    """What happens to which calls.

    Args:
        action: What happens.
        calls: What it is about.
        first: The first of them that it happens to, counted from 1.
        last: The last one; None for no end.
        met: How many of those calls there were so far.
    """

    action: Action
    calls: Calls = ALL_CALLS
    first: int = 1
    last: int | None = None
    met: int = field(default=0, init=False)

    def meet(self, seen: Seen) -> bool:
        """Count a call if it is one of them; tell whether the action is due."""
        if not self.calls.include(seen):
            return False
        self.met += 1
        return self.first <= self.met and (self.last is None or self.met <= self.last)


class Faults:
    """What goes wrong on a plane. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: tuple[Rule, ...] = ()

    def add(
        self,
        action: Action,
        calls: Calls = ALL_CALLS,
        *,
        nth: int | None = None,
        since: int = 1,
        times: int | None = None,
    ) -> Rule:
        """Have something happen to calls from now on; return the rule.

        Args:
            action: What.
            calls: To which.
            nth: Only to the n-th of them, counted from 1.
            since: From the n-th of them on.
            times: To so many of them.
        """
        if nth is not None:
            since, times = nth, 1
        rule = Rule(action, calls, since, None if times is None else since + times - 1)
        with self._lock:
            self._rules = (*self._rules, rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule away; nothing happens if it is gone."""
        with self._lock:
            self._rules = tuple(each for each in self._rules if each is not rule)

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules = ()

    async def around(self, seen: Seen, carry_out: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Carry a call out, with everything that is due to happen to it.

        Raises:
            CallLost: The caller is to get no answer.
            ApiFailure: A rule refuses the call.
        """
        if not self._rules:
            return await carry_out()
        with self._lock:
            due = [rule.action for rule in self._rules if rule.meet(seen)]
        for action in due:
            await _happen(action, seen, Moment.BEFORE)
        answer = await carry_out()
        if any(isinstance(action, Repeat) for action in due):
            answer = await carry_out()
        for action in due:
            await _happen(action, seen, Moment.AFTER)
        return answer


async def _happen(action: Action, seen: Seen, moment: Moment) -> None:
    match action:
        case Drop(when) if when is moment:
            raise CallLost
        case Delay(by, when) if when is moment:
            await asyncio.sleep(by.total_seconds())
        case Refuse(failure) if moment is Moment.BEFORE:
            raise failure
        case Ask(function):
            if not function(seen, moment):
                raise CallLost
        case _:
            pass
