"""Strategic merge patches: lists of built-in kinds merged by key."""

import pytest

from conformance.api import Api, PatchType
from conformance.crds import widget, widgets
from conformance.objects import DEPLOYMENTS, deployment
from towline_api.resources import KubeObject

STRATEGIC = PatchType.STRATEGIC


@pytest.fixture
async def path(api: Api, namespace: str) -> str:
    """Return the path of a Deployment with one container that has two variables."""
    body = deployment("a")
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "2"},
    ]
    (await api.post(DEPLOYMENTS.path(namespace=namespace), body)).ok(201)
    return DEPLOYMENTS.path(namespace=namespace, name="a")


async def patch_pod(api: Api, path: str, pod: KubeObject) -> KubeObject:
    """Patch the pod template and return the pod that comes out."""
    patch = {"spec": {"template": {"spec": pod}}}
    body = (await api.patch(path, patch, kind=STRATEGIC)).ok()
    found: KubeObject = body["spec"]["template"]["spec"]
    return found


async def test_containers_are_merged_by_name(api: Api, path: str) -> None:
    """A new one comes to the front; the one there keeps what is not named."""
    pod = await patch_pod(
        api,
        path,
        {"containers": [{"name": "main", "image": "app:2"}, {"name": "side", "image": "side:1"}]},
    )
    by_name = {item["name"]: item for item in pod["containers"]}
    assert set(by_name) == {"main", "side"}
    assert by_name["main"]["image"] == "app:2"
    assert [item["name"] for item in by_name["main"]["env"]] == ["A", "B"]


async def test_nested_lists_are_merged_as_well(api: Api, path: str) -> None:
    """A variable is changed without repeating the others."""
    env = [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    pod = await patch_pod(api, path, {"containers": [{"name": "main", "env": env}]})
    found = {item["name"]: item["value"] for item in pod["containers"][0]["env"]}
    assert found == {"A": "1", "B": "3", "C": "4"}


async def test_an_item_is_deleted_by_key(api: Api, path: str) -> None:
    """`$patch: delete` beside the key."""
    env = [{"name": "A", "$patch": "delete"}]
    pod = await patch_pod(api, path, {"containers": [{"name": "main", "env": env}]})
    assert pod["containers"][0]["env"] == [{"name": "B", "value": "2"}]


async def test_a_list_is_replaced_on_request(api: Api, path: str) -> None:
    """`$patch: replace` as an item of its own."""
    env: list[KubeObject] = [{"$patch": "replace"}, {"name": "Z", "value": "9"}]
    pod = await patch_pod(api, path, {"containers": [{"name": "main", "env": env}]})
    assert pod["containers"][0]["env"] == [{"name": "Z", "value": "9"}]


async def test_an_object_is_replaced_on_request(api: Api, path: str) -> None:
    """`$patch: replace` in the object: nothing of the old one stays."""
    patch = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
    body = (await api.patch(path, patch, kind=STRATEGIC)).ok()
    assert body["spec"]["strategy"] == {"type": "Recreate"}


async def test_keys_are_retained_on_request(api: Api, path: str) -> None:
    """`$retainKeys`: how kubectl changes a union from one member to the other."""
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    body = (await api.patch(path, patch, kind=STRATEGIC)).ok()
    assert body["spec"]["strategy"] == {"type": "Recreate"}


async def test_an_order_can_be_set(api: Api, path: str) -> None:
    """`$setElementOrder`: how kubectl keeps the order of a file."""
    patch = {
        "$setElementOrder/containers": [{"name": "side"}, {"name": "main"}],
        "containers": [{"name": "side", "image": "side:1"}],
    }
    pod = await patch_pod(api, path, patch)
    assert [item["name"] for item in pod["containers"]] == ["side", "main"]


async def test_null_removes(api: Api, path: str) -> None:
    """As in a merge patch."""
    (await api.patch(path, {"metadata": {"labels": {"a": "1", "b": "2"}}}, kind=STRATEGIC)).ok()
    body = (await api.patch(path, {"metadata": {"labels": {"a": None}}}, kind=STRATEGIC)).ok()
    assert body["metadata"]["labels"] == {"b": "2"}


async def test_finalizers_are_merged_and_deleted_one_by_one(api: Api, path: str) -> None:
    """A list of plain values: `$deleteFromPrimitiveList` takes some out."""
    for finalizer in ("example.com/a", "example.com/b"):
        patch: KubeObject = {"metadata": {"finalizers": [finalizer]}}
        (await api.patch(path, patch, kind=STRATEGIC)).ok()
    body = (await api.get(path)).ok()
    assert sorted(body["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    body = (await api.patch(path, patch, kind=STRATEGIC)).ok()
    assert body["metadata"]["finalizers"] == ["example.com/b"]


async def test_owners_are_merged_by_uid(api: Api, path: str) -> None:
    """Two controllers name themselves as owners without knowing of each other."""
    owners = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": f"uid-{name}"}
        for name in ("x", "y")
    ]
    for owner in owners:
        patch = {"metadata": {"ownerReferences": [owner], "finalizers": ["example.com/keep"]}}
        (await api.patch(path, patch, kind=STRATEGIC)).ok()
    found = (await api.get(path)).ok()["metadata"]["ownerReferences"]
    assert sorted(item["uid"] for item in found) == ["uid-x", "uid-y"]


async def test_atomic_lists_are_replaced(api: Api, namespace: str, path: str) -> None:
    """Arguments of a program have no keys."""
    pod = await patch_pod(api, path, {"containers": [{"name": "main", "args": ["a", "b"]}]})
    assert pod["containers"][0]["args"] == ["a", "b"]
    pod = await patch_pod(api, path, {"containers": [{"name": "main", "args": ["c"]}]})
    assert pod["containers"][0]["args"] == ["c"]


async def test_an_unknown_directive_is_refused(api: Api, path: str) -> None:
    """Not stored as a field."""
    answer = await api.patch(path, {"spec": {"strategy": {"$patch": "dance"}}}, kind=STRATEGIC)
    answer.assert_refused(500, "", "unknown patch type: dance in map: map[$patch:dance]")


async def test_custom_kinds_know_no_strategic_patch(
    api: Api, widget_group: str, namespace: str
) -> None:
    """Their lists have no merge keys."""
    path = widgets(widget_group).path(namespace=namespace)
    (await api.post(path, widget(widget_group, "a"))).ok(201)
    answer = await api.patch(f"{path}/a", {"spec": {"size": 2}}, kind=STRATEGIC)
    answer.assert_refused(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )
