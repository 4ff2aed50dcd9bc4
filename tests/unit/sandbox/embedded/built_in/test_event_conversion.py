"""An Event of one group is an Event of the other."""

import pytest

from support.built_in_kinds import complaints, created, kind_of, read
from towline_api.resources import KubeObject

CORE = kind_of("v1", "events")
NEW = kind_of("events.k8s.io/v1", "events")

AS_NEW: KubeObject = {
    "metadata": {"name": "e", "namespace": "ns"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingController": "c",
    "reportingInstance": "i",
    "action": "a",
    "reason": "r",
    "type": "Normal",
    "regarding": {"kind": "Pod", "namespace": "ns", "name": "p"},
    "note": "hi",
}


async def test_what_is_written_as_one_is_read_as_the_other() -> None:
    """Kubectl reads the core group, controllers write the new one."""
    assert NEW.convert is not None
    stored = read(NEW, AS_NEW)
    (core,) = await NEW.convert([stored], "v1")
    assert core == read(CORE, core)
    assert core["message"] == "hi"
    assert core["involvedObject"] == AS_NEW["regarding"]
    assert (core["source"], core["firstTimestamp"]) == ({}, None)
    assert await NEW.convert([core], "events.k8s.io/v1") == [stored]


async def test_what_the_core_form_cannot_leave_out_is_not_told_by_the_new_one() -> None:
    """Empty names of a controller appear in one form only."""
    assert CORE.convert is not None
    core = read(CORE, {"metadata": {"name": "e"}, "involvedObject": {"namespace": "ns"}})
    assert (core["reportingComponent"], core["reportingInstance"]) == ("", "")
    (new,) = await CORE.convert([core], "events.k8s.io/v1")
    assert new.keys().isdisjoint({"reportingController", "reportingInstance"})
    assert await CORE.convert([new], "v1") == [core]


def test_both_are_stored_in_one_place() -> None:
    """Deleting it in one group deletes it in the other."""
    assert NEW.storage_key == CORE.storage_key
    assert str(NEW.stored_as) == str(CORE.stored_as) == "v1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"eventTime": None}, ["eventTime: Required value"]),
        ({"action": ""}, ["action: Required value"]),
        ({"note": "x" * 1025}, ['message: Invalid value: "": can have at most 1024 characters']),
        ({"type": "Foo"}, ['type: Invalid value: "": has invalid value: Foo']),
        ({"deprecatedCount": 3}, ['count: Invalid value: "": needs to be unset']),
        (
            {"series": {"count": 1}},
            [
                'series.count: Invalid value: "": should be at least 2',
                "series.lastObservedTime: Required value",
            ],
        ),
        (
            {"regarding": {"kind": "Node", "name": "n"}},
            ['involvedObject.namespace: Invalid value: "": does not match event.namespace'],
        ),
    ],
)
def test_new_events_are_strictly_checked(changes: KubeObject, told: list[str]) -> None:
    """Complaints name the fields of the core group: that is how the real server has them."""
    assert complaints(NEW, created(NEW, {**AS_NEW, **changes})) == told


def test_only_the_series_of_an_event_changes() -> None:
    """An Event is history."""
    old = created(NEW, AS_NEW)
    again = {"count": 2, "lastObservedTime": "2026-01-02T00:00:00.000000Z"}
    assert complaints(NEW, created(NEW, {**AS_NEW, "series": again}), old) == []
    found = complaints(NEW, created(NEW, {**AS_NEW, "note": "x", "type": "Warning"}), old)
    assert found == [
        'message: Invalid value: "x": field is immutable',
        'type: Invalid value: "Warning": field is immutable',
    ]


def test_core_events_are_hardly_checked() -> None:
    """Old clients write whatever they like, as long as the namespace is the right one."""
    elsewhere = {"metadata": {"namespace": "ns"}, "involvedObject": {"namespace": "other"}}
    assert complaints(CORE, created(CORE, elsewhere)) == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]
    here = {"metadata": {"namespace": "ns"}, "involvedObject": {"namespace": "ns"}}
    assert complaints(CORE, created(CORE, here)) == []
