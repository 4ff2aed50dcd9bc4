"""The promise of the policy: whatever is approved names exactly whom its requester is entitled to.

Requests and surroundings are drawn from small worlds in which everything can be confused with
everything else; an oracle that shares no code with the policy then judges each approval.
"""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.csrs import (
    CN,
    NOW,
    OU,
    SUBJECT_ALTERNATIVE_NAME,
    O,
    addon_request,
    cluster_request,
    craft_request,
    csr_object,
    der,
    der_attribute,
    der_extension,
    der_extension_request,
    der_name,
    key_of,
)
from towline_api.names import CLIENT_CERTIFICATE_USAGES, KUBE_CLIENT_SIGNER, addon_dns_name
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
    Ignore,
    KeyKind,
    Reason,
    SigningRequest,
    Subject,
    decide,
)
from towline_certs.pem import find_pem_blocks, format_pem_block

CLUSTERS, ADDONS, AGENTS = ("a", "b", "ab"), ("x", "y"), ("g", "h")
BOOT = "boot"
AGENT_USERS = [
    *(ClusterIdentity(cluster, agent).user for cluster in CLUSTERS for agent in AGENTS),
    *(AddonIdentity(cluster, "x", "g").user for cluster in CLUSTERS),
]
USERS = [
    *AGENT_USERS,
    BOOT,
    "stranger",
    "system:open-cluster-management:a:g:h",
    "system:open-cluster-management:a",
]
GROUPS = [
    "system:open-cluster-management:managed-clusters",
    "system:authenticated",
    "system:masters",
    *(f"system:open-cluster-management:{cluster}" for cluster in CLUSTERS),
    *(f"system:open-cluster-management:addon:{addon}" for addon in ADDONS),
    *(
        f"system:open-cluster-management:cluster:{cluster}:addon:{addon}"
        for cluster in CLUSTERS
        for addon in ADDONS
    ),
]
SIGNERS = [KUBE_CLIENT_SIGNER, KUBE_CLIENT_SIGNER, KUBE_CLIENT_SIGNER, "example.com/custom"]

identities = st.one_of(
    st.builds(ClusterIdentity, st.sampled_from(CLUSTERS), st.sampled_from(AGENTS)),
    st.builds(
        AddonIdentity, st.sampled_from(CLUSTERS), st.sampled_from(ADDONS), st.sampled_from(AGENTS)
    ),
)
free_subjects = st.builds(
    Subject,
    st.sampled_from([*USERS, *(AddonIdentity("a", "x", agent).user for agent in AGENTS)]),
    st.frozensets(st.sampled_from(GROUPS), max_size=3),
    st.frozensets(st.just("unit"), max_size=1),
)
subjects = st.one_of(identities.map(lambda identity: identity.subject), free_subjects)
dns_names = st.one_of(
    st.sampled_from([(), (addon_dns_name("x"),), (addon_dns_name("y"),)]),
    st.lists(st.sampled_from([addon_dns_name("x"), "hub.example"]), max_size=2).map(tuple),
)


@st.composite
def signed(draw):
    subject = draw(subjects)
    rdns = [
        [der_attribute(O, value) for value in sorted(subject.organizations)],
        [der_attribute(OU, value) for value in subject.organizational_units],
        [der_attribute(CN, subject.common_name)],
    ]
    if draw(st.integers(0, 9)) == 0:
        rdns.append([draw(st.sampled_from([der_attribute(O, "system:masters"), rdns[2][0]]))])
    names = draw(dns_names)
    attributes = []
    if names:
        value = der(0x30, *(der(0x82, name.encode()) for name in names))
        attributes = [der_extension_request(der_extension(SUBJECT_ALTERNATIVE_NAME, value))]
    return craft_request(der_name(*(rdn for rdn in rdns if rdn)), attributes=attributes)


usages = st.one_of(
    st.just(CLIENT_CERTIFICATE_USAGES),
    st.just(CLIENT_CERTIFICATE_USAGES),
    st.lists(st.sampled_from([*CLIENT_CERTIFICATE_USAGES, "server auth"]), max_size=5),
)


@st.composite
def requests(draw):
    return SigningRequest.from_csr(
        csr_object(
            draw(signed()),
            username=draw(st.sampled_from(USERS)),
            groups=draw(st.lists(st.sampled_from([*GROUPS, "bootstrappers"]), max_size=2)),
            cluster=draw(st.sampled_from([*CLUSTERS, None, "managed-clusters", "A"])),
            addon=draw(st.sampled_from([*ADDONS, None, None])),
            signer_name=draw(st.sampled_from(SIGNERS)),
            usages=draw(usages),
            expiration_seconds=draw(st.sampled_from([None, 60, 600, 10**9])),
        )
    )


@st.composite
def likely_requests(draw):
    """Requests in which most things fit together, so that approvals are common."""
    identity = draw(identities)
    addon = identity.addon if isinstance(identity, AddonIdentity) else None
    good = {
        "username": (
            ClusterIdentity(identity.cluster, "g").user
            if addon
            else draw(st.sampled_from([identity.user, BOOT]))
        ),
        "cluster": identity.cluster,
        "addon": addon,
    }
    bent = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "username": st.sampled_from(USERS),
                "cluster": st.sampled_from(CLUSTERS),
                "addon": st.sampled_from([*ADDONS, None]),
            },
        )
    )
    keep = draw(st.integers(0, 2))
    pem = addon_request(identity) if addon else cluster_request(identity)
    return SigningRequest.from_csr(csr_object(pem, **(good if keep else good | bent)))


