"""CustomResourceDefinitions on their way out: what is said, who is waited for, what still works."""

from typing import Any

from conformance.api import Api, PatchType
from conformance.crds import install, widget, widget_crd, widgets
from support.waiting import until
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject

_CLEAN_UP = "customresourcecleanup.apiextensions.k8s.io"


def _terminating(crd: KubeObject) -> tuple[str, str]:
    found: dict[str, Any] = {item["type"]: item for item in crd["status"]["conditions"]}
    return found["Terminating"]["status"], found["Terminating"]["reason"]


async def test_a_definition_gets_its_finalizer_when_it_is_deleted(api: Api, name: str) -> None:
    """Before there is nothing to clean up; and being deleted is no change of it."""
    crd = await install(api, widget_crd(name))
    assert "finalizers" not in crd["metadata"]
    body = (await api.delete(CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"]))).ok()
    assert body["metadata"]["finalizers"] == [_CLEAN_UP]
    assert body["metadata"]["generation"] == 1
    assert "deletionGracePeriodSeconds" not in body["metadata"]
    assert _terminating(body) == ("True", "InstanceDeletionPending")


async def test_a_definition_waits_for_who_else_holds_it(api: Api, name: str) -> None:
    """Its objects are gone then, but its paths are still there."""
    crd = await install(api, widget_crd(name))
    path = widgets(name).path(namespace="default")
    (await api.post(path, widget(name, "a"))).ok(201)
    place = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
    (await api.patch(place, {"metadata": {"finalizers": ["example.com/hold"]}})).ok()
    (await api.delete(place)).ok()
    seen: list[KubeObject] = []

    async def cleaned() -> bool:
        seen.append((await api.get(place)).ok())
        return _terminating(seen[-1]) == ("False", "InstanceDeletionCompleted")

    await until(cleaned, what=lambda: seen[-1])
    assert seen[-1]["metadata"]["finalizers"] == ["example.com/hold"]
    assert (await api.get(path)).ok()["items"] == []
    (await api.patch(place, {"metadata": {"finalizers": None}})).ok()
    assert (await api.get(place)).status == 404


async def test_watches_end_with_the_definition(api: Api, name: str) -> None:
    """The last thing they tell is that the objects went."""
    crd = await install(api, widget_crd(name))
    path = widgets(name).path(namespace="default")
    made = (await api.post(path, widget(name, "a"))).ok(201)
    version = made["metadata"]["resourceVersion"]
    async with api.watch(path, resourceVersion=version) as watch:
        place = CUSTOM_RESOURCE_DEFINITIONS.path(name=crd["metadata"]["name"])
        (await api.delete(place)).ok()
        events = await watch.rest()
    assert [event["type"] for event in events] == ["DELETED"]


async def test_nothing_that_is_applied_is_a_mistake(api: Api, name: str) -> None:
    """A null that a patch takes away with, an apply would store."""
    await install(api, widget_crd(name))
    path = widgets(name).path(namespace="default", name="a")
    refused = await api.apply(path, widget(name, "a", tag=None), manager="one")
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert 'spec.tag in body must be of type string: "null"' in refused.body["message"]
    # What has a default gets that instead.
    found = (await api.apply(path, widget(name, "a", color=None), manager="one")).ok(201)
    assert found["spec"] == {"size": 1, "color": "red"}
    (await api.patch(path, {"spec": {"tag": None}}, kind=PatchType.MERGE)).ok()
