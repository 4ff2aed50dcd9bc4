"""The forms of a patch. What is expected here was seen on a real API server."""

from typing import Any

import orjson
import pytest
import yaml

from towline_api.resources import CONFIG_MAPS, KubeObject, Resource
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.patches import apply_patch
from towline_sandbox.embedded.patches.media_types import (
    APPLY,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE,
)
from towline_sandbox.embedded.patches.reading import parse_apply
from towline_sandbox.embedded.patches.server_side_apply import apply
from towline_sandbox.embedded.patches.slips import slips_in
from unit.sandbox.embedded.patches.shared_objects import KIND, NOW, thing

_TEXT = {"type": "string"}
PODS = Kind(
    Resource("", "v1", "pods", "Pod", namespaced=True),
    frozenset(),
    "pod",
    "PodList",
    schema=Schema(
        {
            "type": "object",
            "properties": {
                "finalizers": {
                    "type": "array",
                    "items": _TEXT,
                    "x-kubernetes-patch-strategy": "merge",
                },
                "strategy": {
                    "type": "object",
                    "properties": {"type": _TEXT, "rolling": {"type": "object"}},
                    "x-kubernetes-patch-strategy": "retainKeys",
                },
                "containers": {
                    "type": "array",
                    "x-kubernetes-patch-strategy": "merge",
                    "x-kubernetes-patch-merge-key": "name",
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": _TEXT,
                            "image": _TEXT,
                            "args": {"type": "array", "items": _TEXT},
                        },
                    },
                },
            },
        }
    ),
)
REFUSED = "the server rejected our request due to an error in our request"
POD = {
    "finalizers": ["a", "b"],
    "strategy": {"type": "Rolling", "rolling": {"surge": 1}},
    "containers": [
        {"name": "x", "image": "i", "args": ["1"]},
        {"name": "y", "image": "i"},
        {"name": "z", "image": "i"},
    ],
}


def patched(current: KubeObject, patch: Any, media_type: str, *, kind: Kind = PODS) -> KubeObject:
    """Return the object after a patch; the one before must not have changed."""
    before = repr(current)
    body = patch if isinstance(patch, bytes) else orjson.dumps(patch)
    result = apply_patch(current, body, media_type=media_type, kind=kind)
    assert repr(current) == before
    return result


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        ({"op": "replace", "path": "/d/new", "value": "2"}, {"k": "1", "l": [1, 2], "new": "2"}),
        ({"op": "add", "path": "/d/~1a~01", "value": 1}, {"k": "1", "l": [1, 2], "/a~1": 1}),
        ({"op": "add", "path": "/d/#k", "value": 1}, {"k": "1", "l": [1, 2], "#k": 1}),
        ({"op": "add", "path": "/d/\\u0041", "value": 1}, {"k": "1", "l": [1, 2], "\\u0041": 1}),
        ({"op": "add", "path": "/d/n"}, {"k": "1", "l": [1, 2], "n": None}),
        ({"op": "add", "path": "/d/l/-", "value": 3}, {"k": "1", "l": [1, 2, 3]}),
        ({"op": "add", "path": "/d/l/-1", "value": 3}, {"k": "1", "l": [1, 2, 3]}),
        ({"op": "add", "path": "/d/l/01", "value": 3}, {"k": "1", "l": [1, 3, 2]}),
        ({"op": "remove", "path": "/d/l/-1"}, {"k": "1", "l": [1]}),
        ({"op": "copy", "from": "/d/none", "path": "/d/c"}, {"k": "1", "l": [1, 2], "c": None}),
        ({"op": "move", "from": "/d/k", "path": "/d/m"}, {"l": [1, 2], "m": "1"}),
        ({"op": "test", "path": "/d/none", "value": None}, {"k": "1", "l": [1, 2]}),
    ],
    ids=lambda value: str(value) if "op" in value else "",
)
def test_json_patches_are_taken_as_leniently_as_by_kubernetes(
    operation: KubeObject, data: KubeObject
) -> None:
    """It forgives what the RFC does not, and clients have come to rely on that."""
    assert patched({"d": {"k": "1", "l": [1, 2]}}, [operation], JSON_PATCH) == {"d": data}


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"op": "frob", "path": "/d/k"},
        {"op": "add"},
        {"op": "add", "path": ""},
        {"op": "add", "path": "/none/k", "value": 1},
        {"op": "add", "path": "/d/k/x", "value": 1},
        {"op": "add", "path": "/d/l/3", "value": 1},
        {"op": "add", "path": "/d/l/x", "value": 1},
        {"op": "remove", "path": "/d/none"},
        {"op": "remove", "path": "/d/l/2"},
        {"op": "replace", "path": "/d/l/2", "value": 1},
        {"op": "replace", "path": "", "value": "x"},
        {"op": "move", "from": "/d/none", "path": "/d/k"},
        {"op": "copy", "path": "/d/k"},
        {"op": "test", "path": "/d/k", "value": "2"},
        {"op": "test", "path": "/d/l", "value": [True, 2]},
    ],
    ids=str,
)
def test_json_patches_that_do_not_apply_are_refused(operation: KubeObject) -> None:
    """Why, the API server does not say."""
    with pytest.raises(ApiFailure, match=REFUSED) as refusal:
        patched({"d": {"k": "1", "l": [1, 2]}}, [operation], JSON_PATCH)
    assert (refusal.value.code, refusal.value.status()["details"]) == (422, {})


