"""Merge patches and JSON patches: what they change, and how they fail."""

import pytest

from conformance.api import Api, PatchType
from conformance.objects import CONFIG_MAPS, config_map, details
from towline_api.resources import KubeObject


@pytest.fixture
async def path(api: Api, namespace: str) -> str:
    """Return the path of a ConfigMap with two keys and a label."""
    body = config_map("a", {"k": "v", "l": "w"}, labels={"x": "1"})
    (await api.post(CONFIG_MAPS.path(namespace=namespace), body)).ok(201)
    return CONFIG_MAPS.path(namespace=namespace, name="a")


async def test_a_merge_patch_sets_and_removes(api: Api, path: str) -> None:
    """Null removes; what is not named stays."""
    patch = {"data": {"k": None, "m": "n"}, "metadata": {"annotations": {"a": "b"}}}
    body = (await api.patch(path, patch)).ok()
    assert body["data"] == {"l": "w", "m": "n"}
    assert body["metadata"]["annotations"] == {"a": "b"}
    assert body["metadata"]["labels"] == {"x": "1"}


async def test_a_merge_patch_removes_a_whole_field(api: Api, path: str) -> None:
    """Without leaving an empty one behind."""
    body = (await api.patch(path, {"data": None, "metadata": {"labels": None}})).ok()
    assert "data" not in body
    assert "labels" not in body["metadata"]


async def test_a_merge_patch_replaces_lists(api: Api, path: str) -> None:
    """There is no merging of lists in RFC 7396."""
    first = {"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}
    (await api.patch(path, first)).ok()
    second = {"metadata": {"finalizers": ["example.com/c"]}}
    body = (await api.patch(path, second)).ok()
    assert body["metadata"]["finalizers"] == ["example.com/c"]


async def test_a_merge_patch_can_insist_on_a_version(api: Api, path: str) -> None:
    """With the version it becomes a compare-and-swap."""
    made = (await api.get(path)).ok()
    version = made["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {"k": "new"}}
    (await api.patch(path, patch)).ok()
    (await api.patch(path, patch | {"data": {"k": "newer"}})).assert_refused(
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
        "apply your changes to the latest version and try again",
        details(CONFIG_MAPS, "a"),
    )


async def test_a_patch_of_what_is_not_there(api: Api, namespace: str) -> None:
    """Patches other than apply create nothing."""
    path = CONFIG_MAPS.path(namespace=namespace, name="none")
    for kind in (PatchType.MERGE, PatchType.STRATEGIC):
        (await api.patch(path, {"data": {"a": "b"}}, kind=kind)).assert_refused(
            404, "NotFound", 'configmaps "none" not found', details(CONFIG_MAPS, "none")
        )


async def test_a_patch_has_to_be_an_object(api: Api, path: str) -> None:
    """A merge patch that is a list cannot be merged into an object."""
    (await api.patch(path, ["a"])).assert_refused(
        400,
        "BadRequest",
        "error decoding patch: json: cannot unmarshal array into Go value of type "
        "map[string]interface {}",
    )


async def test_a_patch_to_a_wrong_type_is_refused(api: Api, path: str) -> None:
    """The result has to be readable as the kind."""
    answer = await api.patch(path, {"data": {"k": {"deep": 1}}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["patch"]
    assert answer.body["message"].endswith(
        "json: cannot unmarshal object into Go struct field ConfigMap.data of type string"
    )
    assert (await api.get(path)).ok()["data"] == {"k": "v", "l": "w"}


async def test_other_patches_are_refused(api: Api, path: str) -> None:
    """Plain JSON does not say how it is to be merged."""
    answer = await api.call("PATCH", path, b"{}", headers={"Content-Type": "application/json"})
    answer.assert_refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


@pytest.mark.parametrize(
    ("operations", "data"),
    [
        pytest.param(
            [{"op": "add", "path": "/data/m", "value": "n"}],
            {"k": "v", "l": "w", "m": "n"},
            id="add",
        ),
        pytest.param(
            [{"op": "replace", "path": "/data/k", "value": "n"}], {"k": "n", "l": "w"}, id="replace"
        ),
        pytest.param(
            [{"op": "replace", "path": "/data/m", "value": "n"}],  # RFC 6902 would have it fail
            {"k": "v", "l": "w", "m": "n"},
            id="replace nothing",
        ),
        pytest.param([{"op": "remove", "path": "/data/k"}], {"l": "w"}, id="remove"),
        pytest.param(
            [{"op": "move", "from": "/data/k", "path": "/data/m"}], {"l": "w", "m": "v"}, id="move"
        ),
        pytest.param(
            [{"op": "copy", "from": "/data/k", "path": "/data/m"}],
            {"k": "v", "l": "w", "m": "v"},
            id="copy",
        ),
        pytest.param(
            [
                {"op": "test", "path": "/data/k", "value": "v"},
                {"op": "add", "path": "/data/a~1b", "value": "slash"},
            ],
            {"k": "v", "l": "w", "a/b": "slash"},
            id="test and escape",
        ),
    ],
)
async def test_json_patches(
    api: Api, namespace: str, operations: list[KubeObject], data: dict[str, str], path: str
) -> None:
    """The six operations of RFC 6902."""
    answer = await api.patch(path, operations, kind=PatchType.JSON)
    if any("~1" in item["path"] for item in operations):
        # A key with a slash is no key of a ConfigMap: the pointer was understood, the rule broken.
        assert answer.status == 422
        assert answer.body["details"]["causes"][0]["field"] == "data[a/b]"
        return
    assert answer.ok()["data"] == data


@pytest.mark.parametrize(
    ("operations", "status", "reason"),
    [
        pytest.param(
            [{"op": "test", "path": "/data/k", "value": "other"}], 422, "Invalid", id="test fails"
        ),
        pytest.param([{"op": "remove", "path": "/data/none"}], 422, "Invalid", id="nothing there"),
        pytest.param(
            [{"op": "add", "path": "/none/deep", "value": "x"}], 422, "Invalid", id="no parent"
        ),
        pytest.param(
            [{"op": "move", "from": "/data/none", "path": "/data/m"}], 422, "Invalid", id="move"
        ),
        pytest.param([{"op": "dance", "path": "/data"}], 422, "Invalid", id="unknown operation"),
        pytest.param({"op": "remove"}, 400, "BadRequest", id="no list"),
    ],
)
async def test_json_patches_that_fail(
    api: Api, path: str, operations: object, status: int, reason: str
) -> None:
    """Nothing is written when one operation fails."""
    before = (await api.get(path)).ok()
    answer = await api.patch(path, operations, kind=PatchType.JSON)
    assert (answer.status, answer.body["reason"]) == (status, reason)
    if reason == "Invalid":
        assert answer.body["message"] == (
            "the server rejected our request due to an error in our request"
        )
    assert (await api.get(path)).ok() == before


async def test_json_patches_reach_into_lists(api: Api, path: str) -> None:
    """By index, or `-` for the end."""
    finalizers = ["example.com/a", "example.com/b"]
    (await api.patch(path, {"metadata": {"finalizers": finalizers}})).ok()
    operations = [
        {"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/c"},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]
    body = (await api.patch(path, operations, kind=PatchType.JSON)).ok()
    assert body["metadata"]["finalizers"] == ["example.com/b", "example.com/c"]
