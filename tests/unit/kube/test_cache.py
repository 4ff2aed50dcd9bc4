"""A cache follows its server through everything that happens to a watch."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from support.clock import FakeClock
from support.fake_client import FakeClient
from support.tasks import background
from towline_api.metadata import ObjectKey, labels_of
from towline_api.resources import LEASES, MANAGED_CLUSTERS, KubeObject
from towline_kube.cache import Cache, NotInCache
from towline_kube.errors import Forbidden, Gone, NotServed, Throttled, Unauthorized, Unreachable
from towline_kube.reflector import WATCH_BACKOFF
from towline_kube.store import Change, ChangeType

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def lease(namespace: str, name: str = "managed-cluster-lease", **more: Any) -> KubeObject:
    return {"metadata": {"name": name, "namespace": namespace}, **more}


def cluster(name: str, **labels: str) -> KubeObject:
    return {"metadata": {"name": name, "labels": labels}}


def names(cache: Cache) -> list[str]:
    return list(map(str, cache.keys()))


class History:
    """A handler that writes down what it is told."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, change: Change) -> None:
        self.changes.append(change)

    def take(self) -> list[tuple[str, str]]:
        """Return and forget what came since the last look."""
        taken = [(str(change.type), str(change.key)) for change in self.changes]
        self.changes.clear()
        return taken


@pytest.fixture
def server(clock: FakeClock) -> FakeClient:
    return FakeClient(clock)


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def cache(server: FakeClient, clock: FakeClock, history: History) -> Cache:
    cache = Cache(server, LEASES, clock=clock, roll=lambda: 0.0)
    cache.on_change(history)
    return cache


@asynccontextmanager
async def running(cache: Cache, clock: FakeClock | None = None) -> AsyncIterator[None]:
    async with background(cache.run(), name="run-cache"):
        if clock is not None:
            await clock.settle()
        yield


