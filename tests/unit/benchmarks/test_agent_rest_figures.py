"""The benchmark of an agent at rest says what misses its goal, and asks as a cluster would."""

from dataclasses import replace

import pytest

from agent_rest import ASKED, AgentRest, _asked_every, shortcomings
from process_use import Memory

GOOD = AgentRest(
    endpoint=ASKED,
    memory=Memory(resident_mib=83.0, proportional_mib=60.0, threads=4),
    cpu_percent=0.15,
    hub_calls={"update leases": 2.0, "watch managedclusters": 9.0},
    spoke_calls={"get /livez": 5.0},
)


def test_what_reaches_its_goals_is_not_named() -> None:
    """Watches that are renewed are no calls of their own."""
    assert shortcomings([GOOD]) == []


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (
            replace(GOOD, memory=replace(GOOD.memory, resident_mib=84.0)),
            "84.00 MiB resident; the goal is 83",
        ),
        (replace(GOOD, cpu_percent=0.16), "0.16 % of a core; the goal is 0.15"),
        (replace(GOOD, hub_calls={"get x": 3.0}), "3.00 hub calls a minute; the goal is 2"),
    ],
)
def test_each_goal_that_is_missed_is_named(rest: AgentRest, told: str) -> None:
    """A figure that nobody compares with anything grows."""
    assert shortcomings([GOOD, rest]) == [f"endpoint {ASKED}: {told}"]


def test_it_asks_what_a_deployed_agent_is_asked() -> None:
    """Probes that nobody measured would be for free."""
    assert set(_asked_every()) == {"/healthz", "/readyz", "/metrics"}
    assert all(every >= 5 for every in _asked_every().values())
