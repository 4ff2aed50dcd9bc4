"""Conversion webhooks: one object, several forms, converted by somebody else.

The Widgets here are in no namespace: the real server goes on asking a webhook that is away, half a
minute each time, for every namespace that is deleted while there are any in namespaces.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conformance.api import Api
from conformance.crds import install, version, widget, widget_crd, widgets
from conformance.watching import told
from conformance.webhook import ConversionWebhook, serve_conversions
from towline_api.resources import KubeObject


def sized(field: str) -> KubeObject:
    """Return a schema whose size has this name."""
    number = {"type": "integer", "minimum": 1}
    return {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {field: number, "tag": {"type": "string"}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }


@pytest.fixture
async def webhook(api: Api, name: str, tmp_path: Path) -> AsyncIterator[ConversionWebhook]:
    """A webhook that knows Widgets in v1 (stored) and v2, which are served."""
    async with serve_conversions(tmp_path) as running:
        crd = widget_crd(
            name,
            version("v1", schema=sized("size")),
            version("v2", schema=sized("width")),
            conversion=running.conversion(),
            scope="Cluster",
        )
        await install(api, crd)
        yield running


@pytest.fixture
def old(webhook: ConversionWebhook, name: str) -> str:
    """Return the path of the Widgets in the stored version."""
    return widgets(name, namespaced=False).path()


@pytest.fixture
def new(webhook: ConversionWebhook, name: str) -> str:
    """Return the path of the Widgets in the other version."""
    return widgets(name, version="v2", namespaced=False).path()


async def test_an_object_is_read_in_another_version(
    api: Api, webhook: ConversionWebhook, name: str, old: str, new: str
) -> None:
    """The same identity, another form; the webhook is asked in the form it knows."""
    made = (await api.post(old, widget(name, "a"))).ok(201)
    webhook.reviews.clear()
    body = (await api.get(f"{new}/a")).ok()
    assert body["apiVersion"] == f"{name}.example.com/v2"
    assert body["spec"] == {"width": 1}
    for kept in ("uid", "resourceVersion", "creationTimestamp", "generation"):
        assert body["metadata"][kept] == made["metadata"][kept]
    review = webhook.reviews[-1]
    assert (review["kind"], review["apiVersion"]) == (
        "ConversionReview",
        "apiextensions.k8s.io/v1",
    )
    assert review["request"]["desiredAPIVersion"] == f"{name}.example.com/v2"
    assert review["request"]["objects"][0]["spec"] == {"size": 1}


async def test_what_is_written_in_another_version_gets_the_defaults_of_the_stored_one(
    api: Api, name: str, tmp_path: Path
) -> None:
    """Readers see them in every version, as the webhook converts them."""
    schema = sized("size")
    schema["properties"]["spec"]["properties"]["size"]["default"] = 7
    async with serve_conversions(tmp_path) as running:
        crd = widget_crd(
            name,
            version("v1", schema=schema),
            version("v2", schema=sized("width")),
            conversion=running.conversion(),
            scope="Cluster",
        )
        await install(api, crd)
        old = widgets(name, namespaced=False).path()
        new = widgets(name, version="v2", namespaced=False).path()
        made = {**widget(name, "a"), "apiVersion": f"{name}.example.com/v2", "spec": {}}
        (await api.post(new, made)).ok(201)
        assert (await api.get(f"{old}/a")).ok()["spec"] == {"size": 7}
        assert (await api.get(f"{new}/a")).ok()["spec"] == {"width": 7}


async def test_an_object_is_written_in_another_version(
    api: Api, name: str, old: str, new: str
) -> None:
    """It is stored in the stored version and answered in the caller's."""
    made = widget(name, "a", version="v2")
    made["spec"] = {"width": 3}
    assert (await api.post(new, made)).ok(201)["spec"] == {"width": 3}
    assert (await api.get(f"{old}/a")).ok()["spec"] == {"size": 3}
    patched = (await api.patch(f"{new}/a", {"spec": {"width": 4, "tag": "x"}})).ok()
    assert patched["spec"] == {"width": 4, "tag": "x"}
    assert patched["metadata"]["generation"] == 2
    assert (await api.get(f"{old}/a")).ok()["spec"] == {"size": 4, "tag": "x"}


async def test_what_needs_no_conversion_gets_none(
    api: Api, webhook: ConversionWebhook, name: str, old: str
) -> None:
    """The webhook may be out of order for those who speak the stored version."""
    webhook.answer = lambda _: {"result": {"status": "Failure", "message": "out of order"}}
    (await api.post(old, widget(name, "a"))).ok(201)
    (await api.get(f"{old}/a")).ok()
    assert (await api.patch(f"{old}/a", {"spec": {"size": 2}})).ok()["spec"] == {"size": 2}
    assert len((await api.get(old)).ok()["items"]) == 1


