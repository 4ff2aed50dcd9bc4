"""Conditions are read with care and changed by the rules of Kubernetes."""

import copy
import functools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.conditions import (
    Condition,
    ConditionStatus,
    conditions_of,
    find_condition,
    is_true,
    with_condition,
)
from towline_api.errors import WireError
from towline_api.resources import KubeObject

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
AVAILABLE = {
    "type": "Available",
    "status": "True",
    "reason": "LeaseUpdated",
    "message": "all is well",
    "lastTransitionTime": "2026-01-31T12:00:00Z",
}
FOREIGN = {"type": "Foreign", "status": "Unknown", "x-note": {"kept": [1, 2]}}


def of(*conditions: object) -> KubeObject:
    return {"status": {"conditions": list(conditions)}}


def test_a_condition_is_found_by_its_type():
    """The common case, every field told."""
    found = find_condition(of(FOREIGN, AVAILABLE | {"observedGeneration": 3}), "Available")
    assert found == Condition(
        type="Available",
        status=ConditionStatus.TRUE,
        reason="LeaseUpdated",
        message="all is well",
        last_transition_time=NOON,
        observed_generation=3,
    )


@pytest.mark.parametrize("obj", [{}, {"status": None}, {"status": {}}, of(), of(FOREIGN)])
def test_an_absent_condition_is_none_and_not_true(obj: KubeObject):
    """New objects have no status at all."""
    assert find_condition(obj, "Available") is None
    assert not is_true(obj, "Available")


@pytest.mark.parametrize(
    ("status", "expected"), [("True", True), ("False", False), ("Unknown", False)]
)
def test_only_the_status_true_is_true(status: str, expected: bool):
    """Unknown is not True, however it came about."""
    assert is_true(of(AVAILABLE | {"status": status}), "Available") is expected


def test_fields_old_writers_leave_out_are_empty():
    """A certificate request's conditions may lack reason, message and time."""
    found = find_condition(of({"type": "Approved", "status": "True"}), "Approved")
    assert found == Condition("Approved", ConditionStatus.TRUE, "", "", None)


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        ({"status": "ok"}, "status"),
        ({"status": {"conditions": {"a": 1}}}, "status.conditions"),
        (of(AVAILABLE, "x"), "status.conditions[1]"),
        (of(FOREIGN, AVAILABLE | {"status": "yes"}), "status.conditions[1].status"),
        (of(AVAILABLE | {"status": True}), "status.conditions[0].status"),
        (of(AVAILABLE | {"lastTransitionTime": 5}), "status.conditions[0].lastTransitionTime"),
        (of(AVAILABLE | {"lastTransitionTime": "x"}), "status.conditions[0].lastTransitionTime"),
    ],
)
def test_what_is_no_condition_is_a_wire_error_with_its_field(obj: KubeObject, field: str):
    """Whoever has to repair the object needs the path."""
    with pytest.raises(WireError) as caught:
        find_condition(obj, "Available")
    assert caught.value.field == field


def test_a_new_condition_starts_now():
    """The other conditions stay as they are and where they are."""
    result = with_condition(
        [FOREIGN], type="Joined", status="True", reason="Joined", message="in", now=NOON
    )
    assert result == [
        FOREIGN,
        {
            "type": "Joined",
            "status": "True",
            "reason": "Joined",
            "message": "in",
            "lastTransitionTime": "2026-01-31T12:00:00Z",
        },
    ]


def test_the_transition_time_moves_with_the_status():
    """People read from it since when a cluster has been gone."""
    result = with_condition(
        [AVAILABLE], type="Available", status="Unknown", reason="Stale", message="", now=LATER
    )
    assert result[0]["lastTransitionTime"] == "2026-01-31T13:00:00Z"
    assert result[0]["status"] == "Unknown"