async def test_the_first_list_fills_the_cache(
    server: FakeClient, cache: Cache, clock: FakeClock, history: History
) -> None:
    """Synced means complete: a reconciler may conclude something from what is missing."""
    server.put(LEASES, lease("c1"))
    server.put(LEASES, lease("c2"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cache.wait_synced(), 0)
    async with running(cache, clock):
        await asyncio.wait_for(cache.wait_synced(), 1)
        assert cache.synced
        assert history.take() == [
            ("ADDED", "c1/managed-cluster-lease"),
            ("ADDED", "c2/managed-cluster-lease"),
        ]
        assert len(cache) == 2
        assert set(cache.keys()) == {ObjectKey("managed-cluster-lease", c) for c in ("c1", "c2")}


async def test_changes_are_followed_by_watch(
    server: FakeClient, cache: Cache, clock: FakeClock, history: History
) -> None:
    """One list, one watch, and no further call however much changes."""
    async with running(cache, clock):
        server.put(LEASES, lease("c1", spec={"holderIdentity": "a"}))
        server.put(LEASES, lease("c1", spec={"holderIdentity": "b"}))
        await clock.settle()
        assert cache.get("managed-cluster-lease", "c1")["spec"] == {"holderIdentity": "b"}
        added, modified = history.changes
        assert (added.type, added.old) == (ChangeType.ADDED, None)
        assert modified.old is added.new
        server.remove(LEASES, "managed-cluster-lease", "c1")
        await clock.settle()
        assert history.changes[-1] == Change(ChangeType.DELETED, modified.new, None)
        assert history.changes[-1].object is modified.new
        assert len(cache) == 0
    assert [verb for verb, _ in server.calls] == ["list", "watch"]


async def test_a_missing_object_is_told_apart_from_a_found_one(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """`find` answers None, `get` raises and names what is missing."""
    server.put(LEASES, lease("c1"))
    async with running(cache, clock):
        assert cache.find("managed-cluster-lease", "c1") is not None
        assert cache.find("managed-cluster-lease", "c2") is None
        with pytest.raises(NotInCache, match=r"leases\.coordination\.k8s\.io c2/managed-cluster"):
            cache.get("managed-cluster-lease", "c2")


async def test_listed_objects_know_their_kind(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """Items of a list of a built-in kind lack it; an owner reference needs it."""
    server.put(LEASES, lease("c1"))
    async with running(cache, clock):
        found = cache.get("managed-cluster-lease", "c1")
        assert (found["apiVersion"], found["kind"]) == ("coordination.k8s.io/v1", "Lease")


async def test_an_ended_watch_goes_on_where_it_was(
    server: FakeClient, cache: Cache, clock: FakeClock, history: History
) -> None:
    """What happened in between is neither lost nor told twice, and nothing is listed again."""
    server.put(LEASES, lease("c1"))
    async with running(cache, clock):
        await clock.advance(MINUTE)
        history.take()
        server.end_watches()
        await clock.settle()
        server.put(LEASES, lease("c2"))
        server.remove(LEASES, "managed-cluster-lease", "c1")
        await clock.settle()
        assert history.take() == []
        await clock.advance(WATCH_BACKOFF.first)
        assert history.take() == [
            ("ADDED", "c2/managed-cluster-lease"),
            ("DELETED", "c1/managed-cluster-lease"),
        ]
    assert server.called("list") == 1


async def test_bookmarks_move_the_place_to_resume_from(
    server: FakeClient, cache: Cache, clock: FakeClock, history: History
) -> None:
    """On a quiet kind only bookmarks keep the place from getting too old."""
    async with running(cache, clock):
        server.put(MANAGED_CLUSTERS, cluster("elsewhere"))  # versions pass by without an event
        server.bookmark(LEASES)
        await clock.settle()
        server.forget_history()
        server.end_watches()
        await clock.advance(MINUTE)
        assert server.open_watches == 1
    assert server.called("list") == 1
    assert history.changes == []


async def test_a_place_too_old_leads_to_a_new_list(
    server: FakeClient, cache: Cache, clock: FakeClock, history: History
) -> None:
    """Whatever was missed is worked out by comparison, deletions included."""
    for name in ("stays", "changes", "goes", "reborn"):
        server.put(LEASES, lease("c1", name))
    async with running(cache, clock):
        history.take()
        kept = cache.get("stays", "c1")
        server.go_silent()  # the watch does not hear the following
        await clock.settle()
        server.put(LEASES, lease("c1", "changes", spec={"holderIdentity": "b"}))
        server.remove(LEASES, "goes", "c1")
        server.remove(LEASES, "reborn", "c1")
        server.put(LEASES, lease("c1", "reborn"))
        server.put(LEASES, lease("c1", "new"))
        server.speak_again()
        server.forget_history()
        await clock.advance(2 * MINUTE)
        assert sorted(history.take()) == [
            ("ADDED", "c1/new"),
            ("ADDED", "c1/reborn"),
            ("DELETED", "c1/goes"),
            ("DELETED", "c1/reborn"),
            ("MODIFIED", "c1/changes"),
        ]
        assert cache.get("stays", "c1") is kept
        assert cache.last_error is None
    assert server.called("list") == 2


async def test_gone_within_the_stream_leads_to_a_new_list(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """The server may report it as an event as well as by status."""
    async with running(cache, clock):
        server.end_watches(Gone("too old resource version"))
        await clock.advance(SECOND)
        assert server.called("list") == 2
        assert server.open_watches == 1


async def test_a_silent_watch_is_replaced(
    server: FakeClient, cache: Cache, clock: FakeClock, history: History
) -> None:
    """A half-open connection would hide every change for ever."""
    async with running(cache, clock):
        server.go_silent()
        server.put(LEASES, lease("c1"))
        await clock.advance(MINUTE)
        server.speak_again()
        assert history.take() == []
        await clock.advance(MINUTE)
        assert history.take() == [("ADDED", "c1/managed-cluster-lease")]
        assert cache.last_error is None


@pytest.mark.parametrize("roll", [0.0, 0.5, 0.999])
async def test_silence_alone_is_no_failure(
    server: FakeClient, clock: FakeClock, caplog: pytest.LogCaptureFixture, roll: float
) -> None:
    """Of a kind in which nothing happens, servers send no bookmarks either."""
    cache = Cache(server, LEASES, relist_every=30 * MINUTE, clock=clock, roll=lambda: roll)
    async with running(cache, clock):
        server.go_silent()
        for _ in range(66):  # a silent watch looks at the date only when it ends
            await clock.advance(MINUTE)
            assert cache.last_error is None
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
    assert server.called("list") == 3, "the lists that nothing reminds of are repeated all the same"
    assert server.called("watch") < 60


async def test_an_open_watch_is_well_before_anything_comes(
    server: FakeClient, cache: Cache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Or a hub would not be ready until something happens; the log waits until it has lasted."""
    caplog.set_level(logging.INFO)
    async with running(cache, clock):
        server.end_watches(Unreachable("connection lost"))
        await clock.settle()
        assert str(cache.last_error) == "connection lost"
        server.go_silent()
        await clock.advance(SECOND)
        assert cache.last_error is None
        assert caplog.messages == ["list or watch failed; will try again"]
        await clock.advance(2 * MINUTE)
        assert caplog.messages[1:] == ["list and watch work again"]


async def test_a_server_that_ends_every_watch_at_once_is_not_hammered(
    server: FakeClient, cache: Cache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Other clients are known to send thousands of requests a second here."""
    async with running(cache, clock):
        for _ in range(3600):
            server.put(LEASES, lease("c1"))  # an event each time does not make it healthy
            server.end_watches()
            await clock.advance(SECOND)
    assert server.called("watch") < 140
    assert server.called("list") <= 3
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "watch keeps ending soon after it began"
    ]


async def test_a_list_that_always_expires_is_not_hammered(
    server: FakeClient, cache: Cache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Gone leads to a list; if that is gone as well there must be a pause, and a word about it."""
    server.fail("list", *[Gone("continue token expired")] * 10_000)
    async with running(cache, clock):
        await clock.advance(timedelta(hours=1))
    assert server.called("list") < 140
    assert "watch keeps ending soon after it began" in caplog.messages


async def test_the_delay_starts_over_after_a_healthy_watch(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """A server that restarts once a day is met with the shortest delay each time."""
    async with running(cache, clock):
        for _ in range(8):
            server.end_watches()
            await clock.advance(WATCH_BACKOFF.limit)
        assert clock.sleeps[-1] == WATCH_BACKOFF.limit
        await clock.advance(MINUTE)
        server.end_watches()
        await clock.settle()
        assert clock.sleeps[-1] == WATCH_BACKOFF.first


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Forbidden("forbidden"), "not allowed to list or watch; will keep asking"),
        (Unauthorized("expired"), "credential not accepted; will keep asking"),
        (NotServed("404"), "kind is not served; will keep asking until its CRD is there"),
        (Unreachable("refused"), "list or watch failed; will try again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_a_refusal_is_said_once_and_outlived(
    server: FakeClient,
    cache: Cache,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    message: str,
    verb: str,
) -> None:
    """An agent meets refusals until it is accepted, which may take days."""
    caplog.set_level(logging.INFO)
    server.fail(verb, *[error] * 10_000)
    server.put(LEASES, lease("c1"))
    async with running(cache, clock):
        await clock.advance(timedelta(minutes=20))
        assert str(cache.last_error) == str(error)
        assert cache.synced is (verb == "watch")
        assert [record.message for record in caplog.records] == [message]
        record = caplog.records[0]
        assert getattr(record, "object") == "leases.coordination.k8s.io"  # noqa: B009
        assert server.called(verb) < 60
        server.recover()
        await clock.advance(MINUTE)
        server.bookmark(LEASES)
        await clock.settle()
        assert cache.last_error is None
        assert caplog.messages == [message, "list and watch work again"]
        assert cache.synced


async def test_a_refusal_names_the_missing_permission(
    server: FakeClient, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads the log can write the rule from it."""
    cache = Cache(server, LEASES, namespace="c1", clock=clock)
    server.fail("list", Forbidden("forbidden"))
    async with running(cache, clock):
        reason = getattr(caplog.records[0], "reason")  # noqa: B009
    assert reason == "needs the verbs list and watch on leases.coordination.k8s.io in c1"


async def test_the_server_can_ask_for_a_longer_pause(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """Retry-After wins over our own delay."""
    server.fail("list", Throttled("busy", retry_after=5 * MINUTE))
    async with running(cache, clock):
        await clock.advance(4 * MINUTE)
        assert server.called("list") == 1
        await clock.advance(MINUTE)
        assert cache.synced


async def test_an_unforeseen_failure_is_shown_once_and_outlived(
    server: FakeClient, cache: Cache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One odd answer must not take a hub of ten thousand clusters down."""
    server.fail("watch", *[RuntimeError("what is this")] * 3)
    async with running(cache, clock):
        assert "RuntimeError: what is this" in str(cache.last_error)
        await clock.advance(MINUTE)
        server.put(LEASES, lease("c1"))
        await clock.settle()
        assert len(cache) == 1
        assert cache.last_error is None
    (shown,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert shown.exc_info is not None
    assert server.called("list") == 3 + 1  # each time anew, since nobody knows what was missed


async def test_lists_are_repeated_now_and_then(server: FakeClient, clock: FakeClock) -> None:
    """However faithful the watch looks; and at different times in different agents."""
    cache = Cache(server, LEASES, relist_every=30 * MINUTE, clock=clock, roll=lambda: 0.5)
    async with running(cache, clock):
        for _ in range(29):
            server.bookmark(LEASES)
            await clock.advance(MINUTE)
        assert server.called("list") == 1
        server.bookmark(LEASES)  # since half a minute ago a list is due
        await clock.advance(MINUTE)
        assert server.called("list") == 2
        assert server.open_watches == 1
    assert server.open_watches == 0


def test_a_relist_interval_of_nothing_is_refused(clock: FakeClock) -> None:
    """It would list for ever."""
    with pytest.raises(ValueError, match="relist_every must be positive"):
        Cache(FakeClient(clock), LEASES, relist_every=timedelta(0))


async def test_selectors_choose_what_is_cached(server: FakeClient, clock: FakeClock) -> None:
    """Namespace, labels and fields narrow both the list and the watch."""
    one = Cache(server, MANAGED_CLUSTERS, field_selector="metadata.name=c1", clock=clock)
    red = Cache(server, MANAGED_CLUSTERS, label_selector="colour=red", clock=clock)
    here = Cache(server, LEASES, namespace="c1", clock=clock)
    server.put(MANAGED_CLUSTERS, cluster("c1"))
    server.put(LEASES, lease("c2"))
    async with running(one, clock), running(red, clock), running(here, clock):
        server.put(MANAGED_CLUSTERS, cluster("c2", colour="red"))
        server.put(LEASES, lease("c1"))
        await clock.settle()
        assert names(one) == ["c1"]
        assert names(red) == ["c2"]
        assert names(here) == ["c1/managed-cluster-lease"]
        server.put(MANAGED_CLUSTERS, cluster("c2", colour="blue"))  # leaves the selection
        await clock.settle()
        assert len(red) == 0


async def test_indexes_follow_every_change(server: FakeClient, clock: FakeClock) -> None:
    """An answer from an index equals what a look at all objects would give."""
    cache = Cache(
        server,
        MANAGED_CLUSTERS,
        indexes={"colour": lambda obj: filter(None, [labels_of(obj).get("colour")])},
        clock=clock,
    )

    def found(colour: str) -> list[str]:
        return [obj["metadata"]["name"] for obj in cache.by_index("colour", colour)]

    server.put(MANAGED_CLUSTERS, cluster("c1", colour="red"))
    server.put(MANAGED_CLUSTERS, cluster("c2", colour="red"))
    async with running(cache, clock):
        assert (found("red"), found("blue")) == (["c1", "c2"], [])
        server.put(MANAGED_CLUSTERS, cluster("c1", colour="blue"))
        await clock.settle()
        assert (found("red"), found("blue")) == (["c2"], ["c1"])
        server.remove(MANAGED_CLUSTERS, "c2")
        server.put(MANAGED_CLUSTERS, cluster("c1"))
        await clock.settle()
        assert (found("red"), found("blue")) == ([], [])
        with pytest.raises(ValueError, match="no index 'shape'; there are: colour"):
            cache.by_index("shape", "round")


async def test_an_index_function_that_fails_costs_only_its_own_answer(
    server: FakeClient, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever may write one malformed object must not be able to blind the hub."""
    indexes = {"colour": lambda obj: [obj["metadata"]["labels"]["colour"]]}
    cache = Cache(server, MANAGED_CLUSTERS, indexes=indexes, clock=clock)
    async with running(cache, clock):
        server.put(MANAGED_CLUSTERS, cluster("bad"))
        server.put(MANAGED_CLUSTERS, cluster("bad", size="big"))
        server.put(MANAGED_CLUSTERS, cluster("good", colour="red"))
        await clock.settle()
        assert len(cache) == 2
        assert len(cache.by_index("colour", "red")) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_handler_that_fails_harms_nobody_else(
    server: FakeClient, cache: Cache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is shown once, with its traceback, and again after it has worked in between."""
    broken = True

    def handler(change: Change) -> None:
        if broken:
            raise RuntimeError(f"cannot take {change.type}")

    cache.on_change(handler)
    later = History()
    cache.on_change(later)
    async with running(cache, clock):
        for name in "abc":
            server.put(LEASES, lease("c1", name))
        await clock.settle()
        assert len(later.take()) == 3
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert caplog.records[0].exc_info is not None
        broken = False
        server.remove(LEASES, "a", "c1")
        await clock.settle()
        broken = True
        server.remove(LEASES, "b", "c1")
        await clock.settle()
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


async def test_a_late_handler_hears_of_what_is_there(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """The order in which parts are put together does not matter."""
    server.put(LEASES, lease("c1"))
    async with running(cache, clock):
        late = History()
        cache.on_change(late)
        assert late.take() == [("ADDED", "c1/managed-cluster-lease")]


async def test_managed_fields_are_not_kept(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """They can be most of an object."""
    stored = lease("c1")
    stored["metadata"]["managedFields"] = [{"manager": "towline"}]
    server.put(LEASES, stored)
    async with running(cache, clock):
        assert "managedFields" not in cache.get("managed-cluster-lease", "c1")["metadata"]


@pytest.mark.parametrize("fails", [False, True])
async def test_trimming_is_up_to_the_owner(
    server: FakeClient, clock: FakeClock, caplog: pytest.LogCaptureFixture, *, fails: bool
) -> None:
    """A trim that fails costs memory, not objects."""

    def trim(obj: KubeObject) -> KubeObject:
        if fails:
            raise KeyError("data")
        return {**obj, "spec": "trimmed"}

    cache = Cache(server, LEASES, trim=trim, clock=clock)
    server.put(LEASES, lease("c1", spec={"holderIdentity": "a"}))
    async with running(cache, clock):
        kept = cache.get("managed-cluster-lease", "c1")["spec"]
        assert kept == ({"holderIdentity": "a"} if fails else "trimmed")
    assert ("trimming an object failed; it is kept whole" in caplog.messages) is fails


async def test_equal_field_names_are_held_once(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """The same two dozen names in 10,000 objects need not be 240,000 strings."""
    field = "".join(["holder", "Identity"])
    for namespace in ("c1", "c2"):
        server.put(LEASES, lease(namespace, spec={f"{field[:6]}{field[6:]}": namespace}))
    async with running(cache, clock):
        names = [
            next(iter(cache.get("managed-cluster-lease", namespace)["spec"]))
            for namespace in ("c1", "c2")
        ]
        assert names[0] is names[1]


async def test_a_long_list_lets_others_have_their_turn(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """Taking in ten thousand leases must not stop the heartbeat of the same process."""
    for number in range(2_000):
        server.put(LEASES, lease(f"c{number}"))
    seen: set[int] = set()

    async def look_now_and_then() -> None:
        while True:
            seen.add(len(cache))
            await asyncio.sleep(0)

    async with background(look_now_and_then(), name="look-around"), running(cache):
        await asyncio.wait_for(cache.wait_synced(), 5)
    assert len(seen) >= 20


async def test_cancelling_closes_the_watch(
    server: FakeClient, cache: Cache, clock: FakeClock
) -> None:
    """No connection is left to the garbage collector."""
    async with running(cache, clock):
        assert server.open_watches == 1
    assert server.open_watches == 0
