"""Watches: every change once, in order, from where the caller was."""

import asyncio
from typing import Any

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map
from conformance.planes import Plane, differs
from conformance.watching import revisions, told
from towline_api.resources import LEASES, KubeObject


@pytest.fixture
async def leases(api: Api, namespace: str) -> str:
    """Return the path of an empty collection of Leases."""
    return LEASES.path(namespace=namespace)


async def create(api: Api, path: str, name: str, **metadata: object) -> KubeObject:
    """Create a Lease."""
    return (await api.post(path, {"metadata": {"name": name, **metadata}})).ok(201)


async def touch(api: Api, path: str, name: str, holder: str) -> KubeObject:
    """Change a Lease."""
    return (await api.patch(f"{path}/{name}", {"spec": {"holderIdentity": holder}})).ok()


async def test_every_change_is_told_in_order(api: Api, leases: str) -> None:
    """Each event holds the object as it was after the change, the last one before its end."""
    start = await api.version(leases)
    async with api.watch(leases, resourceVersion=start) as watch:
        assert (watch.status, watch.content_type) == (200, "application/json")
        made = await create(api, leases, "a")
        changed = await touch(api, leases, "a", "me")
        (await api.delete(f"{leases}/a")).ok()
        events = await watch.take(3)
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert events[0]["object"] == made
    assert events[1]["object"] == changed
    gone = events[2]["object"]
    assert gone["spec"] == {"holderIdentity": "me"}
    assert gone["metadata"]["uid"] == made["metadata"]["uid"]
    versions = revisions(events)
    assert versions == sorted(set(versions))
    assert versions[2] > int(changed["metadata"]["resourceVersion"])


async def test_a_watch_resumes_where_it_was(api: Api, leases: str) -> None:
    """What happened while nobody listened is told first."""
    first = await create(api, leases, "a")
    await create(api, leases, "b")
    await touch(api, leases, "a", "me")
    (await api.delete(f"{leases}/b")).ok()
    async with api.watch(leases, resourceVersion=first["metadata"]["resourceVersion"]) as watch:
        events = await watch.take(3)
        assert told(events) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
        await create(api, leases, "c")
        assert told([await watch.next()]) == [("ADDED", "c")]


async def test_two_watches_see_the_same(api: Api, leases: str) -> None:
    """Whoever comes from the same version is told the same story."""
    start = await api.version(leases)
    for name in ("a", "b"):
        await create(api, leases, name)
        await touch(api, leases, name, "me")
    stories = []
    for _ in range(2):
        async with api.watch(leases, resourceVersion=start) as watch:
            stories.append(await watch.take(4))
    assert stories[0] == stories[1]
    assert told(stories[0]) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("ADDED", "b"),
        ("MODIFIED", "b"),
    ]


@pytest.mark.parametrize("version", [None, "0"])
async def test_a_watch_from_nowhere_begins_with_what_is_there(
    api: Api, leases: str, version: str | None
) -> None:
    """Made-up ADDED events, then the changes."""
    await create(api, leases, "b")
    await create(api, leases, "a")
    async with api.watch(leases, resourceVersion=version) as watch:
        assert sorted(told(await watch.take(2))) == [("ADDED", "a"), ("ADDED", "b")]
        await create(api, leases, "c")
        assert told([await watch.next()]) == [("ADDED", "c")]


async def test_a_watch_of_one_object(api: Api, leases: str) -> None:
    """By a field selector; the others are not told."""
    start = await api.version(leases)
    query = {"fieldSelector": "metadata.name=b", "resourceVersion": start}
    async with api.watch(leases, **query) as watch:
        for name in ("a", "b"):
            await create(api, leases, name)
        await touch(api, leases, "a", "me")
        await touch(api, leases, "b", "me")
        assert told(await watch.take(2)) == [("ADDED", "b"), ("MODIFIED", "b")]


