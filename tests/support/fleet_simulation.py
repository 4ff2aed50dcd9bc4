"""A fleet that lost its hub, played with numbers alone: who tries when, and who is answered."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from towline_kube.patience import ReturnPolicy


@dataclass
class Fleet:
    """What a fleet did after all of it lost the hub at second 0.

    Args:
        tries: How many tries fell into each second.
        back: When each loop was answered.
    """

    tries: Counter[int] = field(default_factory=Counter)
    back: list[float] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The most tries in any second."""
        return max(self.tries.values())

    def peak_from(self, second: float) -> int:
        """Return the most tries in any second from then on; 0 if there were none."""
        return max((count for at, count in self.tries.items() if at >= second), default=0)


def lose_hub(
    agents: int,
    *,
    loops: int,
    policy: ReturnPolicy,
    away: timedelta,
    seed: int,
    answers: Callable[[float, int], bool] = lambda _at, _tries: True,
) -> Fleet:
    """Play until everything is back.

    Args:
        agents: How many there are.
        loops: What each tries with.
        policy: When they try.
        away: How long the hub answers nobody.
        seed: Of chance.
        answers: Whether the hub, once it is back, answers at an instant a try before which there
            were so many others in that second.
    """
    chance = random.Random(seed)
    fleet = Fleet()
    since = [0.0] * agents
    """Since when the hub is away, as each agent sees it; all its loops have that in common."""
    due: list[tuple[float, int]] = [
        (policy.pause(timedelta(), roll=chance.random()).total_seconds(), agent)
        for agent in range(agents)
        for _ in range(loops)
    ]
    heapq.heapify(due)
    while due:
        at, agent = heapq.heappop(due)
        second = int(at)
        is_answered = at >= away.total_seconds() and answers(at, fleet.tries[second])
        fleet.tries[second] += 1
        if is_answered:
            fleet.back.append(at)
            since[agent] = at
        else:
            lasted = timedelta(seconds=at - since[agent])
            pause = policy.pause(lasted, roll=chance.random()).total_seconds()
            heapq.heappush(due, (at + pause, agent))
    return fleet
