"""How an agent stands with its hub: every state against everything that can be observed."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

import pytest

from towline_agent.credentials.state import (
    AgentState,
    Asking,
    Holding,
    Observation,
    Standing,
    next_state,
)

S, H, A, W = AgentState, Holding, Asking, Standing


def among(text: str, kind: type[StrEnum]) -> frozenset[object]:
    """Return the members a word of the table names: `*`, `a|b`, or `!a|b` for all but these."""
    if text == "*":
        return frozenset(kind)
    names = frozenset(kind(name) for name in text.removeprefix("!").split("|"))
    return frozenset(kind) - names if text.startswith("!") else names


TABLE = """
# before                   holding       asking    standing          after
*                          *             *         gone              removed
*                          *             *         denied            denied

*                          nothing       not       !gone|denied      unregistered
*                          nothing       pending   !gone|denied      requested
*                          nothing       refused   !gone|denied      denied

*                          expired       refused   !gone|denied      denied
*                          expired       !refused  !gone|denied      expired

*                          good|due      *         waiting           requested

*                          good          not       accepted          registered
*                          good          !not      accepted          renewing
*                          due           *         accepted          renewing

removed                    good|due      *         unknown           removed
requested|denied           good|due      *         unknown           requested
!removed|requested|denied  good          not       unknown           registered
!removed|requested|denied  good          !not      unknown           renewing
!removed|requested|denied  due           *         unknown           renewing
"""


@dataclass(frozen=True)
class Row:
    text: str
    before: frozenset[object]
    holding: frozenset[object]
    asking: frozenset[object]
    standing: frozenset[object]
    after: AgentState

    def covers(self, before: AgentState, seen: Observation) -> bool:
        return (
            before in self.before
            and seen.holding in self.holding
            and seen.asking in self.asking
            and seen.standing in self.standing
        )


def rows() -> Iterator[Row]:
    for line in TABLE.splitlines():
        if line and not line.startswith("#"):
            before, holding, asking, standing, after = line.split()
            yield Row(
                " ".join(line.split()),
                among(before, S),
                among(holding, H),
                among(asking, A),
                among(standing, W),
                S(after),
            )


ROWS = tuple(rows())
EVERYTHING = tuple(
    (before, Observation(holding, asking, standing))
    for before, holding, asking, standing in product(S, H, A, W)
)


def test_every_state_and_observation_has_exactly_one_row() -> None:
    """What nobody thought of must not come out by accident."""
    assert len(EVERYTHING) == 420
    for before, seen in EVERYTHING:
        covering = [row.text for row in ROWS if row.covers(before, seen)]
        assert len(covering) == 1, (before, seen, covering)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.text)
def test_the_state_that_follows_is_that_of_the_table(row: Row) -> None:
    """The table is the contract; the function is only one way to say it."""
    for before, seen in EVERYTHING:
        if row.covers(before, seen):
            assert next_state(before, seen) is row.after, (before, seen)


def test_looking_again_at_the_same_changes_nothing() -> None:
    """Whoever looks more often than others must not get another answer."""
    for before, seen in EVERYTHING:
        once = next_state(before, seen)
        assert next_state(once, seen) is once, (before, seen)


def test_once_the_hub_has_spoken_the_state_before_does_not_matter() -> None:
    """That makes it safe to lose: a restart concludes the same from the same facts."""
    for holding, asking, standing in product(H, A, W):
        if standing is W.UNKNOWN:
            continue
        seen = Observation(holding, asking, standing)
        assert len({next_state(before, seen) for before in S}) == 1


def test_only_a_good_credential_of_an_accepted_cluster_serves() -> None:
    """`/readyz` rests on it."""
    for before, seen in EVERYTHING:
        if next_state(before, seen).is_serving:
            assert seen.holding in (H.GOOD, H.DUE)
            assert seen.standing in (W.ACCEPTED, W.UNKNOWN)
