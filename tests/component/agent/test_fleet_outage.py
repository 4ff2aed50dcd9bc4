"""A fleet in one process comes back from an outage, without asking for anything anew.

The benchmark `outage.py` does the same with 300 agents and ten minutes; this is its short form.
"""

import dataclasses
from datetime import timedelta

import pytest

from outage import report, shortcomings
from outage_fleet import Outage, lose_hub

FLEET = Outage(
    agents=300,
    joined_in=60.0,
    mib_each=4.0,
    lasted=600.0,
    spread=30.0,
    away_tries=(30, 20, 10),
    return_calls=(12, 9),
    back_after=(0.5, 40.0, 119.0),
    whole_after=119.5,
    new_requests=0,
    new_clusters=0,
    changed_specs=0,
    cpu_share=0.05,
)


async def test_all_agents_of_a_process_come_back_and_register_nothing_anew() -> None:
    """Ten agents in one process share nothing: each has its own hub channel, store and pace."""
    outage = await lose_hub(10, lasting=timedelta(seconds=3), spread=timedelta(milliseconds=500))
    assert len(outage.back_after) == 10
    assert outage.away_peak > 0, "nobody noticed"
    assert (outage.new_requests, outage.new_clusters, outage.changed_specs) == (0, 0, 0)
    assert not [line for line in shortcomings(outage) if "MiB" not in line]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"away_tries": (30, 60)}, "60 tries in a second"),
        ({"return_calls": (12, 150)}, "150 calls in a second"),
        ({"back_after": (0.5, 131.0)}, "back only 131 s"),
        ({"new_requests": 1}, "anew"),
        ({"new_clusters": 1}, "anew"),
        ({"changed_specs": 1}, "anew"),
        ({"mib_each": 9.0}, "9.0 MiB"),
    ],
)
def test_the_benchmark_fails_by_what_is_not_as_it_has_to_be(
    change: dict[str, object], words: str
) -> None:
    """It would be no measure otherwise."""
    assert not shortcomings(FLEET)
    changed = dataclasses.replace(FLEET, **change)  # type: ignore[arg-type]
    (found,) = shortcomings(changed)
    assert words in found


def test_the_report_names_what_was_measured() -> None:
    """For whoever runs it."""
    text = report(FLEET)
    assert "300, joined in 60 s" in text
    assert "0.1, at most 30 (bound 30)" in text
