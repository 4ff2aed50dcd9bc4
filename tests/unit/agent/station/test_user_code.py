"""What is known, logged and told of the functions an add-on's developer registered."""

import logging

import pytest

from towline_agent.station.user_code import TOLD_FROM, CodeReport, Role, UserCode, UserFunction
from towline_api.errors import TransientError

TASK = UserFunction(Role.TASK, "main")
HANDLER = UserFunction(Role.CONFIGURATION, "apply")
WELL = CodeReport("False", "AsExpected", "the add-on's code works.")


@pytest.fixture
def changes() -> list[str]:
    """What was told to have changed."""
    return []


@pytest.fixture
def code(changes: list[str]) -> UserCode:
    """The functions of one add-on."""
    return UserCode("helloworld", on_change=lambda: changes.append("changed"))


def test_a_bug_is_told_at_once_and_taken_back_on_recovery(
    code: UserCode, changes: list[str]
) -> None:
    """Whoever looks at the add-on on the hub sees which function fails, and with what."""
    code.failed(TASK, ZeroDivisionError("no"))
    assert code.report() == CodeReport(
        "True", "AddOnCodeFailed", "task main: ZeroDivisionError: no"
    )
    code.succeeded(TASK)
    assert code.report() == WELL
    assert len(changes) == 2


def test_the_same_failure_again_is_counted_and_not_told_again(
    code: UserCode, changes: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The hub is written to when there is news, and the log holds one traceback."""
    with caplog.at_level(logging.INFO):
        attempts = [code.failed(TASK, ZeroDivisionError("no")) for _ in range(5)]
        code.succeeded(TASK)
    assert attempts == [1, 2, 3, 4, 5]
    assert code.failures[TASK] == 5
    assert len(changes) == 2
    assert [record.message for record in caplog.records] == [
        "add-on code failed",
        "add-on code works again",
    ]
    assert caplog.records[0].exc_info is not None
    assert vars(caplog.records[0])["task"] == "task main"


def test_what_may_pass_by_itself_is_told_only_if_it_stays(code: UserCode) -> None:
    """A hub that restarts must not mark every add-on of the fleet."""
    for _ in range(TOLD_FROM - 1):
        code.failed(TASK, TransientError("the hub is away"))
        assert code.report() == WELL
    code.failed(TASK, TransientError("the hub is away"))
    report = code.report()
    assert report is not None
    assert report.status == "True"


def test_nothing_is_known_to_be_well_before_it_was_tried(code: UserCode) -> None:
    """A restarted process must not take back what the one before it said, only to say it again."""
    code.expect(TASK)
    assert code.report() is None
    code.succeeded(TASK)
    assert code.report() == WELL


def test_configuration_is_told_elsewhere(code: UserCode) -> None:
    """`Progressing` names its objects; two conditions for one trouble would only confuse."""
    code.failed(HANDLER, ZeroDivisionError("no"), about="configmaps c1/settings")
    assert code.report() == WELL
    assert [str(fault) for fault in code.faults] == [
        "configuration apply for configmaps c1/settings: ZeroDivisionError: no"
    ]


def test_objects_fail_and_recover_each_for_itself(code: UserCode) -> None:
    """One good object says nothing about another."""
    code.failed(HANDLER, ZeroDivisionError("no"), about="one")
    code.failed(HANDLER, ZeroDivisionError("no"), about="two")
    code.succeeded(HANDLER, about="one")
    assert [fault.object for fault in code.faults] == ["two"]


def test_what_is_told_holds_no_secrets_and_stays_short(code: UserCode) -> None:
    """The hub's operators read it, and they are not the owners of the cluster's secrets."""
    token = "eyJhbGciOiJSUzI1NiJ9." + "a" * 40 + "." + "b" * 40
    code.failed(TASK, ValueError(f"token={token} " + "x" * 5000 + "\nand more"))
    report = code.report()
    assert report is not None
    assert token not in report.message
    assert len(report.message) < 400
    assert "\n" not in report.message


def test_many_failures_are_summed_up(code: UserCode) -> None:
    """A condition is read in a terminal."""
    for number in range(9):
        code.failed(UserFunction(Role.TASK, f"t{number}"), ZeroDivisionError("no"))
    report = code.report()
    assert report is not None
    assert report.message.endswith("and 4 more")
