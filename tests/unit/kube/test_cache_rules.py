"""After any sequence of changes and faults a cache equals its server, and said how it got there."""

import asyncio
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.clock import FakeClock
from support.fake_client import FakeClient
from towline_api.metadata import ObjectKey, key_of
from towline_api.resources import CONFIG_MAPS, LEASES, KubeObject
from towline_kube.cache import Cache
from towline_kube.errors import Forbidden, Gone, Throttled, Unreachable
from towline_kube.store import Change, ChangeType

NAMES = st.sampled_from("abc")
COLOURS = st.sampled_from(["red", "blue"])
ERRORS = st.sampled_from(
    [Unreachable("refused"), Forbidden("no"), Gone("too old"), Throttled("busy"), OSError("odd")]
)
LONG_ENOUGH = timedelta(minutes=10)


def lease(name: str, colour: str) -> KubeObject:
    return {
        "metadata": {"name": name, "namespace": "ns", "labels": {"colour": colour}},
        "spec": {"holderIdentity": name},
    }


def colours(obj: KubeObject) -> list[str]:
    return [obj["metadata"]["labels"]["colour"]]


def uid(obj: KubeObject) -> str:
    return str(obj["metadata"]["uid"])


def is_sound(change: Change) -> bool:
    old, new = change.old, change.new
    match change.type:
        case ChangeType.ADDED:
            return old is None and new is not None
        case ChangeType.MODIFIED:
            return old is not None and new is not None and old != new and uid(old) == uid(new)
        case ChangeType.DELETED:
            return old is not None and new is None


class CacheMachine(RuleBasedStateMachine):
    """Changes the server's objects and breaks everything between it and the cache."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.server = FakeClient(self.clock)
        self.told: dict[ObjectKey, KubeObject] = {}
        self.complaints: list[str] = []  # a cache survives what its handlers raise

    @initialize(selector=st.sampled_from([None, "colour=red"]))
    def start(self, selector: str | None) -> None:
        self.selector = selector
        self.cache = Cache(
            self.server,
            LEASES,
            label_selector=selector,
            indexes={"colour": colours},
            clock=self.clock,
            roll=lambda: 0.0,
        )
        self.cache.on_change(self.take)

        async def begin() -> None:
            self.task = asyncio.create_task(self.cache.run(), name="run-cache")

        self.runner.run(begin())

    def teardown(self) -> None:
        self.everything_works_again()

        async def end() -> None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

        self.runner.run(end())
        self.runner.close()

    def take(self, change: Change) -> None:
        """Hold each change against what was told before it."""
        old, new = change.old, change.new
        if not is_sound(change) or self.told.get(change.key) is not old:
            self.complaints.append(f"told {change} after {self.told.get(change.key)}")
        if new is None:
            self.told.pop(change.key, None)
        else:
            self.told[change.key] = new

    @rule(name=NAMES, colour=COLOURS)
    def put(self, name: str, colour: str) -> None:
        self.server.put(LEASES, lease(name, colour))

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        if ObjectKey(name, "ns") in self.server.stored(LEASES):
            self.server.remove(LEASES, name, "ns")

    @rule(name=NAMES, colour=COLOURS)
    def remove_and_create_again(self, name: str, colour: str) -> None:
        self.remove(name)
        self.put(name, colour)

    @rule()
    def change_something_else(self) -> None:
        self.server.put(CONFIG_MAPS, lease("other", "red"))

    @rule()
    def bookmark(self) -> None:
        self.server.bookmark(LEASES)

    @rule()
    def compact(self) -> None:
        self.server.forget_history()

    @rule(error=st.none() | ERRORS)
    def end_watch(self, error: Exception | None) -> None:
        self.server.end_watches(error)

    @rule(verb=st.sampled_from(["list", "watch"]), error=ERRORS, times=st.integers(1, 3))
    def refuse(self, verb: str, error: Exception, times: int) -> None:
        self.server.fail(verb, *[error] * times)

    @rule()
    def go_silent(self) -> None:
        self.server.go_silent()

    @rule()
    def speak_again(self) -> None:
        self.server.speak_again()

    @rule(seconds=st.sampled_from([0, 1, 60, 3600]))
    def advance(self, seconds: int) -> None:
        self.runner.run(self.clock.advance(timedelta(seconds=seconds)))

    @rule()
    def everything_works_again(self) -> None:
        """Whatever happened: some minutes of calm make the cache equal to the server."""
        self.server.recover()
        self.server.speak_again()
        self.advance(int(LONG_ENOUGH.total_seconds()))
        expected = {
            key: obj["metadata"]["resourceVersion"]
            for key, obj in self.server.stored(LEASES).items()
            if self.selector is None or colours(obj) == ["red"]
        }
        assert self.cache.synced
        assert expected == {
            key: self.cache.get(key.name, key.namespace)["metadata"]["resourceVersion"]
            for key in self.cache.keys()  # noqa: SIM118 - it is no dict
        }

    @invariant()
    def handlers_and_readers_see_the_same(self) -> None:
        if hasattr(self, "cache"):
            assert self.complaints == []
            assert self.told == {key_of(obj): obj for obj in self.cache.list()}
            for colour in ("red", "blue"):
                assert {id(obj) for obj in self.cache.by_index("colour", colour)} == {
                    id(obj) for obj in self.cache.list() if colours(obj) == [colour]
                }


CacheMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestCacheRules = CacheMachine.TestCase
