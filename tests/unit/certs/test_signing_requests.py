from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.csrs import cluster_request, csr_object
from towline_api.errors import WireError
from towline_api.names import CLIENT_CERTIFICATE_USAGES, KUBE_CLIENT_SIGNER
from towline_certs import ClusterIdentity, SigningRequest

IDENTITY = ClusterIdentity("c1", "g")
PEM = cluster_request(IDENTITY)


def good(**how):
    return csr_object(PEM, **{"username": IDENTITY.user, "cluster": "c1"} | how)


def test_the_facts_are_those_of_the_object():
    """The decision sees what the API server stored."""
    obj = good(groups=["g1"], addon="a", expiration_seconds=3600)
    obj["spec"] |= {"uid": "u", "extra": {"k": ["v"]}}
    request = SigningRequest.from_csr(obj)
    assert request.name == "request"
    assert (request.cluster, request.addon) == ("c1", "a")
    assert request.signer_name == KUBE_CLIENT_SIGNER
    assert request.usages == CLIENT_CERTIFICATE_USAGES
    assert request.username == IDENTITY.user
    assert request.groups == ("g1", "system:authenticated")
    assert (request.uid, request.extra) == ("u", {"k": ("v",)})
    assert request.lifetime == timedelta(hours=1)
    assert request.created == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert request.request_pem == PEM
    assert not request.is_decided


def test_what_the_api_server_leaves_out_is_empty():
    """Empty fields are absent in Kubernetes' JSON."""
    request = SigningRequest.from_csr({"spec": {}})
    assert (request.cluster, request.addon, request.lifetime, request.created) == (None,) * 4
    assert (request.usages, request.groups, request.username) == ((), (), "")
    assert request.request_pem is None


@pytest.mark.parametrize("kind", ["Approved", "Denied", "Failed"])
def test_a_decision_is_seen(kind):
    """It is final: nobody decides twice."""
    request = SigningRequest.from_csr(good(conditions=[{"type": kind, "status": "True"}]))
    assert request.decisions == {kind}
    assert request.is_decided


def test_another_condition_is_no_decision():
    """Any controller may add its own."""
    assert not SigningRequest.from_csr(good(conditions=[{"type": "Seen"}])).is_decided


def test_an_issued_certificate_ends_the_matter():
    """Even when nobody recorded an approval."""
    assert SigningRequest.from_csr(good() | {"status": {"certificate": "Zm9v"}}).is_decided


@pytest.mark.parametrize("value", ["%%%", "YQ", 5, None, ["YQ=="]])
def test_a_request_that_is_not_base64_is_carried_for_the_policy_to_refuse(value):
    """An exception here would leave the request pending for ever, with no reason on it."""
    obj = good()
    obj["spec"]["request"] = value
    assert SigningRequest.from_csr(obj).request_pem is None


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("spec", "usages", "client auth"),
        ("spec", "usages", [1]),
        ("spec", "groups", {"a": "b"}),
        ("spec", "username", 5),
        ("spec", "signerName", ["x"]),
        ("spec", "expirationSeconds", "3600"),
        ("spec", "expirationSeconds", True),
        ("spec", "expirationSeconds", 10**20),
        ("spec", "extra", {"k": "v"}),
        ("metadata", "labels", ["x"]),
        ("metadata", "labels", {"a": 1}),
        ("metadata", "creationTimestamp", "yesterday"),
        ("status", "conditions", "Approved"),
        ("status", "conditions", ["Approved"]),
    ],
)
def test_a_field_of_another_type_is_named(part, field, value):
    """The message says where to look."""
    obj = good()
    obj.setdefault(part, {})
    obj[part] = obj[part] | {field: value}
    with pytest.raises(WireError) as caught:
        SigningRequest.from_csr(obj)
    assert caught.value.field


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("metadata", "spec", "status"), json)))
def test_any_json_gives_facts_or_the_one_error(obj):
    """One strange object must not end the watch that delivered it."""
    try:
        SigningRequest.from_csr(obj)
    except WireError as error:
        assert error.field  # noqa: PT017 - either outcome is fine


def test_the_request_is_not_in_the_repr():
    """It is long and says nothing to a reader."""
    assert "BEGIN" not in repr(SigningRequest.from_csr(good()))
