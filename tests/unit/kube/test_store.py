"""The store says exactly what each write has changed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.errors import WireError
from towline_api.metadata import ObjectKey, labels_of
from towline_api.resources import KubeObject
from towline_kube.compaction import drop_managed_fields, share_strings
from towline_kube.store import ChangeType, Store

KEY = ObjectKey("c1")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def cluster(version: str | None, *, uid: str = "u1", colour: str = "red") -> KubeObject:
    metadata: dict[str, Any] = {"name": "c1", "uid": uid, "labels": {"colour": colour}}
    return {"metadata": metadata if version is None else metadata | {"resourceVersion": version}}


@pytest.fixture
def store() -> Store:
    return Store({"colour": lambda obj: labels_of(obj).values()})


def test_the_same_version_again_changes_nothing(store: Store) -> None:
    """A list repeats what is known; its readers keep the object they have."""
    first = cluster("1")
    store.put(first)
    assert store.put(cluster("1")) == []
    assert store.find(KEY) is first


def test_objects_without_a_version_always_count_as_changed(store: Store) -> None:
    """With nothing to compare, telling too much is the safe side."""
    store.put(cluster(None))
    assert [change.type for change in store.put(cluster(None))] == [ChangeType.MODIFIED]


def test_another_object_of_the_same_name_replaces_the_first(store: Store) -> None:
    """Whoever kept something for the first has to let go of it, even at the same version."""
    old, new = cluster("1"), cluster("1", uid="u2", colour="blue")
    store.put(old)
    assert not store.has_version(new)
    deleted, added = store.put(new)
    assert (deleted.type, deleted.old, deleted.new) == (ChangeType.DELETED, old, None)
    assert (added.type, added.old, added.new) == (ChangeType.ADDED, None, new)
    assert (store.by_index("colour", "red"), store.by_index("colour", "blue")) == ([], [new])


def test_an_index_forgets_values_nobody_has(store: Store) -> None:
    """Values may come and go for ever, as names of requests do."""
    for number in range(100):
        store.put(cluster(str(number), colour=f"colour-{number}"))
    assert len(store._indexes["colour"]) == 1
    store.remove(KEY)
    assert store._indexes["colour"] == {}


def test_removing_what_is_not_there_is_no_change(store: Store) -> None:
    """A watch may tell of a deletion that a list has told already."""
    assert store.remove(KEY) is None


def test_an_object_without_a_name_is_refused(store: Store) -> None:
    """It could never be found again."""
    with pytest.raises(WireError, match=r"has no metadata\.name"):
        store.put({"metadata": {}})


@given(obj=st.dictionaries(st.text(max_size=8) | st.sampled_from(["kind", "apiVersion"]), JSON))
def test_sharing_strings_changes_no_value(obj: KubeObject) -> None:
    """Nobody must be able to tell, except by the memory it takes."""
    assert share_strings(obj) == obj


def test_what_objects_have_in_common_they_hold_once() -> None:
    """Of ten thousand clusters each has eight objects that say the same words about it."""

    def parsed(uid: str) -> KubeObject:
        text = {"metadata": {"name": "cluster one", "uid": uid}, "verbs": ["get it", "list it"]}
        return share_strings(json.loads(json.dumps(text)))

    one, other = parsed("uid 1"), parsed("uid 1")
    assert one["metadata"]["name"] is other["metadata"]["name"]
    assert all(a is b for a, b in zip(one["verbs"], other["verbs"], strict=True))
    assert all(a is b for a, b in zip(one, other, strict=True))
    assert one["metadata"]["uid"] is not other["metadata"]["uid"], "remembering it would cost more"


@pytest.mark.parametrize("obj", [{}, {"metadata": None}, {"metadata": {"name": "x"}}])
def test_managed_fields_need_not_be_there(obj: KubeObject) -> None:
    """Some proxies and fakes leave them out."""
    assert drop_managed_fields(dict(obj)) == obj
