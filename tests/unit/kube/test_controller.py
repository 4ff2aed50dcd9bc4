"""A controller has one pass a key at a time, and each way a pass ends has its own consequence."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from support.tasks import background
from towline_api.errors import ConfigError, EnrollmentError, TransientError, WireError
from towline_api.metadata import labels_of, name_of
from towline_api.resources import MANAGED_CLUSTERS, KubeObject
from towline_kube.backoff import Backoff
from towline_kube.cache import Cache
from towline_kube.controller import DONE, Controller, Result
from towline_kube.errors import Conflict, Forbidden, Throttled
from towline_kube.log_context import ContextFilter

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Reconcile = Callable[[str], Awaitable[Result]]


class Script:
    """A reconciler that does as it is told: returns or raises what comes next, then `DONE`."""

    def __init__(self, clock: FakeClock, *steps: Result | BaseException) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.passes: list[tuple[str, float]] = []

    async def __call__(self, key: str) -> Result:
        self.passes.append((key, self.clock.monotonic()))
        await asyncio.sleep(0)
        step = self.steps.pop(0) if self.steps else DONE
        if isinstance(step, BaseException):
            raise step
        return step

    @property
    def times(self) -> list[float]:
        return [at for _, at in self.passes]


def controller(reconcile: Reconcile, clock: FakeClock, *, concurrency: int = 1) -> Controller[str]:
    return Controller(
        "test",
        reconcile,
        concurrency=concurrency,
        backoff=Backoff(first=SECOND, limit=8 * SECOND),
        clock=clock,
        roll=lambda: 0.0,
    )


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [
        (record.levelno, record.message)
        for record in caplog.records
        if record.levelno > logging.DEBUG
    ]


async def test_done_means_until_the_next_change(clock: FakeClock) -> None:
    """Nothing is polled."""
    script = Script(clock)
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(24 * HOUR)
        assert script.passes == [("c1", 0)]
        assert (under_test.passes, under_test.failures, under_test.depth) == (1, 0, 0)


async def test_a_pass_can_ask_for_another_one(clock: FakeClock) -> None:
    """Deadlines are kept by the queue, not by sleeping passes."""
    script = Script(clock, Result(look_again_in=MINUTE), Result(look_again_in=HOUR))
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1", after=SECOND)
        await clock.advance(24 * HOUR)
        assert script.times == [1, 61, 3661]
        assert under_test.delayed == 0


async def test_transient_failures_are_tried_again_later_and_later(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first one and the recovery are in the log, what lies between is not."""
    caplog.set_level(logging.DEBUG)
    script = Script(clock, *[TransientError("hub is away")] * 6)
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.settle()
        assert under_test.failing == 1
        await clock.advance(MINUTE)
        assert script.times == [0, 1, 3, 7, 15, 23, 31]
        assert (under_test.passes, under_test.failures, under_test.failing) == (7, 6, 0)
        assert logged(caplog) == [
            (logging.WARNING, "pass failed; will try again"),
            (logging.INFO, "pass succeeds again"),
        ]
        facts = caplog.records[0].__dict__
        assert (facts["object"], facts["task"]) == ("c1", "test")
        assert (facts["error"], facts["attempt"], facts["delay_s"]) == ("hub is away", 1, 1.0)

        script.steps = [TransientError("hub is away")]
        under_test.enqueue("c1")
        await clock.advance(MINUTE)
        assert script.times[-2:] == [60, 61]  # success has started the delays over


async def test_the_longer_of_backoff_and_retry_after_counts(clock: FakeClock) -> None:
    """A server that says when to come back is obeyed; one that says "at once" is not."""
    script = Script(
        clock,
        Throttled("busy", retry_after=5 * MINUTE),
        Throttled("busy", retry_after=timedelta(milliseconds=1)),
    )
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(HOUR)
        assert script.times == [0, 300, 302]


