"""Who owns which fields after updates and applies, whatever is written."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIG_MAPS,
    NODES,
    KubeObject,
    Resource,
)
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind, Subresource
from towline_sandbox.embedded.patches.field_sets import difference, intersection, union
from towline_sandbox.embedded.patches.managed_fields import track_update
from towline_sandbox.embedded.patches.owners import (
    differ_in_times_only,
    entries_of,
    stored_owners,
    time_text,
)
from towline_sandbox.embedded.patches.removal import fields_of
from towline_sandbox.embedded.patches.server_side_apply import apply
from towline_sandbox.embedded.patches.shapes import shape_of
from towline_sandbox.embedded.patches.untracked import owned_by_callers
from unit.sandbox.embedded.patches.shared_objects import KIND, NOW, thing, things


def applied(
    live: KubeObject | None, wanted: KubeObject, manager: str, *, force: bool = True
) -> KubeObject:
    """Return the object after an apply."""
    return apply(live, wanted, kind=KIND, manager=manager, force=force, subresource="", now=NOW)


def updated(live: KubeObject | None, wanted: KubeObject, manager: str) -> KubeObject:
    """Return the object after an update by a caller who does not send `managedFields`."""
    return track_update(live, wanted, kind=KIND, manager=manager, subresource="", now=NOW)


def owned(obj: KubeObject) -> Any:
    """Return all fields that somebody owns."""
    found: Any = {}
    for owner in stored_owners(entries_of(obj)).values():
        found = union(found, owner.fields)
    return found


def managers(obj: KubeObject) -> dict[str, Any]:
    """Return what each manager owns."""
    return {entry["manager"]: entry["fieldsV1"] for entry in entries_of(obj) or ()}


@given(things())
def test_whoever_makes_an_object_owns_all_of_it(obj: KubeObject) -> None:
    """By create and by apply; the server's own fields are nobody's."""
    everything = owned_by_callers(fields_of(obj, shape=shape_of(KIND)))
    assert difference(everything, owned(updated(None, obj, "m"))) == {}
    assert owned(applied(None, obj, "m")) == everything


@given(things(), things())
def test_an_update_is_tracked_once(old: KubeObject, new: KubeObject) -> None:
    """Sending the same again changes neither owners nor times."""
    first = updated(updated(None, old, "one"), new, "two")
    assert updated(first, new, "three") == first


@given(things(), things())
def test_nobody_owns_what_is_not_there(old: KubeObject, new: KubeObject) -> None:
    """What an update removes is taken from everybody."""
    after = updated(updated(None, old, "one"), new, "two")
    there = owned(updated(None, new, "anybody"))
    assert difference(owned(after), there) == {}


@given(things(), things())
def test_a_field_has_one_updater(old: KubeObject, new: KubeObject) -> None:
    """Whoever changes a field takes it from who had it."""
    sets = list(managers(updated(updated(None, old, "one"), new, "two")).values())
    if len(sets) == 2:
        assert intersection(sets[0], sets[1]) == {}


@given(things(), things())
def test_applying_the_same_twice_is_nothing_new(old: KubeObject, wanted: KubeObject) -> None:
    """Not even a time moves."""
    first = applied(updated(None, old, "one"), wanted, "two")
    assert applied(first, wanted, "two") == first


@given(things(), things())
def test_an_applier_owns_what_it_applies(old: KubeObject, wanted: KubeObject) -> None:
    """All of it, and nothing else, whoever had it before."""
    after = applied(updated(None, old, "one"), wanted, "two")
    everything = owned_by_callers(fields_of(wanted, shape=shape_of(KIND)))
    assert managers(after).get("two", {}) == everything


@given(things(empty_lists=False), things(empty_lists=False))
def test_what_is_no_longer_applied_goes_with_its_owner(
    first: KubeObject, second: KubeObject
) -> None:
    """After a manager applies nothing any more, what it alone had is gone, and the rest is not."""
    nothing = thing({})
    del nothing["spec"]
    alone = applied(applied(None, first, "one"), nothing, "one")
    assert entries_of(alone) is None
    assert fields_of(alone, shape=shape_of(KIND)) == fields_of(nothing, shape=shape_of(KIND))
    shared = applied(applied(applied(None, first, "one"), second, "two"), nothing, "one")
    kept = owned_by_callers(fields_of(second, shape=shape_of(KIND)))
    assert owned(shared) == kept
    assert difference(kept, fields_of(shared, shape=shape_of(KIND))) == {}


@given(things(), things())
def test_an_apply_without_force_takes_nothing(old: KubeObject, wanted: KubeObject) -> None:
    """Either nobody minds, and it comes to what force would, or it is refused."""
    live = applied(None, old, "one")
    forced = applied(live, wanted, "two")
    lost = difference(managers(live).get("one", {}), managers(forced).get("one", {}))
    if lost:
        with pytest.raises(ApiFailure, match=r"^Apply failed with"):
            applied(live, wanted, "two", force=False)
    else:
        assert applied(live, wanted, "two", force=False) == forced


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), things()), max_size=5))
def test_no_write_changes_what_was_stored(
    writes: list[tuple[str, bool, KubeObject]],
) -> None:
    """Readers share stored objects, so a write must leave them as they are."""
    live: KubeObject | None = None
    for manager, applies, wanted in writes:
        before, sent = repr(live), repr(wanted)
        after = (applied if applies else updated)(live, wanted, manager)
        assert (repr(live), repr(wanted)) == (before, sent)
        live = after


def test_the_oldest_updaters_become_one() -> None:
    """An object with many writers does not grow for ever."""
    live = updated(None, thing({"options": {"k0": "1"}}), "m0")
    for number in range(1, 14):
        options = {f"k{n}": "1" for n in range(number + 1)}
        live = updated(live, thing({"options": options}), f"m{number}")
    fields = {name: set(found["f:spec"]["f:options"]) for name, found in managers(live).items()}
    assert fields.pop("ancient-changes") == {".", "f:k0", "f:k1", "f:k10", "f:k11", "f:k12"}
    assert fields == {f"m{n}": {f"f:k{n}"} for n in (2, 3, 4, 5, 6, 7, 8, 9, 13)}


def test_an_object_without_owners_stays_so_until_it_is_applied() -> None:
    """As after a reset; then all that was there has been somebody's before."""
    live = {**thing({"size": 1}), "metadata": {"name": "x"}}
    assert entries_of(updated(live, thing({"size": 2}), "m")) is None
    after = applied(live, thing({"size": 1, "plain": ["a"]}), "m")
    assert managers(after) == {
        "before-first-apply": {"f:spec": {".": {}, "f:size": {}}},
        "m": {"f:spec": {"f:plain": {}, "f:size": {}}},
    }