async def test_a_list_is_converted(
    api: Api, webhook: ConversionWebhook, name: str, old: str, new: str
) -> None:
    """Item by item, in order, the list itself as well."""
    for size, made in enumerate(("a", "b", "c"), start=1):
        (await api.post(old, widget(name, made) | {"spec": {"size": size}})).ok(201)
    body = (await api.get(new)).ok()
    assert body["apiVersion"] == f"{name}.example.com/v2"
    assert [item["spec"] for item in body["items"]] == [{"width": n} for n in (1, 2, 3)]
    assert {item["apiVersion"] for item in body["items"]} == {f"{name}.example.com/v2"}


async def test_a_watch_is_converted(api: Api, name: str, old: str, new: str) -> None:
    """Every event, in the version that is watched."""
    start = (await api.get(new)).ok()["metadata"]["resourceVersion"]
    async with api.watch(new, resourceVersion=start) as watch:
        (await api.post(old, widget(name, "a"))).ok(201)
        (await api.patch(f"{old}/a", {"spec": {"size": 2}})).ok()
        (await api.delete(f"{old}/a")).ok()
        events = await watch.take(3)
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert [event["object"]["spec"] for event in events] == [
        {"width": 1},
        {"width": 2},
        {"width": 2},
    ]


async def test_every_version_is_validated_by_its_own_schema(api: Api, name: str, new: str) -> None:
    """What comes in v2 is judged in v2."""
    made = widget(name, "a", version="v2")
    made["spec"] = {"width": 0}
    answer = await api.post(new, made)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "spec.width"


async def test_a_webhook_that_says_no(
    api: Api, webhook: ConversionWebhook, name: str, old: str, new: str
) -> None:
    """Its message reaches whoever asked."""
    (await api.post(old, widget(name, "a"))).ok(201)
    webhook.answer = lambda _: {
        "result": {"status": "Failure", "message": "not today"},
        "convertedObjects": [],
    }
    answer = await api.get(f"{new}/a")
    assert (answer.status, answer.body["reason"]) == (500, "InternalError")
    assert answer.body["message"].startswith("Internal error occurred: ")
    assert answer.body["message"].endswith(  # between the two, where the real one stores it
        f"conversion webhook for {name}.example.com/v1, Kind=Widget failed: not today"
    )


@pytest.mark.parametrize(
    ("convert", "told_of"),
    [
        pytest.param(
            lambda request: {"result": {"status": "Success"}, "convertedObjects": []},
            "returned 0 objects, expected 1",
            id="nothing",
        ),
        pytest.param(
            lambda request: {
                "result": {"status": "Success"},
                "convertedObjects": request["objects"],
            },
            "returned invalid object at index 0: invalid groupVersion (expected ",
            id="unconverted",
        ),
    ],
)
async def test_a_webhook_that_converts_badly(
    api: Api,
    webhook: ConversionWebhook,
    name: str,
    old: str,
    new: str,
    convert: object,
    told_of: str,
) -> None:
    """Its answer is checked before anybody gets it."""
    (await api.post(old, widget(name, "a"))).ok(201)
    webhook.answer = convert  # type: ignore[assignment]
    answer = await api.get(f"{new}/a")
    assert answer.status == 500
    assert told_of in answer.body["message"], answer.body["message"]


async def test_a_webhook_may_not_change_who_an_object_is(
    api: Api, webhook: ConversionWebhook, name: str, old: str, new: str
) -> None:
    """Labels and annotations are all of the metadata that it may convert."""
    (await api.post(old, widget(name, "a"))).ok(201)

    def rename(request: KubeObject) -> KubeObject:
        converted = dict(request["objects"][0])
        converted["apiVersion"] = request["desiredAPIVersion"]
        converted["metadata"] = {**converted["metadata"], "name": "b"}
        return {"result": {"status": "Success"}, "convertedObjects": [converted]}

    webhook.answer = rename
    answer = await api.get(f"{new}/a")
    assert answer.status == 500
    assert "must have the same name" in answer.body["message"], answer.body["message"]


async def test_a_webhook_that_is_away(api: Api, name: str, tmp_path: Path) -> None:
    """The stored version is served as before, the other one is not."""
    async with serve_conversions(tmp_path) as running:
        crd = widget_crd(
            name,
            version("v1", schema=sized("size")),
            version("v2", schema=sized("width")),
            conversion=running.conversion(),
            scope="Cluster",
        )
        await install(api, crd)
    path = widgets(name, namespaced=False).path()
    (await api.post(path, widget(name, "a"))).ok(201)
    answer = await api.get(widgets(name, version="v2", namespaced=False).path(name="a"))
    assert answer.status == 500
    told = (
        f"conversion webhook for {name}.example.com/v1, Kind=Widget failed: Post "
        f'"{running.url}?timeout=30s": '
    )
    assert told in answer.body["message"], answer.body["message"]


async def test_a_webhook_needs_a_place(api: Api, name: str) -> None:
    """Neither a service nor an address: the definition is refused."""
    conversion = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}
    crd = widget_crd(name, conversion=conversion)
    answer = await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "spec.conversion.webhookClientConfig" in {
        cause["field"] for cause in answer.body["details"]["causes"]
    }
