"""Objects in protobuf are read as the JSON that the same client would have sent."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_sandbox.embedded.protobuf import decode_object
from towline_sandbox.embedded.protobuf.wire import read_fields, signed

# What `kubectl create namespace foo` sends.
NAMESPACE = bytes.fromhex(
    "6b3873000a0f0a02763112094e616d657370616365121b0a130a03666f6f12001a0022002a0032003800420012001a"
    "020a001a002200"
)


def varint(number: int) -> bytes:
    """Return a number of the wire."""
    number &= (1 << 64) - 1
    found = b""
    while number >= 0x80:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def message(*fields: tuple[int, int | bytes | str]) -> bytes:
    """Return a message with these fields."""
    found = b""
    for number, value in fields:
        if isinstance(value, int):
            found += varint(number << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            found += varint(number << 3 | 2) + varint(len(content)) + content
    return found


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    """Return a body of a request."""
    return b"k8s\x00" + message((1, message((1, api_version), (2, kind))), (2, raw))


def test_what_kubectl_sends_is_understood() -> None:
    """Empty fields, which Go writes all the same, are not there."""
    assert decode_object(NAMESPACE) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "foo"},
        "spec": {},
        "status": {},
    }


def test_bytes_maps_and_booleans_are_as_in_json() -> None:
    """A pointer to `false` is a wish, a plain `false` is nothing."""
    entry = message((1, "key"), (2, b"\x00\xff"))
    secret = decode_object(body("v1", "Secret", message((2, entry), (3, "Opaque"), (5, 0))))
    assert secret["data"] == {"key": base64.b64encode(b"\x00\xff").decode()}
    assert secret["immutable"] is False
    assert secret["type"] == "Opaque"


def test_special_types_are_written_as_people_do() -> None:
    """Times, quantities, and numbers that may be words."""
    lease = message((2, message((1, "me"), (2, 30), (3, message((1, 1767225600), (2, 5000))))))
    spec = decode_object(body("coordination.k8s.io/v1", "Lease", lease))["spec"]
    assert spec == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 30,
        "acquireTime": "2026-01-01T00:00:00.000005Z",
    }
    words, number = message((1, 1), (3, "50%")), message((2, -1))
    budget = message((2, message((1, words), (3, number))))
    spec = decode_object(body("policy/v1", "PodDisruptionBudget", budget))["spec"]
    assert spec == {"minAvailable": "50%", "maxUnavailable": -1}


def test_embedded_structs_stand_where_json_has_their_fields() -> None:
    """In a volume, and two deep in the rules of an admission policy."""
    source = message((6, message((1, "s"))))
    pod = message((2, message((1, message((1, "v"), (2, source))))))
    (volume,) = decode_object(body("v1", "Pod", pod))["spec"]["volumes"]
    assert volume == {"name": "v", "secret": {"secretName": "s"}}
    rule = message((1, "CREATE"), (2, message((1, ""), (3, "pods"))))
    matches = message((3, message((2, rule))))
    policy = body(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        message((2, message((2, matches), (3, message((1, "true")))))),
    )
    spec = decode_object(policy)["spec"]
    assert spec["matchConstraints"]["resourceRules"] == [
        {"operations": ["CREATE"], "apiGroups": [""], "resources": ["pods"]}
    ]
    assert spec["validations"] == [{"expression": "true"}]


def test_lists_in_maps_are_unwrapped() -> None:
    """Protobuf has none, so Kubernetes puts each into a message."""
    extra = message((1, "scopes"), (2, message((1, "a"), (1, "b"))))
    review = message((2, message((3, "u"), (5, extra))))
    spec = decode_object(body("authorization.k8s.io/v1", "SubjectAccessReview", review))["spec"]
    assert spec == {"user": "u", "extra": {"scopes": ["a", "b"]}}


def test_options_of_a_deletion_are_known_in_every_group() -> None:
    """Clients send them with the version of what they delete."""
    options = decode_object(body("policy/v1", "DeleteOptions", message((4, "Orphan"))))
    assert options["propagationPolicy"] == "Orphan"


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{}",
        NAMESPACE[:-10],
        body("v1", "Nope", b""),
        body("v1", "Secret", b"\x0b"),
        body("v1", "Secret", message((1, 7))),
        b"k8s\x00" + b"\xff" * 11,
    ],
)
def test_what_is_no_object_is_refused(bad: bytes) -> None:
    """By the one error that the server turns into a refusal."""
    with pytest.raises(ValueError):  # noqa: PT011  # its words are for people
        decode_object(bad)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_else(noise: bytes) -> None:
    """Anybody may send anything."""
    for attempt in (noise, b"k8s\x00" + noise, body("apps/v1", "Deployment", noise)):
        try:
            found = decode_object(attempt)
        except ValueError:
            continue
        assert orjson.dumps(found)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_numbers_come_as_they_went(number: int) -> None:
    """Negative ones take ten bytes."""
    ((field, value),) = read_fields(message((3, number)))
    assert isinstance(value, int)
    assert (field, signed(value)) == (3, number)
