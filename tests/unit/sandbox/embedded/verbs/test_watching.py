"""Watches: what they begin with, what they tell, and how they end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.verbs import watching
from towline_sandbox.embedded.verbs.watching import WatchEvent
from unit.sandbox.embedded.verbs.small_api import SmallApi


def told(events: list[WatchEvent]) -> list[tuple[str, str]]:
    return [(event.type, event.object["metadata"].get("name", "")) for event in events]


class Watch:
    """A watch that is going on, read event by event."""

    def __init__(self, events: AsyncGenerator[WatchEvent, None]) -> None:
        self.events = events

    async def next(self, count: int) -> list[WatchEvent]:
        return [await anext(self.events) for _ in range(count)]


Begin = Callable[..., Awaitable[Watch]]


@pytest.fixture
async def begin(api: SmallApi, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Begin, None]:
    """Begin watches; they end with the test."""
    # A test that waits for an event that does not come fails in a second, not in half an hour.
    monkeypatch.setattr(watching, "DEFAULT_SECONDS", 1)
    begun: list[Watch] = []

    async def begin(**query: str) -> Watch:
        begun.append(Watch(await api.api.watch(api.call("watch", CONFIG_MAPS, query=query))))
        return begun[-1]

    yield begin
    for watch in begun:
        await watch.events.aclose()


async def labelled(api: SmallApi, name: str, **labels: str | None) -> KubeObject:
    return await api.patch(CONFIG_MAPS, name, {"metadata": {"labels": labels}})


async def test_a_watch_from_anywhere_begins_with_what_is_there(api: SmallApi, begin: Begin):
    """As if it had just been added, with its own resource version."""
    made = await api.create(CONFIG_MAPS, "a")
    for query in ({}, {"resourceVersion": "0"}):
        watch = await begin(**query)
        [event] = await watch.next(1)
        assert (event.type, event.object) == ("ADDED", made)


async def test_a_watch_from_a_revision_tells_every_change_since(api: SmallApi, begin: Begin):
    """In the order of their resource versions; a deletion has one of its own."""
    since = str(api.store.revision)
    await api.create(CONFIG_MAPS, "a")
    watch = await begin(resourceVersion=since)
    await api.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}})
    await api.delete(CONFIG_MAPS, "a")
    events = await watch.next(3)
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == [int(since) + step for step in (1, 2, 3)]


async def test_objects_enter_and_leave_a_selection(api: SmallApi, begin: Begin):
    """To its watcher they are added and deleted, though they only changed."""
    await api.create(CONFIG_MAPS, "a", metadata={"labels": {"x": "1"}})
    watch = await begin(resourceVersion=str(api.store.revision), labelSelector="x=1")
    await labelled(api, "a", y="1")
    left = await labelled(api, "a", x="2")
    await labelled(api, "a", y="2")
    await labelled(api, "a", x="1")
    await api.delete(CONFIG_MAPS, "a")
    events = await watch.next(4)
    assert [event.type for event in events] == ["MODIFIED", "DELETED", "ADDED", "DELETED"]
    # It is told as it was last seen, with the revision of the change that took it away.
    assert events[1].object["metadata"]["labels"] == {"x": "1", "y": "1"}
    assert events[1].object["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_watch_of_one_name_is_told_of_no_other(api: SmallApi, begin: Begin):
    """Agents watch one object each."""
    since = str(api.store.revision)
    watch = await begin(fieldSelector="metadata.name=b", resourceVersion=since)
    for name in "abc":
        await api.create(CONFIG_MAPS, name)
    await api.delete(CONFIG_MAPS, "b")
    assert told(await watch.next(2)) == [("ADDED", "b"), ("DELETED", "b")]


async def test_a_watch_list_says_where_the_list_ends(api: SmallApi, begin: Begin):
    """A client that sees the bookmark knows that it has everything."""
    await api.create(CONFIG_MAPS, "a")
    watch = await begin(
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    )
    added, bookmark = await watch.next(2)
    assert (added.type, bookmark.type) == ("ADDED", "BOOKMARK")
    assert bookmark.object == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {
            "resourceVersion": str(api.store.revision),
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    }


async def test_a_watch_can_do_without_what_is_there(api: SmallApi, begin: Begin):
    """It begins now, then."""
    await api.create(CONFIG_MAPS, "a")
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}
    watch = await begin(**query)
    waiting = asyncio.create_task(watch.next(1))
    await asyncio.sleep(0)
    await api.create(CONFIG_MAPS, "b")
    assert told(await waiting) == [("ADDED", "b")]


async def test_what_is_forgotten_is_told_as_an_error(api: SmallApi, begin: Begin):
    """Inside the watch, as Kubernetes does: the connection stands already."""
    since = str(api.store.revision)
    await api.create(CONFIG_MAPS, "a")
    api.store.compact()
    watch = await begin(resourceVersion=since)
    [event] = await watch.next(1)
    assert event.type == "ERROR"
    assert (event.object["code"], event.object["reason"]) == (410, "Expired")
    with pytest.raises(StopAsyncIteration):
        await watch.next(1)


async def test_a_bookmark_comes_before_a_watch_ends(
    api: SmallApi, begin: Begin, monkeypatch: pytest.MonkeyPatch
):
    """The next watch starts from there and misses nothing."""
    monkeypatch.setattr(watching, "LAST_BOOKMARK_SECONDS", 0.999)
    since = str(api.store.revision)
    watch = await begin(resourceVersion=since, allowWatchBookmarks="true", timeoutSeconds="1")
    [event] = await watch.next(1)
    assert (event.type, event.object["metadata"]) == ("BOOKMARK", {"resourceVersion": since})


@pytest.mark.parametrize(
    "query",
    [
        {"sendInitialEvents": "true"},
        {"resourceVersionMatch": "NotOlderThan"},
        {"resourceVersionMatch": "Exact", "sendInitialEvents": "true"},
        {"continue": "x"},
    ],
)
async def test_options_that_do_not_go_together_are_refused(api: SmallApi, begin: Begin, query):
    """Before the watch begins."""
    with pytest.raises(ApiFailure) as caught:
        await begin(**query)
    assert caught.value.code == 422


async def test_whoever_stops_reading_leaves_nothing_behind(api: SmallApi):
    """Thousands of watches come and go."""
    call = api.call("watch", CONFIG_MAPS)
    events = await api.api.watch(call)
    await api.create(CONFIG_MAPS, "a")
    await anext(events)
    await events.aclose()
    assert not api.store._subscriptions