@pytest.mark.parametrize("entries", [None, [], [{"manager": "x"}]], ids=["none", "empty", "bad"])
def test_callers_who_do_not_know_owners_do_not_lose_them(entries: object) -> None:
    """Most send back what they read, or leave it out."""
    live = updated(None, thing({"size": 1}), "m")
    sent = thing({"size": 1})
    sent["metadata"]["managedFields"] = entries
    assert managers(updated(live, sent, "n")) == managers(live)


def test_a_caller_can_make_everybody_forget() -> None:
    """One empty entry stands for that."""
    live = updated(None, thing({"size": 1}), "m")
    sent = thing({"size": 2})
    sent["metadata"]["managedFields"] = [{}]
    assert entries_of(updated(live, sent, "n")) is None


def test_a_boolean_is_not_a_number() -> None:
    """To Python `True` is `1`; to the one who changes it, and to the API, it is not."""
    live = updated(None, thing({"anything": {"a": [True]}}), "one")
    after = updated(live, thing({"anything": {"a": [1]}}), "two")
    assert managers(after)["two"] == {"f:spec": {"f:anything": {"f:a": {}}}}
    wanted = applied(live, thing({"anything": {"a": [1]}}), "m")
    assert repr(wanted["spec"]["anything"]) == "{'a': [1]}"


def test_status_belongs_to_who_writes_it_through_its_subresource() -> None:
    """In a write to the object it does not count, in one to the subresource nothing else does."""
    whole = {**thing({"size": 1}), "status": {"ready": True}}
    assert managers(applied(None, whole, "m")) == {"m": {"f:spec": {"f:size": {}}}}
    live = updated(None, thing({"size": 1}), "m")
    changed = {**thing({"size": 2}), "status": {"ready": True}}
    after = track_update(live, changed, kind=KIND, manager="s", subresource="status", now=NOW)
    assert managers(after)["s"] == {"f:status": {".": {}, "f:ready": {}}}
    assert entries_of(after)[1]["subresource"] == "status"


def test_later_times_alone_are_no_change() -> None:
    """Else every apply of `1000m` over a stored `1` would be a write."""
    live = updated(None, thing({"size": 1}), "m")
    later = {**live, "metadata": dict(live["metadata"])}
    moved = time_text(NOW + timedelta(seconds=1))
    later["metadata"]["managedFields"] = [{**entries_of(live)[0], "time": moved}]
    assert differ_in_times_only(later, live)
    assert not differ_in_times_only({**later, "spec": {}}, live)
    assert not differ_in_times_only(updated(live, thing({"size": 2}), "n"), live)


@pytest.mark.parametrize(
    ("resource", "subresource", "owned_fields"),
    [
        (CERTIFICATE_SIGNING_REQUESTS, "", {"f:metadata"}),
        (CERTIFICATE_SIGNING_REQUESTS, "approval", {"f:metadata", "f:status"}),
        (CERTIFICATE_SIGNING_REQUESTS, "status", {"f:metadata", "f:status"}),
        (CONFIG_MAPS, "", {"f:metadata", "f:spec"}),
        (NODES, "status", {"f:metadata", "f:status"}),
    ],
)
def test_a_write_owns_what_it_reaches(
    resource: Resource, subresource: str, owned_fields: set[str]
) -> None:
    """The rest is left as it was, whatever the caller sends."""
    has_status = {"status": Subresource("status", frozenset())} if resource != CONFIG_MAPS else {}
    kind = Kind(resource, frozenset(), "", "", subresources=has_status)
    changed = {"metadata": {"labels": {"a": "1"}}, "spec": {"b": "1"}}
    if has_status:
        changed["status"] = {"c": "1"}
    live = {"metadata": {"managedFields": entries_of(updated(None, thing({"size": 1}), "o"))}}
    after = track_update(live, changed, kind=kind, manager="m", subresource=subresource, now=NOW)
    assert set(managers(after)["m"]) == owned_fields


@pytest.mark.parametrize(
    ("stored", "wanted", "order"),
    [
        ("abcd", "ca", "bcda"),
        ("abcd", "db", "acdb"),
        ("abc", "xcya", "bxcya"),
        ("abc", "bx", "abcx"),
    ],
)
def test_applied_items_keep_their_order(stored: str, wanted: str, order: str) -> None:
    """Others stay before what followed them, as far as that goes; so a real server has it."""
    live = updated(None, thing({"tags": list(stored)}), "one")
    assert applied(live, thing({"tags": list(wanted)}), "two")["spec"]["tags"] == list(order)
