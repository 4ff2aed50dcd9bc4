"""What an API server asks the webhook, and what it is answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.conversion import ConversionError
from towline_api.resources import KubeObject
from towline_hub.webhook.reviews import (
    MalformedReview,
    convert_each,
    failed,
    parse_review,
    succeeded,
)

GROUP = "addon.open-cluster-management.io"
OLD, NEW = f"{GROUP}/v1alpha1", f"{GROUP}/v1beta1"


def addon(name: str, **parts: Any) -> KubeObject:
    return {
        "apiVersion": OLD,
        "kind": "ManagedClusterAddOn",
        "metadata": {"name": name, "namespace": "c1"},
        "spec": {},
        **parts,
    }


def asked(*objects: Any, **changes: Any) -> dict[str, Any]:
    """Return a review as an API server sends it."""
    request = {"uid": "u", "desiredAPIVersion": NEW, "objects": list(objects), **changes}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request}


def test_all_objects_come_back_in_their_order() -> None:
    """An API server compares one by one."""
    review = parse_review(json.dumps(asked(addon("a"), addon("b"))).encode())
    answer = succeeded(review, list(convert_each(review)))
    assert answer["apiVersion"] == "apiextensions.k8s.io/v1"
    assert answer["kind"] == "ConversionReview"
    assert answer["response"]["uid"] == "u"
    assert answer["response"]["result"] == {"status": "Success"}
    converted = answer["response"]["convertedObjects"]
    assert [item["metadata"]["name"] for item in converted] == ["a", "b"]
    assert {item["apiVersion"] for item in converted} == {NEW}


def test_nothing_to_convert_is_a_review_too() -> None:
    """Null stands for an empty list, as Go writes it."""
    empty: tuple[list[Any] | None, ...] = ([], None)
    for objects in empty:
        review = parse_review(json.dumps(asked(objects=objects)).encode())
        assert succeeded(review, list(convert_each(review)))["response"]["convertedObjects"] == []


def test_an_object_that_cannot_be_converted_is_named() -> None:
    """Somebody has to find it among thousands."""
    broken = addon("b", status={"registrations": [{}]})
    review = parse_review(json.dumps(asked(addon("a"), broken)).encode())
    with pytest.raises(ConversionError, match="ManagedClusterAddOn c1/b: ") as caught:
        list(convert_each(review))
    answer = failed(review, caught.value)["response"]
    assert answer["uid"] == "u"
    assert answer["result"]["status"] == "Failure"
    assert "c1/b" in answer["result"]["message"]
    assert answer["convertedObjects"] == []


def test_reviews_of_an_older_version_are_refused_in_their_own() -> None:
    """Our CRDs ask for v1 alone; who asks otherwise is told, and not answered half."""
    body = asked(addon("a")) | {"apiVersion": "apiextensions.k8s.io/v1beta1"}
    review = parse_review(json.dumps(body).encode())
    with pytest.raises(ConversionError, match="conversionReviewVersions") as caught:
        list(convert_each(review))
    assert failed(review, caught.value)["apiVersion"] == "apiextensions.k8s.io/v1beta1"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no kind"),
        pytest.param(json.dumps(asked() | {"kind": "Pod"}).encode(), id="other kind"),
        pytest.param(json.dumps(asked() | {"apiVersion": "v1"}).encode(), id="other group"),
        pytest.param(json.dumps(asked() | {"apiVersion": 1}).encode(), id="no version"),
        pytest.param(json.dumps(asked() | {"request": None}).encode(), id="no request"),
        pytest.param(json.dumps(asked(uid="")).encode(), id="no uid"),
        pytest.param(json.dumps(asked(uid=7)).encode(), id="uid of a kind"),
        pytest.param(json.dumps(asked(desiredAPIVersion=None)).encode(), id="no version wanted"),
        pytest.param(json.dumps(asked(objects={})).encode(), id="no list"),
        pytest.param(json.dumps(asked(7)).encode(), id="no objects"),
    ],
)
def test_what_is_no_review_is_refused(body: bytes) -> None:
    """With a reason, and without a traceback."""
    with pytest.raises(MalformedReview):
        parse_review(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values, st.dictionaries(st.sampled_from(["uid", "desiredAPIVersion"]), json_values))
def test_any_json_is_answered_or_refused(objects: Any, changes: dict[str, Any]) -> None:
    """Nothing that anybody sends is another exception."""
    body = asked(**({"objects": objects} | changes))
    try:
        review = parse_review(json.dumps(body).encode())
        converted = list(convert_each(review))
    except (MalformedReview, ConversionError):
        return
    assert len(converted) == len(review.objects)