@pytest.mark.parametrize(
    ("media_type", "body", "told"),
    [
        (JSON_PATCH, b"no", "invalid JSON patch"),
        (
            JSON_PATCH,
            b"{}",
            (
                "error decoding patch: json: cannot unmarshal object into Go value of type "
                "[]handlers.jsonPatchOp"
            ),
        ),
        (
            JSON_PATCH,
            b'[{"path":5}]',
            (
                "error decoding patch: json: cannot unmarshal number into Go struct field "
                "jsonPatchOp.path of type string"
            ),
        ),
        (MERGE_PATCH, b"null", "Invalid JSON Patch"),
        (
            MERGE_PATCH,
            b"[]",
            (
                "error decoding patch: json: cannot unmarshal array into Go value of type "
                "map[string]interface {}"
            ),
        ),
        (
            STRATEGIC_MERGE,
            b'"x"',
            "json: cannot unmarshal string into Go value of type map[string]interface {}",
        ),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(media_type: str, body: bytes, told: str) -> None:
    """In the words of Go's JSON reader."""
    with pytest.raises(ApiFailure) as refusal:
        patched(POD, body, media_type)
    assert (refusal.value.code, refusal.value.message) == (400, told)


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"a": {"b": None}}, {"a": {"c": [1]}}),
        ({"a": None}, {}),
        ({"a": {"c": [None, {"x": None}]}}, {"a": {"b": 1, "c": [None, {}]}}),
        ({"n": {"x": None, "y": {"z": None}}}, {"a": {"b": 1, "c": [1]}, "n": {"y": {}}}),
        ({"a": 1}, {"a": 1}),
    ],
    ids=str,
)
def test_merge_patches(patch: KubeObject, result: KubeObject) -> None:
    """Nulls remove, lists are replaced, the rest is merged."""
    assert patched({"a": {"b": 1, "c": [1]}}, patch, MERGE_PATCH) == result


def names(containers: list[KubeObject]) -> str:
    """Return the names of containers in their order."""
    return "".join(container["name"] for container in containers)


@pytest.mark.parametrize(
    ("patch", "order"),
    [
        ([{"name": "y"}], "xyz"),
        ([{"name": "w"}, {"name": "y"}], "wxyz"),
        ([{"name": "z"}, {"name": "x"}], "yzx"),
        ([{"name": "y", "$patch": "delete"}], "xz"),
        ([{"$patch": "replace"}, {"name": "w"}], "w"),
    ],
    ids=str,
)
def test_strategic_merges_pair_items(patch: list[KubeObject], order: str) -> None:
    """The patch's items keep their order, the others stay as near to their place as they can."""
    assert names(patched(POD, {"containers": patch}, STRATEGIC_MERGE)["containers"]) == order


def test_strategic_merges_follow_the_order_they_give() -> None:
    """As kubectl writes it: the order of all items, beside those that change."""
    patch = {
        "$setElementOrder/containers": [{"name": "z"}, {"name": "w"}, {"name": "x"}],
        "containers": [{"name": "w"}, {"name": "x", "image": "j"}],
    }
    containers = patched(POD, patch, STRATEGIC_MERGE)["containers"]
    assert names(containers) == "yzwx"
    assert containers[-1] == {"name": "x", "image": "j", "args": ["1"]}


