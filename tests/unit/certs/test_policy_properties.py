"""The policy's edges: each field alone, each byte, each bound, as far as chance finds them.

Whole worlds of hostile requests are tried in `test_hostile_requests`.
"""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.csrs import (
    NOW,
    addon_request,
    cluster_request,
    csr_object,
    key_of,
)
from towline_api.names import KUBE_CLIENT_SIGNER
from towline_certs import (
    AddonFacts,
    AddonIdentity,
    ApprovalContext,
    Approve,
    BootstrapPolicy,
    ClusterFacts,
    ClusterIdentity,
    Deny,
    ExpectedRegistration,
    KeyKind,
    SigningRequest,
    decide,
)
from towline_certs.pem import find_pem_blocks, format_pem_block

BOOT = "boot"


def times(factor: int) -> settings:
    """Ask for so many times the examples of an ordinary property, whichever profile is loaded."""
    return settings(max_examples=factor * settings().max_examples)


C1 = ClusterIdentity("a", "g")
HELLO = AddonIdentity("a", "x", "g")
GOOD_CONTEXT = ApprovalContext(
    now=NOW,
    bootstrap=BootstrapPolicy(users=frozenset({BOOT})),
    cluster=ClusterFacts(accepted=True),
    addon=AddonFacts(registrations=(ExpectedRegistration(KUBE_CLIENT_SIGNER, HELLO.subject),)),
    may_renew=True,
)
GOOD = {
    "renewal": SigningRequest.from_csr(
        csr_object(cluster_request(C1), username=C1.user, cluster="a")
    ),
    "bootstrap": SigningRequest.from_csr(
        csr_object(cluster_request(C1), username=BOOT, cluster="a")
    ),
    "addon": SigningRequest.from_csr(
        csr_object(addon_request(HELLO), username=C1.user, cluster="a", addon="x")
    ),
}


def test_the_good_requests_are_good():
    """Without this the next tests would pass on a policy that approves nothing."""
    for request in GOOD.values():
        assert isinstance(decide(request, GOOD_CONTEXT), Approve)


texts = st.text(max_size=30) | st.sampled_from(["a", "b", "x", "", "a ", "A", BOOT, C1.user])


@times(3)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_a_good_request_with_any_one_field_changed_is_not_approved(which, data):
    """Requester, labels, signer, usages, lifetime: each of them alone is enough to stop it."""
    good = GOOD[which]
    name = data.draw(
        st.sampled_from(["username", "cluster", "addon", "signer_name", "usages", "lifetime"])
    )
    match name:
        case "username" | "signer_name":
            changed = dataclasses.replace(good, **{name: data.draw(texts)})
            # These may ask for the same thing with another right: to renew, to introduce, to serve.
            others = {C1.user, BOOT} if which != "addon" else {ClusterIdentity("a", "h").user}
            assume(changed.username not in others)
        case "usages":
            changed = dataclasses.replace(good, usages=tuple(data.draw(st.lists(texts))))
        case "lifetime":
            seconds = st.integers(-(2**31), 599) | st.integers(366 * 86400 + 1, 2**31)
            changed = dataclasses.replace(good, expiration_seconds=data.draw(seconds))
        case _:
            label = f"open-cluster-management.io/{name}-name"
            changed = dataclasses.replace(good, labels={**good.labels, label: data.draw(texts)})
    assume(changed != good)
    assert not isinstance(decide(changed, GOOD_CONTEXT), Approve)


@times(3)
@given(st.sampled_from(sorted(GOOD)), st.integers(0, 10**6), st.integers(1, 255))
def test_a_good_request_with_any_signed_byte_changed_is_not_approved(which, place, flip):
    """Nothing that was signed can be bent afterwards, and nothing raises."""
    good = GOOD[which]
    assert good.request_pem is not None
    data = bytearray(find_pem_blocks(good.request_pem)[0].der)
    # The signature's own encoding lies behind the signed part; flips there just break it.
    place %= len(data)
    data[place] ^= flip
    pem = format_pem_block("CERTIFICATE REQUEST", bytes(data))
    decision = decide(dataclasses.replace(good, request_pem=pem), GOOD_CONTEXT)
    assert not isinstance(decision, Approve)


@given(st.sampled_from(sorted(GOOD)), st.binary(max_size=100))
def test_any_bytes_in_place_of_the_request_are_denied(which, data):
    """What carries our label and cannot be read gets an answer with a reason."""
    decision = decide(dataclasses.replace(GOOD[which], request_pem=data), GOOD_CONTEXT)
    assert isinstance(decision, Deny)


@pytest.fixture(scope="module")
def request_with_key() -> Mapping[KeyKind, bytes]:
    """Return a request for every kind of key, made before any example's time is taken."""
    return {kind: cluster_request(C1, key=key_of(kind)) for kind in KeyKind}


@given(kind=st.sampled_from(list(KeyKind)), allowed=st.sets(st.sampled_from(list(KeyKind))))
def test_only_allowed_kinds_of_key_are_approved(request_with_key, kind, allowed):
    """The set in the context is the whole truth."""
    pem = request_with_key[kind]
    context = dataclasses.replace(GOOD_CONTEXT, key_kinds=frozenset(allowed))
    decision = decide(dataclasses.replace(GOOD["renewal"], request_pem=pem), context)
    assert isinstance(decision, Approve) == (kind in allowed)


@given(st.none() | st.integers(0, 10**8), st.integers(1, 10**6), st.integers(1, 10**8))
def test_only_lifetimes_within_bounds_are_approved(asked, shortest, longest):
    """Both ends included; nothing asked is the signer's choice."""
    context = dataclasses.replace(
        GOOD_CONTEXT,
        min_lifetime=timedelta(seconds=shortest),
        max_lifetime=timedelta(seconds=longest),
    )
    decision = decide(dataclasses.replace(GOOD["renewal"], expiration_seconds=asked), context)
    assert isinstance(decision, Approve) == (asked is None or shortest <= asked <= longest)
