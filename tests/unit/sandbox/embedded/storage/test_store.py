"""The store: one counter for everything, a bounded past, and readers who miss nothing."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import AlreadyThere, ChangedMeanwhile, Store

LEASES = StorageKey("coordination.k8s.io", "leases")
MAPS = StorageKey("", "configmaps")


def thing(name: str, *, namespace: str | None = "default", **content: object) -> KubeObject:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"metadata": metadata, **content}


def version_of(obj: KubeObject) -> str:
    return str(obj["metadata"]["resourceVersion"])


def told(changes: list[Change]) -> list[tuple[str, str, int]]:
    return [(change.type, change.object["metadata"]["name"], change.revision) for change in changes]


def test_every_write_of_any_kind_takes_the_next_revision():
    """Clients compare resource versions across kinds, as etcd lets them."""
    store = Store()
    before = store.revision
    first = store.create(LEASES, thing("a"))
    second = store.create(MAPS, thing("a"))
    third = store.replace(LEASES, thing("a", spec={}), expected_revision=version_of(first))
    assert [version_of(obj) for obj in (first, second, third)] == [
        str(before + step) for step in (1, 2, 3)
    ]


def test_what_was_stored_is_left_as_it_was_by_a_later_write():
    """Readers hold on to objects without copying them."""
    store = Store()
    first = store.create(LEASES, thing("a", spec={"x": 1}))
    store.replace(LEASES, thing("a", spec={"x": 2}), expected_revision=version_of(first))
    assert first["spec"] == {"x": 1}
    assert version_of(first) == "2"


def test_a_name_is_taken_once_in_a_namespace():
    """The same name is another object elsewhere, but not here."""
    store = Store()
    store.create(LEASES, thing("a"))
    store.create(LEASES, thing("a", namespace="other"))
    with pytest.raises(AlreadyThere):
        store.create(LEASES, thing("a"))


def test_a_write_from_an_outdated_state_is_noticed():
    """Optimistic concurrency stands on this."""
    store = Store()
    old = store.create(LEASES, thing("a"))
    store.replace(LEASES, thing("a"), expected_revision=version_of(old))
    with pytest.raises(ChangedMeanwhile):
        store.replace(LEASES, thing("a"), expected_revision=version_of(old))
    with pytest.raises(ChangedMeanwhile):
        store.delete(LEASES, namespace="default", name="a", expected_revision=version_of(old))


def test_a_deleted_object_carries_the_revision_that_deleted_it():
    """A watch is resumed from there without seeing the deletion again."""
    store = Store()
    obj = store.create(LEASES, thing("a"))
    last = store.delete(LEASES, namespace="default", name="a", expected_revision=version_of(obj))
    assert version_of(last) == str(store.revision)
    assert store.find(LEASES, namespace="default", name="a") is None


def test_objects_come_in_the_byte_order_of_their_paths():
    """A hyphen sorts before the slash, so `a-b` comes before `a`, as in etcd."""
    store = Store()
    for namespace in ("a", "a-b", "b"):
        for name in ("z", "y"):
            store.create(LEASES, thing(name, namespace=namespace))
    order = [
        (obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in store.objects(LEASES)
    ]
    assert order == [("a-b", "y"), ("a-b", "z"), ("a", "y"), ("a", "z"), ("b", "y"), ("b", "z")]
    assert len(store.objects(LEASES, namespace="a")) == 2


def test_a_watch_that_is_resumed_is_told_only_what_came_after():
    """Nothing twice, nothing left out."""
    store = Store()
    store.create(LEASES, thing("a"))
    since = store.revision
    store.create(LEASES, thing("b"))
    subscription = store.watch(LEASES, since=since)
    store.create(LEASES, thing("c"))
    assert told(subscription.take()) == [("ADDED", "b", since + 1), ("ADDED", "c", since + 2)]


def test_a_watch_of_a_namespace_or_a_name_is_told_nothing_else():
    """Thousands of agents watch one object each; they cannot all be told everything."""
    store = Store()
    here = store.watch(LEASES, since=store.revision, namespace="here")
    one = store.watch(LEASES, since=store.revision, namespace="here", name="a")
    named = store.watch(LEASES, since=store.revision, name="a")
    for namespace in ("here", "there"):
        for name in ("a", "b"):
            store.create(LEASES, thing(name, namespace=namespace))
    store.create(MAPS, thing("a", namespace="here"))
    assert [name for _, name, _ in told(here.take())] == ["a", "b"]
    assert [name for _, name, _ in told(one.take())] == ["a"]
    assert [name for _, name, _ in told(named.take())] == ["a", "a"]


def test_a_closed_subscription_is_told_no_more():
    """Whoever hangs up costs nothing afterwards."""
    store = Store()
    subscription = store.watch(LEASES, since=store.revision)
    subscription.close()
    subscription.close()
    store.create(LEASES, thing("a"))
    assert subscription.take() == []


def test_the_past_beyond_the_history_is_refused():
    """410 tells a client to begin anew instead of missing something."""
    store = Store(longest_history=2)
    since = store.revision
    for name in "abc":
        store.create(LEASES, thing(name))
    with pytest.raises(ApiFailure, match=r"too old resource version: 1 \(2\)") as caught:
        store.watch(LEASES, since=since)
    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    assert len(store.watch(LEASES, since=since + 1).take()) == 2
    with pytest.raises(ApiFailure):
        store.objects_at(LEASES, since)


def test_compaction_forgets_for_every_kind_but_not_what_is_there():
    """Tests force it to see clients start over."""
    store = Store()
    store.create(LEASES, thing("a"))
    since = store.revision
    store.create(LEASES, thing("b"))
    running = store.watch(LEASES, since=since)
    store.compact()
    for key in (LEASES, MAPS):
        with pytest.raises(ApiFailure):
            store.watch(key, since=since)
    assert len(store.objects(LEASES)) == 2
    assert [name for _, name, _ in told(running.take())] == ["b"]
    assert store.watch(LEASES, since=store.revision).take() == []


def test_the_history_of_a_kind_can_begin_later():
    """Objects of a definition have none from before the definition."""
    store = Store()
    store.create(LEASES, thing("a"))
    since = store.revision
    store.create(LEASES, thing("b"))
    store.begin(MAPS)
    with pytest.raises(ApiFailure):
        store.watch(MAPS, since=since)
    assert len(store.watch(LEASES, since=since).take()) == 1
    assert store.watch(MAPS, since=store.revision).take() == []


async def test_a_reader_waits_until_there_is_something():
    """Changes wake whoever waits; time runs out otherwise."""
    store = Store()
    subscription = store.watch(LEASES, since=store.revision)
    assert await subscription.changes(within=0) == []
    waiting = asyncio.create_task(subscription.changes())
    await asyncio.sleep(0)
    store.create(LEASES, thing("a"))
    assert [name for _, name, _ in told(await waiting)] == ["a"]


async def test_ended_watches_are_told_what_was_queued_and_then_stop():
    """As with a server that restarts; controllers inside go on."""
    store = Store()
    watcher, controller = store.watch(LEASES, since=store.revision), store.watch_all()
    store.create(LEASES, thing("a"))
    store.end_watches()
    assert [change.object["metadata"]["name"] async for change in watcher] == ["a"]
    assert controller.is_open


def test_the_watches_of_one_kind_can_be_ended_alone():
    """When its definition goes, those of others go on."""
    store = Store()
    leases, maps = (store.watch(key, since=store.revision) for key in (LEASES, MAPS))
    store.end_watches(LEASES)
    assert (leases.is_open, maps.is_open) == (False, True)


NAMES = st.sampled_from("abcd")
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete"]), NAMES), max_size=30)


def carried_out(store: Store, steps: list[tuple[str, str]]) -> Iterator[None]:
    for number, (what, name) in enumerate(steps):
        there = store.find(LEASES, namespace="default", name=name)
        if what == "put" and there is None:
            store.create(LEASES, thing(name, spec=number))
        elif what == "put" and there is not None:
            store.replace(LEASES, thing(name, spec=number), expected_revision=version_of(there))
        elif there is not None:
            revision = version_of(there)
            store.delete(LEASES, namespace="default", name=name, expected_revision=revision)
        yield


@given(STEPS)
def test_the_past_can_be_seen_as_it_was(steps: list[tuple[str, str]]) -> None:
    """Pages of one list all show the state of its first page, whatever happens in between."""
    store = Store()
    states = {store.revision: store.objects(LEASES)}
    for _ in carried_out(store, steps):
        states[store.revision] = store.objects(LEASES)
    for revision, state in states.items():
        assert store.objects_at(LEASES, revision) == state


@given(STEPS, st.integers(0, 30))
def test_a_list_and_the_changes_since_make_the_present(
    steps: list[tuple[str, str]], since_step: int
) -> None:
    """What an informer holds after list and watch is what is stored."""
    store = Store()
    for number, _ in enumerate(carried_out(store, steps)):
        if number == since_step:
            break
    known = {obj["metadata"]["name"]: obj for obj in store.objects(LEASES)}
    subscription = store.watch(LEASES, since=store.revision)
    list(carried_out(store, steps[since_step:]))
    for change in subscription.take():
        name = change.object["metadata"]["name"]
        if change.type is ChangeType.DELETED:
            del known[name]
        else:
            known[name] = change.object
    assert sorted(known) == [obj["metadata"]["name"] for obj in store.objects(LEASES)]
    assert all(known[obj["metadata"]["name"]] is obj for obj in store.objects(LEASES))