@pytest.mark.parametrize(
    ("patch", "field", "result"),
    [
        ({"finalizers": ["c", "a"]}, "finalizers", ["c", "a", "b"]),
        ({"$deleteFromPrimitiveList/finalizers": ["a"]}, "finalizers", ["b"]),
        ({"strategy": {"$retainKeys": ["type"], "type": "New"}}, "strategy", {"type": "New"}),
        ({"strategy": {"$patch": "replace", "type": "New"}}, "strategy", {"type": "New"}),
        ({"strategy": {"$patch": "delete"}}, "strategy", {}),
        ({"strategy": {"rolling": None}}, "strategy", {"type": "Rolling"}),
        ({"new": {"a": None, "b": {"$patch": "delete"}}}, "new", {}),
    ],
    ids=str,
)
def test_directives_of_strategic_merges(patch: KubeObject, field: str, result: Any) -> None:
    """What a plain merge cannot say."""
    assert patched(POD, patch, STRATEGIC_MERGE)[field] == result


@pytest.mark.parametrize(
    ("patch", "code", "told"),
    [
        ({"$patch": "frob"}, 500, "unknown patch type: frob in map: map[$patch:frob]"),
        ({"strategy": {"$retainKeys": "x"}}, 400, "invalid patch format of retainKeys"),
        (
            {"strategy": {"$retainKeys": ["type"], "x": 1}},
            400,
            "invalid patch format of retainKeys",
        ),
        ({"$deleteFromPrimitiveList": []}, 400, "invalid patch format of primitive list"),
        (
            {"$setElementOrder/finalizers": "x"},
            500,
            "expected a []interface {}, but received a string",
        ),
        (
            {"$setElementOrder/finalizers": ["q"], "finalizers": ["z"]},
            500,
            "The order in patch list:\n[z]\n doesn't match $setElementOrder list:\n[q]\n",
        ),
        (
            {"containers": [{"image": "j"}]},
            500,
            "map: map[image:j] does not contain declared merge key: name",
        ),
        (
            {"containers": [{"name": "x", "$patch": "merge"}]},
            500,
            "merging lists cannot yet be specified in the patch",
        ),
    ],
    ids=str,
)
def test_strategic_merges_that_contradict_themselves(
    patch: KubeObject, code: int, told: str
) -> None:
    """Some of them the API server takes for its own fault."""
    with pytest.raises(ApiFailure) as refusal:
        patched(POD, patch, STRATEGIC_MERGE)
    assert (refusal.value.code, refusal.value.message) == (code, told)
    assert ("reason" in refusal.value.status()) is (code == 400)


@pytest.mark.parametrize("media_type", [STRATEGIC_MERGE, "text/plain", f"{APPLY}x"])
def test_custom_kinds_take_three_forms(media_type: str) -> None:
    """A schema of theirs does not say how to pair items."""
    with pytest.raises(ApiFailure, match="accepted media types include: ") as refusal:
        patched(thing({}), {}, media_type, kind=KIND)
    assert refusal.value.code == 415
    assert refusal.value.message.endswith(", ".join((JSON_PATCH, MERGE_PATCH, APPLY)))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"nope": 1}, ".spec.nope: field not declared in schema"),
        ({"size": "1"}, ".spec.size: expected numeric (int or float), got string"),
        ({"plain": {}}, ".spec.plain: expected list, got &{map[]}"),
        ({"options": []}, ".spec.options: expected map, got &{[]}"),
        ({"tags": ["a", "a"]}, '.spec.tags: duplicate entries for key [="a"]'),
        (
            {"parts": [{"color": "r"}]},
            (
                ".spec.parts: element 0: associative list with keys has an element that omits all "
                'key fields ["name"] (and doesn\'t have default values for any key fields)'
            ),
        ),
        (
            {"parts": [{"name": "a", "color": 5}]},
            '.spec.parts[name="a"].color: expected string, got &value.valueUnstructured{Value:5}',
        ),
    ],
    ids=str,
)
def test_what_is_applied_has_to_fit_its_kind(spec: KubeObject, told: str) -> None:
    """Before anything else is looked at, and with a code that blames the server."""
    with pytest.raises(ApiFailure) as refusal:
        apply(None, thing(spec), kind=KIND, manager="m", force=True, subresource="", now=NOW)
    prefix = "failed to create typed patch object (n/x; t.test/v1, Kind=Thing): "
    assert (refusal.value.code, refusal.value.message) == (500, prefix + told)


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"kind": "Other"}, 400, "invalid object type: t.test/v1, Kind=Other"),
        ({"apiVersion": None, "kind": None}, 400, "invalid object type: /, Kind="),
        ({"metadata": {"managedFields": []}}, 400, "metadata.managedFields must be nil"),
        (
            {"metadata": {"name": "x", "uid": "u"}},
            409,
            (
                'Operation cannot be fulfilled on things.t.test "x": uid mismatch: the provided '
                "object specified uid u, and no existing object was found"
            ),
        ),
    ],
    ids=str,
)
def test_what_cannot_be_applied(change: KubeObject, code: int, told: str) -> None:
    """Another kind, owners, and what is gone."""
    wanted = {**thing({}), **change}
    with pytest.raises(ApiFailure) as refusal:
        apply(None, wanted, kind=KIND, manager="m", force=True, subresource="", now=NOW)
    assert (refusal.value.code, refusal.value.message) == (code, told)


