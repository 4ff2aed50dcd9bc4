"""The words of an explanation: links of a chain, each holding or not, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from towline_api.errors import TowlineError
from towline_api.timestamps import format_time
from towline_hub.looking import Unseen


class LinkState(StrEnum):
    """Whether a link of the chain holds."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """Nobody could look."""
    LATER = "later"
    """It does not hold yet, and cannot before an earlier link does."""


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that has to be so.

    Args:
        name: What it is about, in a word or two.
        state: Whether it is so.
        found: What was found, in a sentence.
        fix: What puts it right and who has to do it, in a sentence; None where nothing has to.
        command: What to type for that, or to see more; None if nothing on the hub helps.
    """

    name: str
    state: LinkState
    found: str
    fix: str | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something works or does not.

    Args:
        target: What was asked about, for example `cluster c1`.
        at: When.
        links: The chain, each link resting on those before it.
    """

    target: str
    at: datetime
    links: tuple[Link, ...]

    @classmethod
    def of(cls, target: str, links: Iterable[Link], *, at: datetime) -> "Explanation":
        """Return an explanation in which only the first broken link counts as broken."""
        return cls(target, at, tuple(_settle(links)))

    @property
    def broken(self) -> Link | None:
        """The first broken link: the one to put right; None if none is."""
        return next((link for link in self.links if link.state is LinkState.BROKEN), None)

    @property
    def unseen(self) -> tuple[Link, ...]:
        """The links nobody could look at."""
        return tuple(link for link in self.links if link.state is LinkState.UNKNOWN)


class TargetError(TowlineError):
    """What to explain was not named in a way that can be understood."""


def holds(name: str, found: str) -> Link:
    """Return a link that holds."""
    return Link(name, LinkState.HOLDS, found)


def broken(name: str, found: str, *, fix: str, command: str | None = None) -> Link:
    """Return a link that does not hold, and what to do."""
    return Link(name, LinkState.BROKEN, found, fix, command)


def unseen(name: str, fact: Unseen) -> Link:
    """Return a link nobody could look at."""
    return Link(name, LinkState.UNKNOWN, f"cannot look: {fact.why}")


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON."""
    first = explanation.broken
    return {
        "target": explanation.target,
        "at": format_time(explanation.at),
        "well": first is None,
        "broken": None if first is None else first.name,
        "links": [
            {
                "name": link.name,
                "state": link.state.value,
                "found": link.found,
                "fix": link.fix,
                "command": link.command,
            }
            for link in explanation.links
        ],
    }


def _settle(links: Iterable[Link]) -> Iterable[Link]:
    is_broken = False
    for link in links:
        if link.state is LinkState.BROKEN and is_broken:
            # What follows from the first break is no second thing to put right.
            yield replace(link, state=LinkState.LATER, fix=None, command=None)
        else:
            yield link
        is_broken = is_broken or link.state is LinkState.BROKEN
