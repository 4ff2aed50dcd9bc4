"""Objects of custom kinds: validated, pruned, defaulted, with a status of their own."""

from typing import Any

import pytest

from conformance.api import Api
from conformance.crds import install, version, widget, widget_crd, widgets
from conformance.objects import details
from conformance.watching import told
from towline_api.resources import KubeObject

KIND = "Widget.{}.example.com"


@pytest.fixture
def path(widget_group: str, namespace: str) -> str:
    """Return the path of Widgets in the test's namespace."""
    return widgets(widget_group).path(namespace=namespace)


async def test_an_object_of_a_custom_kind(api: Api, path: str, widget_group: str) -> None:
    """It has metadata like any other, and a generation from the beginning."""
    body = (await api.post(path, widget(widget_group, "a"))).ok(201)
    assert body["metadata"]["generation"] == 1
    assert body["spec"] == {"size": 1, "color": "red"}
    assert "status" not in body
    listed = (await api.get(path)).ok()
    assert listed["kind"] == "WidgetList"
    assert listed["items"] == [body]  # items of custom kinds say what they are


async def test_unknown_fields_are_pruned(api: Api, path: str, widget_group: str) -> None:
    """Except where the schema keeps them."""
    made = widget(widget_group, "a", unknown=1, free={"any": {"thing": 1}}, notes={"k": "v"})
    answer = await api.post(path, {**made, "extra": True})
    body = answer.ok(201)
    assert body["spec"] == {
        "size": 1,
        "color": "red",
        "free": {"any": {"thing": 1}},
        "notes": {"k": "v"},
    }
    assert "extra" not in body
    assert 'unknown field \\"spec.unknown\\"' in answer.headers["Warning"]
    assert 'unknown field \\"extra\\"' in answer.headers["Warning"]


async def test_unknown_fields_can_be_refused(api: Api, path: str, widget_group: str) -> None:
    """All of them, by path."""
    answer = await api.post(path, widget(widget_group, "a", unknown=1), fieldValidation="Strict")
    answer.assert_refused(
        400,
        "BadRequest",
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown '
        'field "spec.unknown"',
    )


async def test_defaults_fill_in_nested_items(api: Api, path: str, widget_group: str) -> None:
    """Also in the items of a list."""
    made = widget(widget_group, "a", parts=[{"name": "x"}, {"name": "y", "count": 5}])
    body = (await api.post(path, made)).ok(201)
    assert body["spec"]["parts"] == [{"name": "x", "count": 1}, {"name": "y", "count": 5}]


@pytest.mark.parametrize(
    ("spec", "field", "reason", "message"),
    [
        pytest.param(
            {"size": 0},
            "spec.size",
            "FieldValueInvalid",
            "Invalid value: 0: spec.size in body should be greater than or equal to 1",
            id="minimum",
        ),
        pytest.param(
            {"size": 10},
            "spec.size",
            "FieldValueInvalid",
            "Invalid value: 10: spec.size in body should be less than or equal to 9",
            id="maximum",
        ),
        pytest.param(
            {"size": "big"},
            "spec.size",
            "FieldValueTypeInvalid",
            'Invalid value: "string": spec.size in body must be of type integer: "string"',
            id="type",
        ),
        pytest.param(
            {"size": None},
            "spec.size",
            "FieldValueRequired",
            "Required value",
            id="null is missing",
        ),
        pytest.param(
            {"color": "blue"},
            "spec.color",
            "FieldValueNotSupported",
            'Unsupported value: "blue": supported values: "red", "green"',
            id="enumeration",
        ),
        pytest.param(
            {"tag": "ABC"},
            "spec.tag",
            "FieldValueInvalid",
            "Invalid value: \"ABC\": spec.tag in body should match '^[a-z]+$'",
            id="pattern",
        ),
        pytest.param(
            {"tag": "abcdef"},
            "spec.tag",
            "FieldValueTooLong",
            "Too long: may not be more than 5 bytes",
            id="length",
        ),
        pytest.param(
            {"parts": [{"name": n} for n in "wxyz"]},
            "spec.parts",
            "FieldValueTooMany",
            "Too many: 4: must have at most 3 items",
            id="items",
        ),
        pytest.param(
            {"parts": [{"count": 1}]},
            "spec.parts[0].name",
            "FieldValueRequired",
            "Required value",
            id="required in an item",
        ),
        pytest.param(
            {"parts": [{"name": "x"}, {"name": "x"}]},
            "spec.parts[1]",
            "FieldValueDuplicate",
            'Duplicate value: {"name":"x"}',
            id="key twice",
        ),
        pytest.param(
            {"tags": ["a", "a"]},
            "spec.tags[1]",
            "FieldValueDuplicate",
            'Duplicate value: "a"',
            id="member of a set twice",
        ),
        pytest.param(
            {"port": 1.5},
            "spec.port",
            "FieldValueTypeInvalid",
            'Invalid value: "number": spec.port in body must be of type integer,string: "number"',
            id="int or string",
        ),
    ],
)
async def test_the_schema_is_enforced(
    api: Api,
    path: str,
    widget_group: str,
    spec: dict[str, Any],
    field: str,
    reason: str,
    message: str,
) -> None:
    """In Kubernetes' words, by which people find their mistake."""
    answer = await api.post(path, widget(widget_group, "a", **spec))
    cause = {"reason": reason, "message": message, "field": field}
    assert (answer.status, answer.body["reason"]) == (422, "Invalid"), answer.text
    assert cause in answer.body["details"]["causes"]
    if len(answer.body["details"]["causes"]) == 1:
        answer.assert_refused(
            422,
            "Invalid",
            f'{KIND.format(widget_group)} "a" is invalid: {field}: {message}',
            {
                "name": "a",
                "group": f"{widget_group}.example.com",
                "kind": "Widget",
                "causes": [cause],
            },
        )


