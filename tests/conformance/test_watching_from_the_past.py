"""Watches that begin with a list, and what becomes of those that come too late."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.api import Api
from conformance.callers import Callers
from conformance.crds import install, widget, widget_crd, widgets
from conformance.furnished import make_namespace
from conformance.planes import Plane
from conformance.watching import told
from towline_api.resources import LEASES, KubeObject

LIST_AND_WATCH: dict[str, Any] = {
    "sendInitialEvents": True,
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": True,
}
LIST_ENDS = "k8s.io/initial-events-end"


async def create(api: Api, path: str, name: str) -> KubeObject:
    """Create a Lease."""
    return (await api.post(path, {"metadata": {"name": name}})).ok(201)


async def test_a_watch_can_begin_with_a_list(api: Api, namespace: str) -> None:
    """WatchList: all there is, then a bookmark that says so, then the changes."""
    path = LEASES.path(namespace=namespace)
    await create(api, path, "b")
    last = await create(api, path, "a")
    async with api.watch(path, **LIST_AND_WATCH) as watch:
        events = await watch.until_bookmark()
        assert sorted(told(events[:-1])) == [("ADDED", "a"), ("ADDED", "b")]
        mark = events[-1]["object"]["metadata"]
        assert mark["annotations"] == {LIST_ENDS: "true"}
        assert int(mark["resourceVersion"]) >= int(last["metadata"]["resourceVersion"])
        await create(api, path, "c")
        assert told([await watch.next()]) == [("ADDED", "c")]


async def test_a_list_of_nothing_ends_as_well(api: Api, namespace: str) -> None:
    """The bookmark comes although there was nothing to send."""
    async with api.watch(LEASES.path(namespace=namespace), **LIST_AND_WATCH) as watch:
        events = await watch.until_bookmark()
    assert [event["type"] for event in events] == ["BOOKMARK"]


async def test_a_list_shows_what_was_written_just_before(api: Api, namespace: str) -> None:
    """Without a version it is as fresh as a read, not as old as a cache."""
    path = LEASES.path(namespace=namespace)
    for number in range(5):
        await create(api, path, f"a-{number}")
        async with api.watch(path, **LIST_AND_WATCH) as watch:
            assert len(await watch.until_bookmark()) == number + 2


async def test_initial_events_can_be_declined(api: Api, namespace: str) -> None:
    """From now on, without a list before."""
    path = LEASES.path(namespace=namespace)
    await create(api, path, "a")
    query = {**LIST_AND_WATCH, "sendInitialEvents": False}
    async with api.watch(path, **query) as watch:
        await create(api, path, "b")
        assert told([await watch.next()]) == [("ADDED", "b")]


async def test_initial_events_need_a_match(api: Api, namespace: str) -> None:
    """The server wants to be told how fresh they have to be."""
    path = LEASES.path(namespace=namespace)
    answer = await api.get(path, watch=True, sendInitialEvents=True, allowWatchBookmarks=True)
    message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    answer.assert_refused(
        422,
        "Invalid",
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        {
            "group": "meta.k8s.io",
            "kind": "ListOptions",
            "causes": [
                {
                    "reason": "FieldValueForbidden",
                    "message": message,
                    "field": "resourceVersionMatch",
                }
            ],
        },
    )


@dataclass(frozen=True, slots=True)
class Past:
    """A collection of Leases whose history is forgotten.

    Args:
        api: The plane that forgot, as its administrator sees it.
        path: Of the collection, which holds a, b, c and d.
        version: Of the list as it was before d came.
        token: For the second page of that list; the first had a and b.
    """

    api: Api
    path: str
    version: str
    token: str


@pytest.fixture
async def past(forgetful_plane: Plane, name: str) -> AsyncIterator[Past]:
    """Make Leases and have the server forget how they came about."""
    async with AsyncExitStack() as stack:
        api = await Callers(forgetful_plane, stack).admin()
        await make_namespace(api, name)
        path = LEASES.path(namespace=name)
        for made in ("a", "b", "c"):
            await create(api, path, made)
        page = (await api.get(path, limit=2)).ok()["metadata"]
        await create(api, path, "d")
        (await api.patch(f"{path}/d", {"spec": {"holderIdentity": "me"}})).ok()
        await forgetful_plane.forget_history()
        yield Past(api, path, page["resourceVersion"], page["continue"])


async def test_a_watch_from_a_forgotten_version_is_gone(past: Past) -> None:
    """The only way on is a new list."""
    async with past.api.watch(past.path, resourceVersion=past.version) as watch:
        assert watch.status == 200
        event = await watch.next()
    assert event["type"] == "ERROR"
    status = event["object"]
    assert status == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": status["message"],
        "reason": "Expired",
        "code": 410,
    }
    assert "too old" in status["message"]


async def test_a_page_of_a_forgotten_list_is_gone(past: Past) -> None:
    """The answer offers another token, with which the rest of the present list can be had."""
    answer = await past.api.get(past.path, limit=2, **{"continue": past.token})
    assert answer.status == 410
    assert answer.body["reason"] == "Expired"
    assert answer.body["message"].startswith(
        "The provided continue parameter is too old to display a consistent list result."
    )
    again = answer.body["metadata"]["continue"]
    rest = (await past.api.get(past.path, **{"continue": again})).ok()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d"]


async def test_a_forgotten_version_cannot_be_listed(past: Past) -> None:
    """Neither as a whole nor in pieces."""
    answer = await past.api.get(
        past.path, resourceVersion=past.version, resourceVersionMatch="Exact"
    )
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    assert "too old" in answer.body["message"]


async def test_the_present_is_not_forgotten(past: Past) -> None:
    """A list after the compaction, and a watch from there, work as before."""
    body = (await past.api.get(past.path)).ok()
    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "b", "c", "d"]
    version = body["metadata"]["resourceVersion"]
    async with past.api.watch(past.path, resourceVersion=version) as watch:
        await create(past.api, past.path, "e")
        assert told([await watch.next()]) == [("ADDED", "e")]


async def test_a_watch_from_before_history_is_gone(api: Api, name: str) -> None:
    """Objects of a definition have no history from before the definition."""
    await install(api, widget_crd(name))
    path = widgets(name).path(namespace="default")
    (await api.post(path, widget(name, name))).ok(201)
    async with api.watch(path, resourceVersion="1") as watch:
        assert watch.status == 200
        event = await watch.next()
        assert await watch.rest() == []
    assert event["type"] == "ERROR"
    status = event["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")
