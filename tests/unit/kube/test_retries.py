"""Which failures are worth another attempt, and how long the pauses are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clock import FakeClock
from support.tasks import background
from towline_kube.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    ServerError,
    Throttled,
    Unreachable,
    UntrustedServer,
)
from towline_kube.retries import Repeat, RetryPolicy, may_repeat, parse_retry_after, with_retries

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "idempotent", "create"),
    [
        (Throttled("x"), True, True),
        (ServerError("x"), True, False),
        (Unreachable("x", was_sent=True), True, False),
        (Unreachable("x", was_sent=False), True, True),
        (UntrustedServer("x", was_sent=False), True, True),
        (Conflict("x"), False, False),
        (Forbidden("x"), False, False),
        (Gone("x"), False, False),
        (ApiError("x"), False, False),
        (RuntimeError("x"), False, False),
    ],
)
def test_what_may_be_repeated(error: Exception, *, idempotent: bool, create: bool) -> None:
    """A create that may have happened is not sent again; everything else only if it can help."""
    assert may_repeat(error, Repeat.WHEN_TRANSIENT) is idempotent
    assert may_repeat(error, Repeat.WHEN_NOT_DONE) is create


async def run(errors: list[Exception], policy: RetryPolicy) -> tuple[list[int], list[timedelta]]:
    """Return the attempts made and the pauses between them; raise what is raised."""
    clock = FakeClock()
    attempts: list[int] = []

    async def attempt(number: int) -> None:
        attempts.append(number)
        if errors:
            raise errors.pop(0)

    async with background(
        with_retries(attempt, repeat=Repeat.WHEN_TRANSIENT, policy=policy, clock=clock),
        name="call-server",
    ) as task:
        await clock.advance(timedelta(hours=1))
        await task
    return attempts, clock.sleeps


async def test_pauses_grow_and_stay_below_their_limits() -> None:
    """Jitter draws between nothing and a bound that doubles."""
    policy = RetryPolicy(
        attempts=6, first_delay=timedelta(seconds=1), longest_delay=timedelta(seconds=4)
    )
    for _ in range(50):
        attempts, pauses = await run([ServerError("x") for _ in range(5)], policy)
        assert attempts == [1, 2, 3, 4, 5, 6]
        bounds = [1, 2, 4, 4, 4]
        assert all(
            pause <= timedelta(seconds=bound) for pause, bound in zip(pauses, bounds, strict=True)
        )


async def test_what_the_server_asks_for_is_the_least() -> None:
    """Coming back sooner than asked is what makes an overloaded server fall over."""
    asked = timedelta(seconds=7)
    _, pauses = await run([Throttled("x", retry_after=asked)], RetryPolicy())
    assert asked <= pauses[0] <= asked + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("policy", "errors", "made"),
    [
        pytest.param(RetryPolicy(attempts=2), [ServerError("x")] * 9, 2, id="attempts"),
        pytest.param(
            RetryPolicy(attempts=99, give_up_after=timedelta(seconds=20)),
            [Throttled("x", retry_after=timedelta(seconds=9))] * 99,
            3,
            id="time",
        ),
        pytest.param(
            RetryPolicy(), [Throttled("x", retry_after=timedelta(seconds=31))], 1, id="too-patient"
        ),
        pytest.param(RetryPolicy(), [Conflict("x")], 1, id="useless"),
    ],
)
async def test_giving_up_raises_the_last_error_itself(
    policy: RetryPolicy, errors: list[Exception], made: int
) -> None:
    """Callers sort failures by type; a wrapper around them would hide it."""
    count = len(errors)
    with pytest.raises(type(errors[0])):
        await run(errors, policy)
    assert count - len(errors) == made


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        (None, None),
        ("5", timedelta(seconds=5)),
        (" 0 ", timedelta()),
        ("99999999999999999999", timedelta(days=1)),
        ("Sun, 01 Mar 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta()),
        ("Sun, 01 Mar 2030 12:00:00 GMT", timedelta(days=1)),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, pause: timedelta | None) -> None:
    """Both forms of RFC 9110; nonsense leaves the decision to our own backoff."""
    assert parse_retry_after(value, now=NOW) == pause


@given(st.text(max_size=40))
def test_no_header_breaks_the_parser(value: str) -> None:
    """The header is the other side's text."""
    pause = parse_retry_after(value, now=NOW)
    assert pause is None or timedelta() <= pause <= timedelta(days=1)
