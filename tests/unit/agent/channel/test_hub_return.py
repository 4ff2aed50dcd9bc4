"""What ten thousand agents ask of a hub that was away."""

import math
from datetime import timedelta

import pytest

from support.fleet_simulation import lose_hub
from towline_agent.channel.hub_return import (
    CLUSTER_LOOPS,
    not_before,
    return_policy,
    tries_per_second,
)
from towline_api.errors import ConfigError, TransientError
from towline_kube.patience import ReturnPolicy

SECOND = timedelta(seconds=1)
POLICY = return_policy()


def bound(agents: int) -> float:
    """Return the most tries in any second; the average bound, and what chance may add to it."""
    most = tries_per_second(agents)
    return most + 5 * math.sqrt(most)


def test_the_bound_for_ten_thousand_agents_is_a_thousand_tries_a_second() -> None:
    """The number the documentation states."""
    assert tries_per_second(10_000) == 1000


@pytest.mark.parametrize(
    ("agents", "away_seconds"),
    [(10_000, 0), (10_000, 45), *((1_000, away) for away in (3, 29, 31, 60, 95, 130, 600))],
)
def test_a_fleet_that_lost_its_hub_never_asks_for_more_than_the_bound(
    agents: int, away_seconds: int
) -> None:
    """Neither while it is away (it may only be overloaded) nor when it is back."""
    away = timedelta(seconds=away_seconds)
    fleet = lose_hub(agents, loops=CLUSTER_LOOPS, policy=POLICY, away=away, seed=away_seconds)
    assert len(fleet.back) == agents * CLUSTER_LOOPS
    assert fleet.peak <= bound(agents)
    assert max(fleet.back) <= away_seconds + POLICY.limit.total_seconds()


def test_after_a_long_outage_a_fleet_comes_back_with_far_less_than_the_bound() -> None:
    """By then its tries are spread over the longest pauses."""
    agents = 1_000
    fleet = lose_hub(agents, loops=CLUSTER_LOOPS, policy=POLICY, away=timedelta(minutes=10), seed=1)
    expected = agents * CLUSTER_LOOPS / (0.75 * POLICY.limit.total_seconds())
    assert fleet.peak_from(600) <= expected + 6 * expected**0.5


def test_a_hub_that_answers_little_at_first_gets_everybody_back() -> None:
    """Those it turns away come again later, and more spread out; nobody is turned away for ever."""
    agents, answered = 1_000, 15

    def answers(_at: float, tries: int) -> bool:
        return tries < answered

    fleet = lose_hub(
        agents, loops=CLUSTER_LOOPS, policy=POLICY, away=30 * SECOND, seed=2, answers=answers
    )
    assert len(fleet.back) == agents * CLUSTER_LOOPS
    assert fleet.peak <= bound(agents)
    shortest = agents * CLUSTER_LOOPS / answered
    assert max(fleet.back) < 2 * shortest, "it could have answered far more"


def test_a_policy_without_chance_would_break_the_bound() -> None:
    """The simulation can tell: this is what it is there for."""

    class Together(ReturnPolicy):
        __slots__ = ()

        def pause(
            self,
            away: timedelta,
            *,
            roll: float,
            asked: timedelta | None = None,
        ) -> timedelta:
            return SECOND

    policy = Together(spread=POLICY.spread, limit=POLICY.limit)
    fleet = lose_hub(1_000, loops=CLUSTER_LOOPS, policy=policy, away=3 * SECOND, seed=3)
    assert fleet.peak > bound(1_000)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(TransientError("x", retry_after=9 * SECOND), 9, id="asked-for-more"),
        pytest.param(TransientError("x", retry_after=SECOND), 5, id="asked-for-less"),
        pytest.param(TransientError("x"), 5, id="asked-for-nothing"),
        pytest.param(ConfigError("x"), 5, id="cannot-ask"),
    ],
)
def test_whoever_failed_may_ask_for_a_longer_pause(error: Exception, seconds: int) -> None:
    """Not for a shorter one."""
    assert not_before(5 * SECOND, error) == seconds * SECOND
