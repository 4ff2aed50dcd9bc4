"""Custom objects from one version of their kind to another."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import uuid4

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.decoding import defaulted, pruned
from towline_sandbox.embedded.model.failures import internal_error
from towline_sandbox.embedded.model.kinds import Convert
from towline_sandbox.embedded.model.schema import Schema

WebhookCaller = Callable[[KubeObject, KubeObject], Awaitable[KubeObject]]
"""Sends a review (second) where a webhook's client configuration (first) says; returns the answer.

Raises `WebhookUnreachable`."""

_REVIEWS = "apiextensions.k8s.io"
_OWN_REVIEW_VERSIONS = ("v1", "v1beta1")
_KEPT_METADATA = ("name", "namespace", "uid")


class WebhookUnreachable(Exception):  # noqa: N818  # told to the caller as an internal error
    """A webhook could not be asked."""


def conversion_by_name(schemas: Mapping[str, Schema]) -> Convert:
    """Return the conversion of a CRD that leaves fields as they are.

    Args:
        schemas: Shape of the objects in each version. What the other version does not have is
            lost on the way, as on the real server; its defaults are not set.
    """

    async def convert(objects: Sequence[KubeObject], api_version: str) -> list[KubeObject]:
        schema = schemas[api_version.rpartition("/")[2]]
        return [{**pruned(obj, schema=schema), "apiVersion": api_version} for obj in objects]

    return convert


def webhook_conversion(crd: KubeObject, *, caller: WebhookCaller) -> Convert:
    """Return the conversion that a CRD leaves to its webhook."""
    webhook: KubeObject = crd["spec"]["conversion"]["webhook"]
    kind: str = crd["spec"]["names"]["kind"]
    offered = webhook.get("conversionReviewVersions") or ()
    spoken = next((version for version in offered if version in _OWN_REVIEW_VERSIONS), None)

    async def convert(objects: Sequence[KubeObject], api_version: str) -> list[KubeObject]:
        if not objects:
            return []
        about = f"{objects[0].get('apiVersion')}, Kind={kind}"
        uid = str(uuid4())
        review: KubeObject = {
            "kind": "ConversionReview",
            "apiVersion": f"{_REVIEWS}/{spoken or 'v1'}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)},
        }
        try:
            answer = await caller(webhook["clientConfig"], review)
        except WebhookUnreachable as failure:
            raise internal_error(f"conversion webhook for {about} failed: {failure}") from failure
        try:
            return _converted(answer, objects, api_version=api_version, uid=uid)
        except _UnexpectedAnswerError as failure:
            raise internal_error(f"conversion webhook for {about} {failure}") from None

    return convert


def with_stored_defaults(convert: Convert, *, stored: str, schema: Schema) -> Convert:
    """Return a conversion whose outcome has the defaults of the stored version.

    The real server sets them whenever it reads what is stored, so that readers in any version see
    them; here they are stored.

    Args:
        convert: The conversion itself.
        stored: Group and version that is stored.
        schema: Shape of the objects in it.
    """

    async def convert_and_default(
        objects: Sequence[KubeObject], api_version: str
    ) -> list[KubeObject]:
        converted = await convert(objects, api_version)
        if api_version != stored:
            return converted
        return [defaulted(obj, schema=schema) for obj in converted]

    return convert_and_default


class _UnexpectedAnswerError(Exception):
    """What a webhook answered is not what it was asked for."""


def _converted(
    answer: KubeObject, objects: Sequence[KubeObject], *, api_version: str, uid: str
) -> list[KubeObject]:
    response = answer.get("response")
    if not isinstance(response, dict):
        raise _UnexpectedAnswerError("failed: no response provided")
    if response.get("uid") != uid:
        raise _UnexpectedAnswerError(
            f'failed: expected response.uid="{uid}", got "{response.get("uid", "")}"'
        )
    result = response.get("result") or {}
    if result.get("status") != "Success":
        told = f"response.result.status was '{result.get('status', '')}', not 'Success'"
        raise _UnexpectedAnswerError(f"failed: {result.get('message') or told}")
    converted = response.get("convertedObjects") or []
    if len(converted) != len(objects):
        raise _UnexpectedAnswerError(f"returned {len(converted)} objects, expected {len(objects)}")
    # One object alone is told of in other words than one of several.
    places = (
        ["returned invalid object"]
        if len(objects) == 1
        else [f"returned invalid converted object at index {at}" for at in range(len(objects))]
    )
    return [
        _checked(found, original, api_version=api_version, place=place)
        for found, original, place in zip(converted, objects, places, strict=True)
    ]


def _checked(
    found: KubeObject, original: KubeObject, *, api_version: str, place: str
) -> KubeObject:
    """Return a converted object with its metadata: only labels and annotations may change."""
    of_type = f"{place} at index 0" if place.endswith("object") else place
    for word, field, expected in (
        ("groupVersion", "apiVersion", api_version),
        ("kind", "kind", original.get("kind")),
    ):
        if found.get(field) != expected:
            raise _UnexpectedAnswerError(
                f"{of_type}: invalid {word} (expected {expected}, received {found.get(field, '')})"
            )
    before, after = original.get("metadata", {}), found.get("metadata", {})
    for field in _KEPT_METADATA:
        was, now = before.get(field) or "", after.get(field) or ""
        if was != now:
            word = "UID" if field == "uid" else field
            raise _UnexpectedAnswerError(f"{place}: must have the same {word}: {was} != {now}")
    metadata = {key: value for key, value in before.items() if key not in ("labels", "annotations")}
    metadata |= {key: after[key] for key in ("labels", "annotations") if after.get(key)}
    return {**found, "metadata": metadata}