def test_conflicts_name_every_field_and_owner() -> None:
    """So that people know whom to ask, and programs what to leave out."""

    def by(manager: str, live: KubeObject | None, spec: KubeObject) -> KubeObject:
        return apply(
            live, thing(spec), kind=KIND, manager=manager, force=False, subresource="", now=NOW
        )

    live = by("two", by("one", None, {"size": 1}), {"parts": [{"name": "a", "color": "r"}]})
    with pytest.raises(ApiFailure) as refusal:
        by("me", live, {"size": 2, "parts": [{"name": "a", "color": "g"}]})
    assert refusal.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.size\n'
        'conflicts with "two":\n- .spec.parts[name="a"].color'
    )
    assert refusal.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "one"',
                "field": ".spec.size",
            },
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "two"',
                "field": '.spec.parts[name="a"].color',
            },
        ]
    }


def test_kubectl_takes_over_what_it_applied_on_its_own_side() -> None:
    """Without force, and the annotation stays true for those who go back."""
    kind = Kind(CONFIG_MAPS, frozenset(), "configmap", "ConfigMapList", custom=True)
    last = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
    note = "kubectl.kubernetes.io/last-applied-configuration"
    live: KubeObject = {**last, "metadata": {"name": "x", "annotations": {}}}
    live["metadata"]["annotations"][note] = orjson.dumps(last).decode()
    wanted = {**last, "data": {"a": "<2>"}}
    settings: dict[str, Any] = {"kind": kind, "force": False, "subresource": "", "now": NOW}
    with pytest.raises(
        ApiFailure, match=r'conflict with "before-first-apply" using v1: \.data\.a$'
    ):
        apply(live, wanted, manager="other", **settings)
    result = apply(live, wanted, manager="kubectl", **settings)
    assert result["data"] == {"a": "<2>"}
    assert result["metadata"]["annotations"][note] == (
        '{"apiVersion":"v1","data":{"a":"\\u003c2\\u003e"},"kind":"ConfigMap",'
        '"metadata":{"name":"x"}}\n'
    )


def test_applied_objects_are_read_as_yaml() -> None:
    """Of which JSON is a part; times stay text, as JSON has no others."""
    wanted = {"at": "2026-01-01T00:00:00Z", "n": 1, "on": [True, None]}
    body = 'at: 2026-01-01T00:00:00Z\nn: 1\n"on": [true, null]\n'
    assert parse_apply(body.encode()) == wanted
    assert parse_apply(orjson.dumps(wanted)) == parse_apply(yaml.safe_dump(wanted).encode())
    assert parse_apply(b"") == {}
    with pytest.raises(ApiFailure, match=r"^error encoding patch: yaml: line 2: mapping values"):
        parse_apply(b"a: 1\n b: 2")
    with pytest.raises(ApiFailure, match="cannot unmarshal array into Go value"):
        parse_apply(b"[]")


@pytest.mark.parametrize(
    ("media_type", "body", "slips"),
    [
        (MERGE_PATCH, b'{"a":{"b":1,"b":2}}', ('duplicate field "a.b"',)),
        (
            JSON_PATCH,
            b'[{"op":"test","op":"add","x":1}]',
            ('json patch unknown field "[0].x"', 'json patch duplicate field "[0].op"'),
        ),
        (APPLY, b"a: 1\nb:\n  c: 1\n  c: 2", ('line 4: key "c" already set in map',)),
        (APPLY, b'{"a":1,"a":2}', ('line 1: key "a" already set in map',)),
        (APPLY, b'{"a":1}', ()),
        (APPLY, b"a: 1", ()),
    ],
)
def test_slips_are_noticed(media_type: str, body: bytes, slips: tuple[str, ...]) -> None:
    """Parsers keep the last of two values and say nothing."""
    assert slips_in(body, media_type=media_type) == slips
