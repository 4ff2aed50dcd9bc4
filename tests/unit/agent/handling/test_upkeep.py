"""How fast somebody is answered who keeps changing an object back."""

from datetime import timedelta

import pytest

from towline_agent.handling.upkeep import RepairHistory, wait_before_repair

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("history", "now", "wait"),
    [
        pytest.param(None, 0.0, 0 * SECOND, id="never-before"),
        pytest.param(RepairHistory(1, 100.0), 100.0, SECOND, id="just-now"),
        pytest.param(RepairHistory(1, 100.0), 100.5, 0.5 * SECOND, id="half-waited"),
        pytest.param(RepairHistory(1, 100.0), 102.0, 0 * SECOND, id="waited"),
        pytest.param(RepairHistory(4, 100.0), 100.0, 8 * SECOND, id="fourth"),
        pytest.param(RepairHistory(99, 100.0), 100.0, 300 * SECOND, id="hundredth"),
        pytest.param(RepairHistory(99, 100.0), 700.0, 0 * SECOND, id="long-ago"),
    ],
)
def test_the_wait_doubles_up_to_five_minutes(
    history: RepairHistory | None, now: float, wait: timedelta
) -> None:
    """Two programs that disagree would else keep two API servers busy."""
    assert wait_before_repair(history, now=now) == wait


def test_a_pause_begins_a_new_history() -> None:
    """A second person's mistake in a day is put right as fast as the first one's."""
    history = RepairHistory(0, 0.0).after(1.0).after(2.0)
    assert history == RepairHistory(2, 2.0)
    assert history.after(602.0) == RepairHistory(1, 602.0)
