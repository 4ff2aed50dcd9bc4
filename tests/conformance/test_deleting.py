"""Deleting: answers, preconditions, finalizers, collections."""

from typing import Any

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map, details
from towline_api.resources import LEASES, PODS, KubeObject

FINALIZER = "example.com/hold"


@pytest.fixture
def path(namespace: str) -> str:
    """Return the path of the test's ConfigMaps."""
    return CONFIG_MAPS.path(namespace=namespace)


async def create(api: Api, path: str, name: str, **metadata: Any) -> KubeObject:
    """Create a ConfigMap."""
    return (await api.post(path, config_map(name, **metadata))).ok(201)


async def test_a_deletion_is_confirmed(api: Api, path: str) -> None:
    """By a Status that says what is gone."""
    made = await create(api, path, "a")
    body = (await api.delete(f"{path}/a")).ok()
    assert body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }
    assert (await api.get(f"{path}/a")).status == 404


async def test_what_is_not_there_cannot_be_deleted(api: Api, path: str) -> None:
    """Who deletes twice is told so."""
    (await api.delete(f"{path}/none")).assert_refused(
        404, "NotFound", 'configmaps "none" not found', details(CONFIG_MAPS, "none")
    )


async def test_a_finalizer_holds_the_object(api: Api, path: str) -> None:
    """It is marked, kept, and gone with its last finalizer."""
    made = await create(api, path, "a", finalizers=[FINALIZER, "example.com/other"])
    marked = (await api.delete(f"{path}/a")).ok()
    assert marked["kind"] == "ConfigMap"
    metadata = marked["metadata"]
    assert metadata["deletionTimestamp"]
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert int(metadata["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    one = (await api.patch(f"{path}/a", {"metadata": {"finalizers": [FINALIZER]}})).ok()
    assert one["metadata"]["deletionTimestamp"] == metadata["deletionTimestamp"]
    last = (await api.patch(f"{path}/a", {"metadata": {"finalizers": []}})).ok()
    assert last["metadata"]["name"] == "a"
    assert (await api.get(f"{path}/a")).status == 404


async def test_a_second_deletion_of_what_is_held_changes_nothing(api: Api, path: str) -> None:
    """The mark is set once."""
    await create(api, path, "a", finalizers=[FINALIZER])
    first = (await api.delete(f"{path}/a")).ok()
    second = (await api.delete(f"{path}/a")).ok()
    assert second == first


async def test_what_is_being_deleted_gets_no_new_finalizers(api: Api, path: str) -> None:
    """Otherwise it would never end."""
    await create(api, path, "a", finalizers=[FINALIZER])
    (await api.delete(f"{path}/a")).ok()
    answer = await api.patch(
        f"{path}/a", {"metadata": {"finalizers": [FINALIZER, "example.com/x"]}}
    )
    message = (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new "
        'finalizers []string{"example.com/x"}'
    )
    answer.assert_refused(
        422,
        "Invalid",
        f'ConfigMap "a" is invalid: metadata.finalizers: {message}',
        {
            "name": "a",
            "kind": "ConfigMap",
            "causes": [
                {
                    "reason": "FieldValueForbidden",
                    "message": message,
                    "field": "metadata.finalizers",
                }
            ],
        },
    )


async def test_what_is_being_deleted_keeps_its_name(api: Api, path: str) -> None:
    """A new one has to wait."""
    await create(api, path, "a", finalizers=[FINALIZER])
    (await api.delete(f"{path}/a")).ok()
    answer = await api.post(path, config_map("a"))
    answer.assert_refused(
        409,
        "AlreadyExists",
        'object is being deleted: configmaps "a" already exists',
        details(CONFIG_MAPS, "a"),
    )


async def test_a_deletion_can_insist_on_an_incarnation(api: Api, path: str) -> None:
    """The name may have been taken again since."""
    made = await create(api, path, "a")
    other = "11111111-1111-4111-8111-111111111111"
    answer = await api.delete(f"{path}/a", {"preconditions": {"uid": other}})
    answer.assert_refused(
        409,
        "Conflict",
        'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition '
        f"({other}) does not match the UID in record ({made['metadata']['uid']}). The object might "
        "have been deleted and then recreated",
        {"name": "a", "kind": "ConfigMap"},
    )
    (await api.delete(f"{path}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})).ok()


async def test_a_deletion_can_insist_on_a_version(api: Api, path: str) -> None:
    """Compare-and-delete."""
    made = await create(api, path, "a")
    changed = (await api.patch(f"{path}/a", {"data": {"k": "v"}})).ok()
    old, new = (body["metadata"]["resourceVersion"] for body in (made, changed))
    answer = await api.delete(f"{path}/a", {"preconditions": {"resourceVersion": old}})
    answer.assert_refused(
        409,
        "Conflict",
        'Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition '
        f"({old}) does not match the ResourceVersion in record ({new}). The object might have "
        "been modified",
        {"name": "a", "kind": "ConfigMap"},
    )
    (await api.delete(f"{path}/a", {"preconditions": {"resourceVersion": new}})).ok()


async def test_a_collection_is_deleted(api: Api, namespace: str) -> None:
    """The answer lists what is gone."""
    path = LEASES.path(namespace=namespace)
    for name in ("a", "b"):
        (await api.post(path, {"metadata": {"name": name}})).ok(201)
    body = (await api.delete(path)).ok()
    assert body["kind"] == "LeaseList"
    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "b"]
    assert (await api.get(path)).ok()["items"] == []


async def test_a_part_of_a_collection_is_deleted(api: Api, path: str) -> None:
    """What a selector finds, and what a finalizer holds is only marked."""
    await create(api, path, "a", labels={"l": "1"})
    await create(api, path, "b", labels={"l": "2"})
    await create(api, path, "c", labels={"l": "1"}, finalizers=[FINALIZER])
    (await api.delete(path, labelSelector="l=1")).ok()
    left = {
        item["metadata"]["name"]: "deletionTimestamp" in item["metadata"]
        for item in (await api.get(path, labelSelector="l")).ok()["items"]
    }
    assert left == {"b": False, "c": True}


async def test_orphaning_is_a_finalizer(api: Api, path: str) -> None:
    """It is the collector's to take away."""
    await create(api, path, "a", finalizers=[FINALIZER])
    body = (await api.delete(f"{path}/a", {"propagationPolicy": "Orphan"})).ok()
    assert set(body["metadata"]["finalizers"]) == {FINALIZER, "orphan"}


async def test_an_unknown_propagation_is_refused(api: Api, path: str) -> None:
    """There are three."""
    await create(api, path, "a")
    answer = await api.delete(f"{path}/a", propagationPolicy="Sideways")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    cause = answer.body["details"]["causes"][0]
    assert cause["field"] == "propagationPolicy"
    assert cause["message"] == (
        'Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", '
        '"nil"'
    )


async def test_a_pod_nobody_runs_is_deleted_at_once(api: Api, namespace: str) -> None:
    """A grace period is for the kubelet that has it; without a node there is none."""
    path = PODS.path(namespace=namespace)
    spec = {"containers": [{"name": "main", "image": "app:1"}]}
    (await api.post(path, {"metadata": {"name": "a"}, "spec": spec})).ok(201)
    body = (await api.delete(f"{path}/a")).ok()
    assert body["kind"] == "Pod"
    assert (await api.get(f"{path}/a")).status == 404


async def test_a_running_pod_gets_its_grace(api: Api, namespace: str) -> None:
    """It is marked, and its node is to end it within that time."""
    path = PODS.path(namespace=namespace)
    spec = {
        "containers": [{"name": "main", "image": "app:1"}],
        "nodeName": "somewhere",
        "terminationGracePeriodSeconds": 40,
    }
    (await api.post(path, {"metadata": {"name": "a"}, "spec": spec})).ok(201)
    body = (await api.delete(f"{path}/a")).ok()
    assert body["metadata"]["deletionGracePeriodSeconds"] == 40
    assert (await api.get(f"{path}/a")).ok()["metadata"]["deletionTimestamp"]
    (await api.delete(f"{path}/a", {"gracePeriodSeconds": 0})).ok()
    assert (await api.get(f"{path}/a")).status == 404
