"""Webhooks convert objects, and are not believed when they change what is not theirs."""

from typing import Any

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom import WebhookUnreachable
from towline_sandbox.embedded.custom.conversion import conversion_by_name, webhook_conversion
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.schema import Schema

CRD: KubeObject = {
    "spec": {
        "names": {"kind": "Thing"},
        "conversion": {
            "webhook": {
                "clientConfig": {"url": "https://hook/"},
                "conversionReviewVersions": ["v1beta1", "v1"],
            }
        },
    }
}


def thing(version: str = "v1", **metadata: Any) -> KubeObject:
    return {
        "apiVersion": f"x.io/{version}",
        "kind": "Thing",
        "metadata": {"name": "a", "uid": "u", **metadata},
    }


class Webhook:
    """A webhook that answers with these objects, or otherwise as told."""

    def __init__(self, *converted: KubeObject, **response: Any) -> None:
        self.reviews: list[tuple[KubeObject, KubeObject]] = []
        self._response = {
            "convertedObjects": list(converted),
            "result": {"status": "Success"},
            **response,
        }

    async def call(self, config: KubeObject, review: KubeObject) -> KubeObject:
        self.reviews.append((config, review))
        return {"response": {"uid": review["request"]["uid"], **self._response}}


async def convert(webhook: Webhook, *objects: KubeObject) -> list[KubeObject]:
    return await webhook_conversion(CRD, caller=webhook.call)(list(objects), "x.io/v2")


async def test_objects_are_sent_and_come_back_converted() -> None:
    """In one review, in the first of the offered versions that is spoken here."""
    webhook = Webhook({**thing("v2"), "spec": {"new": True}})
    assert await convert(webhook, thing()) == [{**thing("v2"), "spec": {"new": True}}]
    config, review = webhook.reviews[0]
    assert config == {"url": "https://hook/"}
    assert review["apiVersion"] == "apiextensions.k8s.io/v1beta1"
    assert review["request"]["desiredAPIVersion"] == "x.io/v2"
    assert review["request"]["objects"] == [thing()]


async def test_nothing_is_asked_about_nothing() -> None:
    """An empty list needs no webhook to be up."""
    webhook = Webhook()
    assert await convert(webhook) == []
    assert webhook.reviews == []


async def test_only_labels_and_annotations_may_change_in_metadata() -> None:
    """All else in metadata is the server's."""
    changed = thing("v2", labels={"new": "1"}, finalizers=["sneaked/in"])
    found = await convert(Webhook(changed), thing(labels={"old": "1"}, generation=3))
    assert found == [thing("v2", labels={"new": "1"}, generation=3)]


@pytest.mark.parametrize(
    ("webhook", "told"),
    [
        pytest.param(Webhook(), "returned 0 objects, expected 1", id="count"),
        pytest.param(
            Webhook(thing("v3")),
            "returned invalid object at index 0: invalid groupVersion (expected x.io/v2, "
            "received x.io/v3)",
            id="version",
        ),
        pytest.param(Webhook(thing("v2", name="b")), "must have the same name: a != b", id="name"),
        pytest.param(Webhook(thing("v2"), uid="other"), "failed: expected response.uid=", id="uid"),
        pytest.param(
            Webhook(result={"status": "Failure", "message": "cannot"}),
            "failed: cannot",
            id="failure",
        ),
    ],
)
async def test_a_bad_answer_is_an_internal_error(webhook: Webhook, told: str) -> None:
    """The caller can do nothing about it, but is told."""
    with pytest.raises(ApiFailure) as refused:
        await convert(webhook, thing())
    assert refused.value.code == 500
    assert "conversion webhook for x.io/v1, Kind=Thing " in refused.value.message
    assert told in refused.value.message


async def test_a_webhook_that_cannot_be_reached_is_an_internal_error() -> None:
    """As one that answers nonsense."""

    async def nobody(_config: KubeObject, _review: KubeObject) -> KubeObject:
        raise WebhookUnreachable('Post "https://hook/": refused')

    with pytest.raises(ApiFailure, match='failed: Post "https://hook/": refused'):
        await webhook_conversion(CRD, caller=nobody)([thing()], "x.io/v2")


async def test_without_a_webhook_a_version_shows_what_it_has_of_an_object() -> None:
    """Fields of another version are not there; defaults are for what callers send."""
    declared = {"a": {"type": "string"}, "c": {"type": "string", "default": "C"}}
    newer = {"type": "object", "properties": {"spec": {"type": "object", "properties": declared}}}
    convert = conversion_by_name({"v1": Schema({"type": "object"}), "v2": Schema(newer)})
    obj = {**thing(labels={"x": "y"}), "spec": {"a": "1", "b": "2"}}
    assert await convert([obj], "x.io/v2") == [
        {**thing("v2", labels={"x": "y"}), "spec": {"a": "1"}}
    ]
    assert obj["spec"] == {"a": "1", "b": "2"}
