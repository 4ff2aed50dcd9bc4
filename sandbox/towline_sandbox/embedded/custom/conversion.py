"""Custom objects from one version of their kind to another."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import uuid4

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.decoding import pruned
from towline_sandbox.embedded.model.failures import ApiFailure, internal_error
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
            raise _refused(about, str(failure)) from None

    return convert


def _refused(about: str, told: str) -> ApiFailure:
    return internal_error(f"conversion webhook for {about} failed: {told}")


class _UnexpectedAnswerError(Exception):
    """What a webhook answered is not what it was asked for."""


def _converted(
    answer: KubeObject, objects: Sequence[KubeObject], *, api_version: str, uid: str
) -> list[KubeObject]:
    response = answer.get("response")
    if not isinstance(response, dict):
        raise _UnexpectedAnswerError("no response provided")
    if response.get("uid") != uid:
        raise _UnexpectedAnswerError(
            f'expected response.uid="{uid}", got "{response.get("uid", "")}"'
        )
    result = response.get("result") or {}
    if result.get("status") != "Success":
        raise _UnexpectedAnswerError(result.get("message") or "no reason given")
    converted = response.get("convertedObjects") or []
    if len(converted) != len(objects):
        raise _UnexpectedAnswerError(
            f"webhook returned {len(converted)} objects, expected {len(objects)}"
        )
    return [
        _checked(index, found, original, api_version=api_version)
        for index, (found, original) in enumerate(zip(converted, objects, strict=True))
    ]


def _checked(
    index: int, found: KubeObject, original: KubeObject, *, api_version: str
) -> KubeObject:
    """Return a converted object with its metadata: only labels and annotations may change."""
    if found.get("apiVersion") != api_version:
        raise _UnexpectedAnswerError(
            f"returned invalid converted object at index {index}: invalid apiVersion: "
            f'expected "{api_version}", got "{found.get("apiVersion", "")}"'
        )
    if found.get("kind") != original.get("kind"):
        raise _UnexpectedAnswerError(
            f"returned invalid converted object at index {index}: invalid kind: expected "
            f'"{original.get("kind")}", got "{found.get("kind", "")}"'
        )
    before, after = original.get("metadata", {}), found.get("metadata", {})
    for name in _KEPT_METADATA:
        if before.get(name) != after.get(name):
            raise _UnexpectedAnswerError(
                f"returned invalid converted object at index {index}: metadata.{name} changed"
            )
    metadata = {key: value for key, value in before.items() if key not in ("labels", "annotations")}
    metadata |= {key: after[key] for key in ("labels", "annotations") if after.get(key)}
    return {**found, "metadata": metadata}
