"""An add-on is well only if every health check says so in time, whatever the others do."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import cast

import pytest

from towline_agent.health.registration import register_check
from towline_agent.health.rounds import HealthRounds, RegisteredCheck, UnhealthyError
from towline_agent.station.overview import told_faults
from towline_agent.station.spoke_access import Spoke
from towline_agent.station.user_code import CodeReport, Role, UserCode, UserFunction
from towline_kube.client import Client
from towline_kube.errors import Unreachable

SPOKE = Spoke(cast("Client", None), "cluster1", "addons")
SOON = timedelta(milliseconds=20)


def check(
    name: str, ask: Callable[[Spoke], Awaitable[object]], *, limit: timedelta = SOON
) -> RegisteredCheck:
    return RegisteredCheck(ask, UserFunction(Role.HEALTH, name), limit)


async def well(_: Spoke) -> bool:
    return True


async def hangs(_: Spoke) -> bool:
    await asyncio.Event().wait()
    return True


@pytest.fixture
def code() -> UserCode:
    """The functions of one add-on."""
    return UserCode("helloworld")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        pytest.param(True, None, id="well"),
        pytest.param(False, "it says that the add-on is not healthy", id="ill"),
        pytest.param(
            None, "it returned nothing; a health check returns True or False", id="says-nothing"
        ),
        pytest.param(UnhealthyError("queue is full"), "queue is full", id="says-why"),
        pytest.param(ZeroDivisionError("no"), "ZeroDivisionError: no", id="raises"),
        pytest.param(Unreachable("no answer"), "no answer", id="cannot-look"),
        pytest.param(asyncio.CancelledError(), "CancelledError", id="waited-in-vain"),
        pytest.param("hang", "no answer within 0.02 s", id="hangs"),
    ],
)
async def test_only_a_yes_in_time_is_a_yes(
    code: UserCode, outcome: object, said: str | None
) -> None:
    """An add-on that cannot tell must not look alive, and people are to know which check it is."""

    async def ask(spoke: Spoke) -> object:
        if outcome == "hang":
            await hangs(spoke)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    rounds = HealthRounds([check("first", well), check("queue", ask)], code=code)
    assert await rounds.are_well(SPOKE) is (said is None)
    faults = [] if said is None else [f"health queue: {said}"]
    assert [str(fault) for fault in code.faults] == faults
    assert list(told_faults(code)) == faults, "also what counts on the hub from the third time on"
    assert code.checks == {"first": True, "queue": said is None}


async def test_checks_are_asked_all_at_once(code: UserCode) -> None:
    """Ten that take a second each must not take ten: the Lease is due every minute."""
    together = asyncio.Barrier(10)

    async def ask(_: Spoke) -> bool:
        await together.wait()
        return True

    checks = [check(f"c{number}", ask, limit=timedelta(seconds=5)) for number in range(10)]
    assert await HealthRounds(checks, code=code).are_well(SPOKE)


async def test_a_check_that_will_not_end_neither_piles_up_nor_hides_others(code: UserCode) -> None:
    """One that swallows its cancellation runs once, fails until it ends, and is asked then."""
    ending = asyncio.Event()
    calls = 0

    async def stubborn(_: Spoke) -> bool:
        nonlocal calls
        calls += 1
        while calls == 1 and not ending.is_set():
            try:
                await ending.wait()
            except asyncio.CancelledError:
                continue
        return True

    rounds = HealthRounds([check("stubborn", stubborn), check("other", well)], code=code)
    began = time.monotonic()
    for _ in range(3):
        assert not await rounds.are_well(SPOKE)
        assert code.checks == {"stubborn": False, "other": True}
    assert time.monotonic() - began < 5
    assert calls == 1
    assert "not asked again before it ends" in str(code.faults[0])
    ending.set()
    await asyncio.sleep(0)
    assert await rounds.are_well(SPOKE)
    assert calls == 2
    assert code.faults == ()


async def test_a_round_that_is_cancelled_leaves_nothing_behind(code: UserCode) -> None:
    """The program ends while a check hangs; its check ends with it, and counts for nothing."""
    rounds = HealthRounds([check("slow", hangs, limit=timedelta(minutes=1))], code=code)
    before = asyncio.all_tasks()
    asking = asyncio.create_task(rounds.are_well(SPOKE))
    await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()
    assert asyncio.all_tasks() == before
    assert code.faults == ()


async def test_a_failure_is_logged_once_with_its_name_and_its_context(
    code: UserCode, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the log at night finds which check, why, and where in the code."""

    async def broken(_: Spoke) -> bool:
        raise ZeroDivisionError("no")

    rounds = HealthRounds([check("queue", broken)], code=code)
    for _ in range(3):
        await rounds.are_well(SPOKE)
    (record,) = [found for found in caplog.records if found.levelno == logging.WARNING]
    assert record.__dict__["task"] == "health queue"
    assert record.__dict__["error"] == "ZeroDivisionError: no"
    assert record.exc_info is not None
    report = CodeReport("True", "HealthCheckFailed", "health queue: ZeroDivisionError: no")
    assert code.report() == report


class Named:
    """A check that says what it is called."""

    name = "depth"

    async def __call__(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(
    ("given", "taken", "called"),
    [
        pytest.param(None, (), "depth", id="as-it-calls-itself"),
        pytest.param("deep", (), "deep", id="as-it-is-told"),
        pytest.param(None, ("depth", "depth-2"), "depth-3", id="unlike-others"),
    ],
)
def test_every_check_has_a_name_of_its_own(
    given: str | None, taken: tuple[str, ...], called: str
) -> None:
    """Two of one name would take back each other's failures."""
    registered = register_check(Named(), timeout=SOON, name=given, taken=taken)
    assert registered.function == UserFunction(Role.HEALTH, called)


@pytest.mark.parametrize("seconds", [0, -1, 61])
def test_a_limit_that_cannot_work_is_refused(seconds: int) -> None:
    """One that is longer than a renewal takes would cost renewals although all is well."""
    with pytest.raises(ValueError, match=r"health check well: expected a timeout"):
        register_check(well, timeout=timedelta(seconds=seconds), name=None, taken=())
