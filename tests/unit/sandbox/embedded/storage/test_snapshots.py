"""Coming back to what was stored: watches are told what differs, and nothing else."""

from typing import Any

from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import ChangeType
from towline_sandbox.embedded.storage.store import Store

LEASES = StorageKey("coordination.k8s.io", "leases")


def _lease(name: str, *, uid: str, holder: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": uid},
        "spec": {"holderIdentity": holder},
    }


def _put(store: Store, obj: dict[str, Any]) -> None:
    found = store.find(LEASES, namespace="default", name=obj["metadata"]["name"])
    if found is None:
        store.create(LEASES, obj)
    else:
        revision = found["metadata"]["resourceVersion"]
        store.replace(LEASES, obj, expected_revision=revision)


def _remove(store: Store, name: str) -> None:
    found = store.find(LEASES, namespace="default", name=name)
    assert found is not None
    revision = found["metadata"]["resourceVersion"]
    store.delete(LEASES, namespace="default", name=name, expected_revision=revision)


def test_only_what_differs_is_written_and_told():
    """A living program is to hear of no change that is none."""
    store = Store()
    for name in ("kept", "changed", "removed", "renewed"):
        _put(store, _lease(name, uid=f"1-{name}"))
    snapshot = store.snapshot()
    _put(store, _lease("changed", uid="1-changed", holder="somebody"))
    _put(store, _lease("new", uid="2-new"))
    _put(store, _lease("renewed", uid="1-renewed", holder="for a moment"))
    _put(store, _lease("renewed", uid="1-renewed"))
    _remove(store, "removed")
    watch = store.watch(LEASES, since=store.revision)

    store.restore(snapshot)

    told = [(change.type, change.object["metadata"]["name"]) for change in watch.take()]
    assert told == [
        (ChangeType.MODIFIED, "changed"),
        (ChangeType.DELETED, "new"),
        (ChangeType.ADDED, "removed"),
    ]
    found = {obj["metadata"]["name"]: obj["spec"] for obj in store.objects(LEASES)}
    assert found == {
        name: {"holderIdentity": ""} for name in ("changed", "kept", "removed", "renewed")
    }


def test_coming_back_a_second_time_writes_nothing():
    """What is as it should be stays, also what an earlier return has written."""
    store = Store()
    _put(store, _lease("a", uid="1"))
    snapshot = store.snapshot()
    _put(store, _lease("a", uid="1", holder="somebody"))
    store.restore(snapshot)
    before = store.revision

    store.restore(snapshot)

    assert store.revision == before


def test_an_object_made_anew_goes_before_the_one_that_was_there_comes_back():
    """It is another object, and who follows it has to see that."""
    store = Store()
    _put(store, _lease("a", uid="1"))
    snapshot = store.snapshot()
    _remove(store, "a")
    _put(store, _lease("a", uid="2"))
    watch = store.watch(LEASES, since=store.revision)

    store.restore(snapshot)

    told = [(change.type, change.object["metadata"]["uid"]) for change in watch.take()]
    assert told == [(ChangeType.DELETED, "2"), (ChangeType.ADDED, "1")]
