"""ConversionReviews: what an API server asks, and what it is answered. Pure.

The form is that of `apiextensions.k8s.io/v1`. Whatever cannot be converted is refused as a whole,
with the object and the reason in the message: an API server takes all objects of a review or none.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from towline_api.conversion import ConversionError, convert
from towline_api.errors import TowlineError
from towline_api.resources import ADDON_GROUP, KubeObject

KIND = "ConversionReview"
GROUP = "apiextensions.k8s.io"
API_VERSION = f"{GROUP}/v1"
UNKNOWN_VERSION = "unknown"
_VERSIONS = frozenset({"v1alpha1", "v1beta1"})
_SHOWN = 200


class MalformedReview(TowlineError):  # noqa: N818 - what was sent, not what went wrong here
    """This is no review that could be answered in form."""


@dataclass(frozen=True, slots=True)
class Review:
    """What an API server asks.

    Args:
        uid: Names the question in the answer.
        api_version: In which version of reviews it asks.
        desired: Version of the objects that it wants.
        objects: What to convert.
    """

    uid: str
    api_version: str
    desired: str
    objects: tuple[KubeObject, ...]


def parse_review(body: bytes) -> Review:
    """Return the review in a request's body.

    Raises:
        MalformedReview: It is none; says what is wrong with it.
    """
    try:
        review = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedReview("the body is no JSON") from None
    if not isinstance(review, dict) or review.get("kind") != KIND:
        raise MalformedReview(f"expected a {KIND}")
    api_version = review.get("apiVersion")
    if not isinstance(api_version, str) or not api_version.startswith(f"{GROUP}/"):
        raise MalformedReview(f"expected a {KIND} of {API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise MalformedReview("the review asks for nothing: it has no request")
    uid, desired = request.get("uid"), request.get("desiredAPIVersion")
    if not isinstance(uid, str) or not uid:
        raise MalformedReview("the request has no uid")
    if not isinstance(desired, str) or not desired:
        raise MalformedReview("the request has no desiredAPIVersion")
    objects = request.get("objects")
    if objects is None:  # as Go writes a list without entries
        objects = []
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise MalformedReview("the request's objects are no list of objects")
    return Review(uid, api_version, desired, tuple(objects))


def version_asked_for(review: Review) -> str:
    """Return the version of the add-on kinds that a review wants, or `UNKNOWN_VERSION`.

    What a peer writes must not become any number of labels in a metric.
    """
    group, _, version = review.desired.partition("/")
    return version if group == ADDON_GROUP and version in _VERSIONS else UNKNOWN_VERSION


def convert_each(review: Review) -> Iterator[KubeObject]:
    """Yield the objects of a review in the version it wants, in their order.

    Raises:
        ConversionError: One of them cannot be converted; names it.
    """
    if review.api_version != API_VERSION:
        raise ConversionError(
            f"reviews of {review.api_version[:_SHOWN]} are not answered here; the CRD should name "
            "v1 alone in conversionReviewVersions",
            field="apiVersion",
        )
    for obj in review.objects:
        try:
            yield convert(obj, api_version=review.desired)
        except ConversionError as error:
            raise ConversionError(f"{_name(obj)}: {error}", field=error.field) from None


def succeeded(review: Review, converted: list[KubeObject]) -> KubeObject:
    """Return the answer that hands over the converted objects."""
    return _answer(review, {"result": {"status": "Success"}, "convertedObjects": converted})


def failed(review: Review, error: ConversionError) -> KubeObject:
    """Return the answer that refuses."""
    result = {"status": "Failure", "message": str(error)[: 5 * _SHOWN], "reason": "Invalid"}
    return _answer(review, {"result": result, "convertedObjects": []})


def _answer(review: Review, response: dict[str, Any]) -> KubeObject:
    return {
        "apiVersion": review.api_version,
        "kind": KIND,
        "response": {"uid": review.uid, **response},
    }


def _name(obj: KubeObject) -> str:
    metadata = obj.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    parts = [str(named[key]) for key in ("namespace", "name") if named.get(key)]
    return f"{obj.get('kind')} {'/'.join(parts)}"[:_SHOWN]
