"""CustomResourceDefinitions: what makes one good, what becomes of it, and how it ends."""

import pytest

from conformance.api import Api
from conformance.crds import (
    install,
    until_served,
    version,
    widget,
    widget_crd,
    widgets,
)
from support.waiting import until
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject

PATH = CUSTOM_RESOURCE_DEFINITIONS.path()


async def test_a_definition_is_established(api: Api, name: str) -> None:
    """Two conditions say so; the names it got stand in its status."""
    crd = await install(api, widget_crd(name))
    conditions = {item["type"]: item for item in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"]["status"] == "True"
    assert conditions["NamesAccepted"]["reason"] == "NoConflicts"
    assert conditions["NamesAccepted"]["message"] == "no conflicts found"
    assert conditions["Established"]["status"] == "True"
    assert conditions["Established"]["reason"] == "InitialNamesAccepted"
    assert conditions["Established"]["message"] == "the initial names have been accepted"
    assert crd["status"]["acceptedNames"] == crd["spec"]["names"]
    assert crd["status"]["storedVersions"] == ["v1"]


async def test_defaults_of_a_definition(api: Api, name: str) -> None:
    """Names for lists, no conversion."""
    crd = await install(api, widget_crd(name))
    assert crd["spec"]["names"]["listKind"] == "WidgetList"
    assert crd["spec"]["conversion"] == {"strategy": "None"}
    assert crd["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"scope": "Everywhere"}, "spec.scope", id="scope"),
        pytest.param({"versions": []}, "spec.versions", id="no version"),
        pytest.param({"group": "Not A Group"}, "spec.group", id="group"),
    ],
)
async def test_a_bad_definition_is_refused(
    api: Api, name: str, change: KubeObject, field: str
) -> None:
    """Nothing is served that could not be served well."""
    crd = widget_crd(name)
    crd["spec"].update(change)
    answer = await api.post(PATH, crd)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert field in {cause["field"] for cause in answer.body["details"]["causes"]}


async def test_the_name_of_a_definition_is_plural_and_group(api: Api, name: str) -> None:
    """So that there is one for each."""
    crd = widget_crd(name)
    crd["metadata"]["name"] = f"gadgets.{name}.example.com"
    answer = await api.post(PATH, crd)
    assert answer.status == 422
    message = (
        f'Invalid value: "gadgets.{name}.example.com": must be spec.names.plural+"."+spec.group'
    )
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": message, "field": "metadata.name"}
    ]


async def test_exactly_one_version_is_stored(api: Api, name: str) -> None:
    """Objects have to be stored in some form, and in one."""
    crd = widget_crd(name, version("v1"), version("v2", storage=True))
    answer = await api.post(PATH, crd)
    assert answer.status == 422
    causes = answer.body["details"]["causes"]
    (told,) = [c["message"] for c in causes if c["field"] == "spec.versions"]
    assert told.endswith("must have exactly one version marked as storage version")


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        pytest.param(
            {"type": "object", "properties": {"spec": {"properties": {}}}},
            "spec.validation.openAPIV3Schema.properties[spec].type",
            id="no type",
        ),
        pytest.param(
            {"type": "object", "properties": {"spec": {"type": "object", "default": {"a": 1}}}},
            "spec.validation.openAPIV3Schema.properties[spec].default",
            id="default outside the schema",
        ),
        pytest.param(
            {"type": "object", "properties": {"l": {"type": "array"}}},
            "spec.validation.openAPIV3Schema.properties[l].items",
            id="list of nothing",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {
                    "n": {"type": "integer", "x-kubernetes-validations": [{"rule": "self +"}]}
                },
            },
            "spec.validation.openAPIV3Schema.properties[n].x-kubernetes-validations[0].rule",
            id="rule that is no expression",
        ),
    ],
)
async def test_a_schema_has_to_be_structural(
    api: Api, name: str, schema: KubeObject, field: str
) -> None:
    """Every field has a type; what is not described cannot be kept or pruned.

    A schema that all versions share is named by the place it once had in the definition.
    """
    answer = await api.post(PATH, widget_crd(name, version("v1", schema=schema)))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert field in {cause["field"] for cause in answer.body["details"]["causes"]}


async def test_the_group_of_kubernetes_is_protected(api: Api, name: str) -> None:
    """`*.k8s.io` takes an approval."""
    crd = widget_crd(name)
    crd["spec"]["group"] = "things.k8s.io"
    crd["metadata"]["name"] = "widgets.things.k8s.io"
    answer = await api.post(PATH, crd)
    assert answer.status == 422
    assert answer.body["details"]["causes"][0]["field"] == (
        "metadata.annotations[api-approved.kubernetes.io]"
    )