async def test_labels_bring_objects_into_sight_and_out(api: Api, leases: str) -> None:
    """Whoever watches a selection is told that an object left it as if it were deleted."""
    start = await api.version(leases)
    path = f"{leases}/a"
    async with api.watch(leases, resourceVersion=start, labelSelector="l=1") as watch:
        await create(api, leases, "a")
        (await api.patch(path, {"metadata": {"labels": {"l": "1"}}})).ok()
        await touch(api, leases, "a", "me")
        left = (await api.patch(path, {"metadata": {"labels": {"l": "2"}}})).ok()
        (await api.patch(path, {"metadata": {"labels": {"l": "1"}}})).ok()
        (await api.delete(path)).ok()
        events = await watch.take(5)
    assert told(events) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
        ("ADDED", "a"),
        ("DELETED", "a"),
    ]
    # It left as it was last seen, at the version of the change that took it away.
    assert events[2]["object"]["metadata"]["labels"] == {"l": "1"}
    assert events[2]["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_a_namespace_is_watched_alone(api: Api, leases: str) -> None:
    """What happens next door is not told."""
    start = await api.version(leases)
    other = LEASES.path(namespace="default")
    async with api.watch(leases, resourceVersion=start) as watch:
        elsewhere = await create(api, other, f"x-{leases.split('/')[-2]}")
        await create(api, leases, "a")
        event = await watch.next()
    assert told([event]) == [("ADDED", "a")]
    assert revisions([event])[0] > int(elsewhere["metadata"]["resourceVersion"])


async def test_all_namespaces_are_watched_at_once(api: Api, leases: str, namespace: str) -> None:
    """One watch of the cluster tells of every namespace."""
    path = LEASES.path()
    start = await api.version(path)
    async with api.watch(path, resourceVersion=start) as watch:
        await create(api, leases, "a")
        while True:  # others may be at work in their namespaces
            event = await watch.next()
            if event["object"]["metadata"].get("namespace") == namespace:
                break
    assert told([event]) == [("ADDED", "a")]


async def test_a_watch_ends_when_it_is_told_to(api: Api, leases: str) -> None:
    """`timeoutSeconds`: the server ends it without a word."""
    start = await api.version(leases)
    await create(api, leases, "a")
    async with api.watch(leases, resourceVersion=start, timeoutSeconds=1) as watch:
        assert told(await watch.rest()) == [("ADDED", "a")]


async def test_bookmarks_tell_how_far_a_watch_has_come(api: Api, plane: Plane, leases: str) -> None:
    """So that it can go on from there although nothing happened to what it selects."""
    start = await api.version(leases)
    made = await create(api, leases, "a")

    async def first_bookmark(seconds: int) -> list[KubeObject]:
        query: dict[str, Any] = {"resourceVersion": start, "allowWatchBookmarks": True}
        async with api.watch(leases, **query, timeoutSeconds=seconds) as watch:
            events = await watch.rest(until="BOOKMARK")
        assert told(events[:1]) == [("ADDED", "a")]
        return events[1:]

    marks = [
        mark for found in await asyncio.gather(*map(first_bookmark, (3, 4, 5))) for mark in found
    ]
    assert len(marks) >= differs(
        plane,
        embedded=3,
        kube=0,
        because="the real one means to send one two seconds before the end, but goes by a coarse "
        "clock and may miss the moment",
    )
    for event in marks:
        mark = event["object"]
        assert (mark["kind"], mark["apiVersion"]) == ("Lease", "coordination.k8s.io/v1")
        assert set(mark["metadata"]) == {"resourceVersion"}
        assert int(mark["metadata"]["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])


async def test_a_deletion_through_a_finalizer_is_told_in_two(api: Api, leases: str) -> None:
    """First it is marked, then it is gone."""
    start = await api.version(leases)
    path = f"{leases}/a"
    async with api.watch(leases, resourceVersion=start) as watch:
        await create(api, leases, "a", finalizers=["example.com/f"])
        (await api.delete(path)).ok()
        (await api.patch(path, {"metadata": {"finalizers": None}})).ok()
        events = await watch.take(3)
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert "deletionTimestamp" in events[1]["object"]["metadata"]
    assert "deletionTimestamp" in events[2]["object"]["metadata"]


async def test_metadata_alone_can_be_watched(api: Api, namespace: str) -> None:
    """The garbage collector does nothing else."""
    path = CONFIG_MAPS.path(namespace=namespace)
    start = await api.version(path)
    (await api.post(path, config_map("a", {"k": "v"}))).ok(201)
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    query = {"resourceVersion": start, "fieldSelector": "metadata.name=a"}
    async with api.watch(path, accept=accept, **query) as watch:
        event = await watch.next()
    assert event["type"] == "ADDED"
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert set(event["object"]) == {"kind", "apiVersion", "metadata"}


async def test_the_old_path_of_watches_is_served(api: Api, leases: str, namespace: str) -> None:
    """`/watch/` in the path, as old clients have it."""
    await create(api, leases, "a")
    path = f"/apis/coordination.k8s.io/v1/watch/namespaces/{namespace}/leases/a"
    async with api.watch(path) as watch:
        assert watch.status == 200
        assert told([await watch.next()]) == [("ADDED", "a")]
