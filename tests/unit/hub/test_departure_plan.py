"""In which order a cluster's things are deleted, and what is said while they are not gone."""

from datetime import timedelta

import pytest

from towline_api.resources import MANAGED_CLUSTER_ADDONS, KubeObject
from towline_hub.clusters.departure_plan import (
    Remains,
    after_force,
    cleanup_priority,
    recheck_delay,
    without_deprecated,
)


def _obj(
    name: str,
    *,
    priority: str | None = None,
    deleted: bool = False,
    finalizers: tuple[str, ...] = (),
) -> KubeObject:
    metadata: KubeObject = {"name": name, "namespace": "c1", "finalizers": [*finalizers]}
    if priority is not None:
        metadata["annotations"] = {"open-cluster-management.io/cleanup-priority": priority}
    if deleted:
        metadata["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    return {"metadata": metadata}


def _next(*objects: KubeObject) -> list[str]:
    remains = Remains(MANAGED_CLUSTER_ADDONS, objects)
    return [obj["metadata"]["name"] for obj in remains.next_to_delete]


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        (None, 0),
        ("0", 0),
        ("7", 7),
        ("100", 100),
        ("101", 0),
        ("-1", 0),
        ("", 0),
        (" 5", 0),
        ("5.0", 0),
        ("ten", 0),
        ("٣", 0),
    ],
)
def test_a_priority_is_a_number_up_to_a_hundred(text: str | None, priority: int) -> None:
    """What is no such number counts as none, which is the lowest."""
    assert cleanup_priority(_obj("a", priority=text)) == priority


def test_the_lowest_priority_goes_first_and_alone() -> None:
    """Whoever gave a priority counts on the others being there, or being gone."""
    objects = [_obj("late", priority="20"), _obj("first"), _obj("too", priority="0")]
    assert _next(*objects) == ["first", "too"]


def test_the_next_level_waits_until_the_one_before_is_gone() -> None:
    """Being deleted is not gone."""
    held = _obj("first", deleted=True, finalizers=("example.com/hold",))
    assert _next(held, _obj("late", priority="20")) == []
    assert _next(_obj("late", priority="20"), _obj("last", priority="21")) == ["late"]


def test_what_remains_is_named_with_what_holds_it() -> None:
    """An operator has to see whom to ask."""
    objects = [
        _obj("logs", deleted=True, finalizers=("example.com/a", "example.com/b")),
        _obj("alerts", deleted=True, finalizers=("example.com/a",)),
        _obj("mesh"),
    ]
    assert Remains(MANAGED_CLUSTER_ADDONS, objects).describe() == (
        "3 managedclusteraddons remain (alerts, logs, mesh), 2 of them pending finalizers: "
        "example.com/a (2), example.com/b (1)"
    )


def test_a_long_list_is_cut() -> None:
    """Conditions are read by people."""
    said = Remains(MANAGED_CLUSTER_ADDONS, [_obj(f"a{i}") for i in range(9)]).describe()
    assert said == (
        "9 managedclusteraddons remain (a0, a1, a2, a3, a4 and 4 more), "
        "0 of them pending finalizers"
    )


def test_force_takes_every_finalizer_but_those_of_kubernetes_itself() -> None:
    """The garbage collector does its work whoever else is gone."""
    assert after_force(["example.com/hold", "foregroundDeletion"]) == ["foregroundDeletion"]


def test_only_deprecated_finalizers_are_taken_without_force() -> None:
    """The others mean that somebody still has something to do."""
    finalizers = [
        "cluster.open-cluster-management.io/addon-pre-delete",
        "addon.open-cluster-management.io/addon-pre-delete",
        "cluster.open-cluster-management.io/hosting-addon-pre-delete",
        "cluster.open-cluster-management.io/hosting-manifests-cleanup",
    ]
    assert without_deprecated(finalizers) == ["addon.open-cluster-management.io/addon-pre-delete"]


def test_looking_again_slows_down() -> None:
    """An agent that is there needs seconds; one that is not costs a call every five."""
    assert recheck_delay(timedelta(seconds=2)) == timedelta(seconds=1)
    assert recheck_delay(timedelta(minutes=2)) == timedelta(seconds=5)