@pytest.mark.parametrize(
    "error",
    [ConfigError("no such file"), WireError("spec.request is missing", field="spec.request")],
    ids=["config", "wire"],
)
async def test_bad_input_is_not_tried_again_until_it_changes(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The same input fails the same way; the log says once that a person has to act."""
    caplog.set_level(logging.DEBUG)
    script = Script(clock, error, error)
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(24 * HOUR)
        assert script.times == [0]
        under_test.enqueue("c1")  # changed, but still wrong
        await clock.settle()
        under_test.enqueue("c1")  # put right
        await clock.settle()
        assert len(script.passes) == 3
    assert logged(caplog) == [
        (logging.ERROR, "pass failed; it will not be tried again before a change"),
        (logging.INFO, "pass succeeds again"),
    ]
    assert caplog.records[0].exc_info is None


async def test_bad_input_ends_the_row_of_failures(clock: FakeClock) -> None:
    """What fails after the input was changed fails for the first time."""
    away = TransientError("hub is away")
    script = Script(clock, away, away, away, ConfigError("bad"), away)
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(10 * SECOND)
        assert script.times == [0, 1, 3, 7]
        under_test.enqueue("c1")
        await clock.advance(MINUTE)
        assert script.times == [0, 1, 3, 7, 10, 11]


async def test_conflicts_are_no_news_unless_they_do_not_end(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading an object a moment too early is daily life; two writers fighting is not."""
    script = Script(clock, *[Conflict("changed")] * 5)
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(4 * SECOND)
        assert (len(script.passes), logged(caplog)) == (3, [])
        await clock.advance(MINUTE)
        assert len(script.passes) == 6
        assert logged(caplog) == [(logging.WARNING, "pass failed; will try again")]


async def test_a_bug_is_shown_once_with_its_traceback(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It costs one key its passes, not the others, and not a traceback every second."""
    script = Script(clock, KeyError("spec"), KeyError("spec"), KeyError("status"))
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.settle()
        under_test.enqueue("c2")
        await clock.advance(MINUTE)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert all(record.exc_info for record in errors)
    # Two keys, and for one of them a second kind of failure.
    assert [record.__dict__["error"] for record in errors] == ["'spec'", "'spec'", "'status'"]


@pytest.mark.parametrize(
    "error",
    [Forbidden("not allowed"), EnrollmentError("denied"), TimeoutError("took too long")],
    ids=lambda error: type(error).__name__,
)
async def test_foreseen_failures_need_no_traceback(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """They say in words what is the matter, and may end without any change that we see."""
    script = Script(clock, error)
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(MINUTE)
    assert script.times == [0, 1]
    assert logged(caplog) == [(logging.WARNING, "pass failed; will try again")]
    assert caplog.records[0].exc_info is None
    assert caplog.records[0].__dict__["error"] == str(error)


@pytest.mark.parametrize(
    ("errors", "times", "level"),
    [
        pytest.param(
            [ConfigError("bad"), Throttled("busy", retry_after=MINUTE)],
            [0, 60],
            logging.WARNING,
            id="one-may-heal",
        ),
        pytest.param([ConfigError("bad")], [0], logging.ERROR, id="none-may-heal"),
        pytest.param([KeyError("x"), ConfigError("bad")], [0, 1], logging.ERROR, id="a-bug"),
    ],
)
async def test_a_group_of_failures_is_judged_by_its_parts(
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    errors: list[Exception],
    times: list[float],
    level: int,
) -> None:
    """A pass that makes its calls side by side fails like one that makes them in turn."""
    script = Script(clock, ExceptionGroup("calls", [ExceptionGroup("inner", errors)]))
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(HOUR)
    assert script.times == times
    assert [found for found, _ in logged(caplog)] == [level]


async def test_a_pass_that_takes_too_long_is_stopped(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that hangs would hold up every key behind it."""
    stopped = asyncio.Event()

    async def hang(key: str) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return DONE

    under_test = Controller("test", hang, pass_timeout=timedelta(milliseconds=1), clock=clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await asyncio.wait_for(stopped.wait(), 5)
        await clock.settle()
        assert under_test.delayed == 1
    error = caplog.records[0].__dict__["error"]
    assert error == "pass of test for c1 was stopped because it took more than 0.001 s"


async def test_a_cancelled_dependency_does_not_end_the_worker(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """To a task group a cancelled worker is a finished one: nobody would notice."""
    script = Script(clock, asyncio.CancelledError())
    under_test = controller(script, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.advance(MINUTE)
        assert script.times == [0, 1]
    assert "waited for something that was cancelled" in caplog.records[0].__dict__["error"]


async def test_cancelling_stops_passes_and_leaves_nothing(clock: FakeClock) -> None:
    """Shutting down is one cancellation from outside; each pass may clean up."""
    seen: list[str] = []

    async def wait_for_ever(key: str) -> Result:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(key)
            raise
        return DONE

    under_test = controller(wait_for_ever, clock, concurrency=2)
    async with background(under_test.run(), name="run-controller") as running:
        for key in "abc":
            under_test.enqueue(key)
        await clock.settle()
        assert (under_test.running, under_test.depth) == (2, 1)
    assert running.cancelled()
    assert sorted(seen) == ["a", "b"]
    assert under_test.running == 0


async def test_passes_run_side_by_side_but_never_for_one_key(clock: FakeClock) -> None:
    """Concurrency is bounded, used, and never splits a key."""
    running: list[str] = []
    most = 0

    async def reconcile(key: str) -> Result:
        nonlocal most
        assert key not in running
        running.append(key)
        most = max(most, len(running))
        await clock.sleep(SECOND)
        running.remove(key)
        return DONE

    under_test = controller(reconcile, clock, concurrency=3)
    async with background(under_test.run(), name="run-controller"):
        for _ in range(30):
            for key in "abcde":
                under_test.enqueue(key)
            await clock.advance(0.3 * SECOND)
        await clock.advance(MINUTE)
        assert most == 3
        assert under_test.failures == 0
        assert under_test.running == 0
    assert under_test.passes > 10


async def test_workers_are_named(clock: FakeClock) -> None:
    """In a process that hangs, names are all one sees."""
    names: list[str] = []

    async def reconcile(key: str) -> Result:
        task = asyncio.current_task()
        assert task is not None
        names.append(task.get_name())
        return DONE

    under_test = controller(reconcile, clock)
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("c1")
        await clock.settle()
    assert names == ["reconcile-test/0"]


async def test_log_lines_of_one_pass_carry_its_id(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With it, one grep shows a whole pass; without the filter nothing of ours is lost."""
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(context := ContextFilter())

    async def reconcile(key: str) -> Result:
        logging.getLogger("somebody.else").info("looking", extra={"cluster": key})
        if key == "c1":
            raise TransientError("hub is away")
        return DONE

    under_test = controller(reconcile, clock)
    try:
        async with background(under_test.run(), name="run-controller"):
            under_test.enqueue("c1")
            under_test.enqueue("c2")
            await clock.settle()
    finally:
        caplog.handler.removeFilter(context)
    first, failed, second = (record.__dict__ for record in caplog.records)
    assert (first["cluster"], first["task"]) == ("c1", "test")
    assert first["reconcile_id"] == failed["reconcile_id"] != second["reconcile_id"]


async def test_changes_in_a_cache_become_passes(clock: FakeClock) -> None:
    """Every key an object concerns, before or after the change; none before the cache is whole."""

    def colours(obj: KubeObject) -> list[str]:
        return [labels_of(obj)["colour"]]

    def put(name: str, colour: str) -> None:
        server.put(MANAGED_CLUSTERS, {"metadata": {"name": name, "labels": {"colour": colour}}})

    server = FakeClient(clock)
    cache = Cache(server, MANAGED_CLUSTERS, clock=clock, roll=lambda: 0.0)
    script = Script(clock)
    under_test = controller(script, clock)
    under_test.feed_from(cache, colours)
    under_test.feed_from(cache, lambda obj: [name_of(obj)])
    put("c1", "red")
    async with background(under_test.run(), name="run-controller"):
        under_test.enqueue("early")
        await clock.settle()
        assert script.passes == []
        async with background(cache.run(), name="run-cache"):
            await clock.settle()
            assert [key for key, _ in script.passes] == ["early", "red", "c1"]
            script.passes.clear()
            put("c1", "blue")
            await clock.settle()
            assert [key for key, _ in script.passes] == ["red", "blue", "c1"]
            script.passes.clear()
            server.remove(MANAGED_CLUSTERS, "c1")
            await clock.settle()
            assert [key for key, _ in script.passes] == ["blue", "c1"]


def test_a_controller_without_workers_is_refused(clock: FakeClock) -> None:
    """It would never do anything, and nobody would know why."""
    with pytest.raises(ValueError, match="needs at least one worker"):
        controller(Script(clock), clock, concurrency=0)