async def test_rules_compare_with_the_old_object(api: Api, path: str, widget_group: str) -> None:
    """`x-kubernetes-validations`: transition rules apply to updates alone."""
    (await api.post(path, widget(widget_group, "a", fixed="x"))).ok(201)
    (await api.patch(f"{path}/a", {"spec": {"fixed": "y"}})).assert_refused(
        422,
        "Invalid",
        f'{KIND.format(widget_group)} "a" is invalid: spec.fixed: Invalid value: "y": fixed never '
        "changes",
        {
            "name": "a",
            "group": f"{widget_group}.example.com",
            "kind": "Widget",
            "causes": [
                {
                    "reason": "FieldValueInvalid",
                    "message": 'Invalid value: "y": fixed never changes',
                    "field": "spec.fixed",
                }
            ],
        },
    )
    (await api.patch(f"{path}/a", {"spec": {"fixed": "x", "size": 2}})).ok()


async def test_the_status_is_a_part_of_its_own(api: Api, path: str, widget_group: str) -> None:
    """Each path leaves the other's part alone."""
    made = (await api.post(path, {**widget(widget_group, "a"), "status": {"phase": "New"}})).ok(201)
    assert "status" not in made
    (await api.patch(f"{path}/a", {"status": {"phase": "New"}})).ok()
    assert "status" not in (await api.get(f"{path}/a")).ok()
    changes = {
        "status": {"phase": "Done", "count": 2},
        "spec": {"size": 5},
        "metadata": {"labels": {"l": "1"}},
    }
    body = (await api.patch(f"{path}/a/status", changes)).ok()
    assert body["status"] == {"phase": "Done", "count": 2}
    assert body["spec"]["size"] == 1
    assert body["metadata"]["generation"] == 1
    assert "labels" not in body["metadata"]
    wished = (await api.patch(f"{path}/a", {"spec": {"size": 5}})).ok()
    assert wished["metadata"]["generation"] == 2
    assert wished["status"] == {"phase": "Done", "count": 2}


async def test_the_status_is_validated(api: Api, path: str, widget_group: str) -> None:
    """By its part of the schema."""
    (await api.post(path, widget(widget_group, "a"))).ok(201)
    answer = await api.patch(f"{path}/a/status", {"status": {"count": "many"}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "status.count"


async def test_apply_knows_the_lists_of_a_schema(api: Api, path: str, widget_group: str) -> None:
    """Maps by their keys, sets by their members, for two managers."""
    one = widget(widget_group, "a", parts=[{"name": "x"}], tags=["p"])
    two = widget(widget_group, "a", parts=[{"name": "y", "count": 2}], tags=["q"])
    for item in (one, two):
        del item["spec"]["size"]
    one["spec"]["size"] = 3
    (await api.apply(f"{path}/a", one, manager="one")).ok(201)
    body = (await api.apply(f"{path}/a", two, manager="two")).ok()
    assert {part["name"] for part in body["spec"]["parts"]} == {"x", "y"}
    assert body["spec"]["tags"] == ["p", "q"]
    fields = {e["manager"]: e["fieldsV1"] for e in body["metadata"]["managedFields"]}
    assert fields["two"] == {
        "f:spec": {
            "f:parts": {'k:{"name":"y"}': {".": {}, "f:count": {}, "f:name": {}}},
            "f:tags": {'v:"q"': {}},
        }
    }
    del two["spec"]["parts"]
    body = (await api.apply(f"{path}/a", two, manager="two")).ok()
    assert [part["name"] for part in body["spec"]["parts"]] == ["x"]


async def test_custom_objects_are_watched(api: Api, path: str, widget_group: str) -> None:
    """Like any other."""
    start = (await api.get(path)).ok()["metadata"]["resourceVersion"]
    async with api.watch(path, resourceVersion=start) as watch:
        (await api.post(path, widget(widget_group, "a"))).ok(201)
        (await api.patch(f"{path}/a", {"spec": {"size": 2}})).ok()
        (await api.delete(f"{path}/a")).ok()
        events = await watch.take(3)
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_cluster_scoped_kind_has_no_namespace(api: Api, name: str) -> None:
    """ManagedClusters are of such a kind."""
    await install(api, widget_crd(name, scope="Cluster"))
    resource = widgets(name, namespaced=False)
    body = (await api.post(resource.path(), widget(name, "a"))).ok(201)
    assert "namespace" not in body["metadata"]
    answer = await api.get(resource.path(name="none"))
    answer.assert_refused(
        404, "NotFound", f'widgets.{name}.example.com "none" not found', details(resource, "none")
    )


async def test_chosen_fields_select(api: Api, name: str, namespace: str) -> None:
    """`selectableFields` of a version."""
    fields: list[KubeObject] = [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}]
    await install(api, widget_crd(name, version("v1", selectableFields=fields)))
    path = widgets(name).path(namespace=namespace)
    (await api.post(path, widget(name, "a"))).ok(201)
    (await api.post(path, widget(name, "b", color="green"))).ok(201)
    for selector, names in (("spec.color=green", ["b"]), ("spec.size=1", ["a", "b"])):
        body = (await api.get(path, fieldSelector=selector)).ok()
        assert [item["metadata"]["name"] for item in body["items"]] == names
    assert (await api.get(path, fieldSelector="spec.tag=x")).status == 400