def test_the_transition_time_stays_when_only_the_words_change():
    """A new reason for the same status is no transition."""
    result = with_condition(
        [AVAILABLE], type="Available", status="True", reason="Other", message="new", now=LATER
    )
    assert result == [AVAILABLE | {"reason": "Other", "message": "new"}]


def test_a_missing_transition_time_is_filled_in():
    """The API requires it, so leaving it out would make every later write fail."""
    old = {key: value for key, value in AVAILABLE.items() if key != "lastTransitionTime"}
    result = with_condition(
        [old], type="Available", status="True", reason="LeaseUpdated", message="", now=LATER
    )
    assert result[0]["lastTransitionTime"] == "2026-01-31T13:00:00Z"


def test_fields_we_do_not_know_survive():
    """A newer hub may say more than we understand."""
    result = with_condition(
        [FOREIGN], type="Foreign", status="False", reason="Read", message="", now=NOON
    )
    assert result[0]["x-note"] == {"kept": [1, 2]}


def test_an_outdated_observed_generation_is_removed():
    """A generation that nobody looked at must not seem confirmed."""
    old = AVAILABLE | {"observedGeneration": 2}
    same = functools.partial(
        with_condition, [old], type="Available", status="True", reason="R", message="", now=NOON
    )
    assert "observedGeneration" not in same()[0]
    assert same(observed_generation=3)[0]["observedGeneration"] == 3


def test_a_duplicate_of_the_condition_goes():
    """The list is keyed by type; the API refuses a second entry."""
    result = with_condition(
        [AVAILABLE, FOREIGN, AVAILABLE | {"status": "False"}],
        type="Available",
        status="True",
        reason="LeaseUpdated",
        message="all is well",
        now=LATER,
    )
    assert result == [AVAILABLE, FOREIGN]


def test_the_result_holds_plain_json():
    """Values go to JSON, YAML and comparisons; an enum member would print as itself."""
    result = with_condition(
        [], type="A", status=ConditionStatus.TRUE, reason="R", message="", now=NOON
    )
    assert type(result[0]["status"]) is str


def test_a_message_too_long_for_the_api_is_cut():
    """An error text must not make the write that reports it fail."""
    result = with_condition([], type="A", status="True", reason="R", message="x" * 40_000, now=NOON)
    assert len(result[0]["message"]) == 32768


@pytest.mark.parametrize("reason", ["", "two words", "1st", "ends,", "a" * 1025, "Line\n"])
def test_a_reason_the_api_would_refuse_is_a_programming_error(reason: str):
    """Better here, with a traceback, than as an answer 422 at three in the morning."""
    with pytest.raises(ValueError, match="reason"):
        with_condition([], type="A", status="True", reason=reason, message="", now=NOON)


def test_a_status_that_does_not_exist_is_a_programming_error():
    """Only three words are a status."""
    with pytest.raises(ValueError, match="yes"):
        with_condition([], type="A", status="yes", reason="R", message="", now=NOON)  # type: ignore[arg-type]


statuses = st.sampled_from(["True", "False", "Unknown"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from("ABC"), "status": statuses},
            optional={
                "lastTransitionTime": st.just("2026-01-31T12:00:00Z"),
                "extra": st.integers(),
            },
        ),
        unique_by=lambda item: item["type"],
    ),
    st.sampled_from("ABC"),
    statuses,
)
def test_setting_twice_changes_nothing_more(conditions, condition_type, status):
    """Level-triggered controllers set the same condition on every pass; only the first writes."""
    before = copy.deepcopy(conditions)
    same = {"type": condition_type, "status": status, "reason": "R", "message": "m"}
    once = with_condition(conditions, **same, now=NOON)
    assert conditions == before, "the input is not changed"
    assert with_condition(once, **same, now=LATER) == once
    others = [item for item in conditions if item["type"] != condition_type]
    assert [item for item in once if item["type"] != condition_type] == others
    assert is_true({"status": {"conditions": once}}, condition_type) is (status == "True")
    assert len(conditions_of({"status": {"conditions": once}})) == len(once)