async def test_scope_and_names_never_change(api: Api, name: str) -> None:
    """Objects are there already."""
    crd = await install(api, widget_crd(name))
    path = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
    answer = await api.patch(path, {"spec": {"scope": "Cluster"}})
    assert answer.status == 422
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "Cluster": field is immutable',
            "field": "spec.scope",
        }
    ]


async def test_a_taken_kind_is_not_accepted(api: Api, name: str) -> None:
    """The second definition of a kind in a group waits, and says for what."""
    await install(api, widget_crd(name))
    second = widget_crd(name)
    second["metadata"]["name"] = f"gadgets.{name}.example.com"
    second["spec"]["names"] = {"plural": "gadgets", "singular": "gadget", "kind": "Widget"}
    (await api.post(PATH, second)).ok(201)
    path = CUSTOM_RESOURCE_DEFINITIONS.path(name=second["metadata"]["name"])
    seen: list[KubeObject] = []

    async def judged() -> bool:
        seen.append((await api.get(path)).ok())
        return len(seen[-1]["status"].get("conditions") or ()) == 2

    await until(judged, what=lambda: seen[-1]["status"])
    conditions = {item["type"]: item for item in seen[-1]["status"]["conditions"]}
    assert conditions["NamesAccepted"]["status"] == "False"
    assert conditions["NamesAccepted"]["reason"] == "ListKindConflict"
    assert conditions["NamesAccepted"]["message"] == '"WidgetList" is already in use'
    assert conditions["Established"]["status"] == "False"
    assert conditions["Established"]["reason"] == "NotAccepted"


async def test_a_deleted_definition_takes_its_objects_with_it(api: Api, name: str) -> None:
    """They go first; then nothing is served any more."""
    crd = await install(api, widget_crd(name))
    path = widgets(name).path(namespace="default")
    (await api.post(path, widget(name, "a"))).ok(201)
    place = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
    body = (await api.delete(place)).ok()
    assert body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert body["metadata"]["deletionTimestamp"]

    async def gone() -> bool:
        return (await api.get(place)).status == 404 and (await api.get(path)).status == 404

    await until(gone, what=lambda: f"{place} is still there")
    assert (await api.get(f"{path}/a")).status == 404


async def test_a_version_can_be_added_later(api: Api, name: str) -> None:
    """Objects written before are served in it."""
    crd = await install(api, widget_crd(name))
    (await api.post(widgets(name).path(namespace="default"), widget(name, "a"))).ok(201)
    path = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
    crd = (
        await api.patch(path, {"spec": {"versions": [*crd["spec"]["versions"], version("v2")]}})
    ).ok()
    await until_served(api, crd)
    new = widgets(name, version="v2").path(namespace="default", name="a")
    body = (await api.get(new)).ok()
    assert body["apiVersion"] == f"{name}.example.com/v2"
    assert body["spec"] == {"size": 1, "color": "red"}


async def test_a_version_can_be_taken_away(api: Api, name: str) -> None:
    """What is no longer served is not found."""
    crd = await install(api, widget_crd(name, version("v1"), version("v2")))
    assert crd["status"]["storedVersions"] == ["v1"]
    versions = [version("v1"), version("v2", served=False)]
    path = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
    (await api.patch(path, {"spec": {"versions": versions}})).ok()
    old = widgets(name, version="v2").path(namespace="default")

    async def gone() -> bool:
        return (await api.get(old)).status == 404

    await until(gone, what=lambda: f"{old} is still served")

    async def served() -> bool:  # the real one says 429 while it takes the change in
        return (await api.get(widgets(name).path(namespace="default"))).status == 200

    await until(served, what=lambda: "v1 is not served any more")


async def test_the_stored_version_is_remembered(api: Api, name: str) -> None:
    """As long as objects may be stored in it, a version stays in the status."""
    crd = await install(api, widget_crd(name, version("v1"), version("v2")))
    versions = [version("v1", storage=False), version("v2", storage=True)]
    path = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
    (await api.patch(path, {"spec": {"versions": versions}})).ok()

    async def both() -> bool:
        found = (await api.get(path)).ok()
        stored: list[str] = found["status"]["storedVersions"]
        return stored == ["v1", "v2"]

    await until(both, what=lambda: "v2 to be among the stored versions")
    answer = await api.patch(path, {"spec": {"versions": [version("v2", storage=True)]}})
    assert answer.status == 422
    assert answer.body["details"]["causes"][0]["field"] == "status.storedVersions[0]"