contexts = st.builds(
    ApprovalContext,
    now=st.just(NOW),
    bootstrap=st.builds(
        BootstrapPolicy,
        users=st.sampled_from([frozenset({BOOT}), frozenset()]),
        groups=st.sampled_from([frozenset({"bootstrappers"}), frozenset()]),
    ),
    cluster=st.none()
    | st.builds(
        ClusterFacts,
        accepted=st.sampled_from([True, True, False]),
        denied=st.sampled_from([False, False, True]),
        deleting=st.sampled_from([False, False, True]),
        has_live_identity=st.booleans(),
    ),
    addon=st.none()
    | st.builds(
        AddonFacts,
        deleting=st.booleans(),
        registrations=st.lists(
            st.builds(
                ExpectedRegistration,
                signer_name=st.sampled_from(SIGNERS),
                subject=st.one_of(
                    *(
                        st.just(AddonIdentity(cluster, addon, "g").subject)
                        for cluster in CLUSTERS
                        for addon in ADDONS
                    ),
                    free_subjects,
                ),
            ),
            max_size=6,
        ).map(tuple),
    ),
    may_renew=st.sampled_from([True, False, None]),
    operator_accepts=st.sampled_from([False, False, True]),
    signers=st.just(frozenset({"example.com/custom"})),
)


def values_of(csr, oid):
    return sorted(str(each.value) for each in csr.subject if each.oid.dotted_string == oid)


def judge(request, context, decision):
    """Work out from the library's own view of the request whether this approval is right."""
    csr = x509.load_pem_x509_csr(request.request_pem)
    assert csr.is_signature_valid
    (common_name,) = values_of(csr, CN)
    organizations = values_of(csr, O)
    names = [
        name.value
        for extension in csr.extensions
        if isinstance(extension.value, x509.SubjectAlternativeName)
        for name in extension.value
    ]
    cluster = request.labels["open-cluster-management.io/cluster-name"]
    addon = request.labels.get("open-cluster-management.io/addon-name")
    assert set(request.usages) == {*CLIENT_CERTIFICATE_USAGES}
    assert request.expiration_seconds in {None, 600}
    assert decision.identity.cluster == cluster
    if addon is None:
        prefix = f"system:open-cluster-management:{cluster}"
        assert request.signer_name == KUBE_CLIENT_SIGNER
        assert common_name in {f"{prefix}:g", f"{prefix}:h"}
        assert organizations == sorted([prefix, "system:open-cluster-management:managed-clusters"])
        assert (values_of(csr, OU), names) == ([], [])
        assert decision.identity.user == common_name
        if decision.reason is Reason.CLUSTER_RENEWAL:
            assert request.username == common_name
            assert context.may_renew
            assert context.cluster.accepted
        elif decision.reason is Reason.CLUSTER_BOOTSTRAP:
            assert request.username in context.bootstrap.users or (
                set(request.groups) & context.bootstrap.groups
            )
            assert request.username not in AGENT_USERS
            assert context.cluster is None or not (
                context.cluster.has_live_identity or context.cluster.denied
            )
        else:
            assert decision.reason is Reason.OPERATOR_ACCEPTED
            assert context.operator_accepts
        assert context.cluster is None or not context.cluster.deleting
        return
    assert request.username in {f"system:open-cluster-management:{cluster}:{g}" for g in AGENTS}
    assert names == [f"{addon}.addon.open-cluster-management.io"]
    assert context.cluster.accepted
    registered = [
        each.subject
        for each in context.addon.registrations
        if each.signer_name == request.signer_name and each.subject.common_name == common_name
    ]
    assert registered
    if request.signer_name == KUBE_CLIENT_SIGNER:
        prefix = f"system:open-cluster-management:cluster:{cluster}:addon:{addon}"
        assert common_name in {f"{prefix}:agent:g", f"{prefix}:agent:h"}
        assert {prefix, f"system:open-cluster-management:addon:{addon}"} == {
            each for each in organizations if each != "system:authenticated"
        }
        assert len(organizations) == len(set(organizations))
        assert values_of(csr, OU) == []
    else:
        assert any(
            (sorted(each.organizations), sorted(each.organizational_units))
            == (organizations, values_of(csr, OU))
            for each in registered
        )
    assert decision.identity.user == common_name


def check(request, context):
    decision = decide(request, context)
    assert isinstance(decision, Approve | Deny | Ignore)
    assert decision.message
    assert "\n" not in decision.message
    if isinstance(decision, Approve):
        judge(request, context, decision)
    return decision


def times(factor: int) -> settings:
    """Ask for so many times the examples of an ordinary property, whichever profile is loaded."""
    return settings(max_examples=factor * settings().max_examples)


@times(2)
@given(requests(), contexts)
def test_an_approval_names_whom_the_requester_is_entitled_to(request, context):
    """The one property everything else in this package is there for."""
    check(request, context)


# About one in twelve is approved, and approvals are what is judged.
@times(6)
@given(likely_requests(), contexts)
def test_an_approval_of_a_nearly_good_request_is_right_too(request, context):
    """The same where approvals are frequent."""
    check(request, context)


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


texts = st.text(max_size=30) | st.sampled_from([*USERS, *GROUPS, *CLUSTERS, *ADDONS, "", "a ", "A"])


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
    decision = check(dataclasses.replace(good, request_pem=pem), GOOD_CONTEXT)
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
