import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from towline_certs import (
    MANAGED_CLUSTERS_GROUP,
    AddonIdentity,
    ClusterIdentity,
    CustomSignerIdentity,
    IdentityError,
    Subject,
    addon_group,
    alternate_cluster_group,
    cluster_group,
)

LOWER, LETTERS = string.ascii_lowercase + string.digits, string.ascii_letters + string.digits


def within(outer, inner, longest):
    """Draw a word of `inner` characters that begins and ends with one of the `outer` ones.

    A regular expression would say the same, and be drawn ten times slower.
    """
    return st.text(inner, min_size=1, max_size=longest).filter(
        lambda word: word[0] in outer and word[-1] in outer
    )


labels = within(LOWER, LOWER + "-", 63).filter(lambda name: name != "managed-clusters")
addons = st.lists(st.text(LOWER, min_size=1, max_size=10), min_size=1, max_size=4).map(".".join)
agents = within(LETTERS, LETTERS + "._-", 42)


def parse_any(user):
    found = []
    for kind in (ClusterIdentity, AddonIdentity):
        try:
            found.append(kind.parse_user(user))
        except IdentityError:
            continue
    return found


@given(labels, agents)
def test_a_cluster_identity_survives_the_wire(cluster, agent):
    """The name on the certificate has to lead back to exactly one identity."""
    identity = ClusterIdentity(cluster, agent)
    assert parse_any(identity.user) == [identity]
    assert ClusterIdentity.parse_subject(identity.subject) == identity


@given(labels, addons, agents)
def test_an_addon_identity_survives_the_wire(cluster, addon, agent):
    """The name on the certificate has to lead back to exactly one identity."""
    identity = AddonIdentity(cluster, addon, agent)
    assert parse_any(identity.user) == [identity]
    assert AddonIdentity.parse_subject(identity.subject) == identity


def test_names_are_those_ocm_uses():
    """RBAC on existing hubs is bound to these names, letter for letter."""
    cluster = ClusterIdentity("c1", "x7kq2")
    assert cluster.user == "system:open-cluster-management:c1:x7kq2"
    assert cluster.groups == (
        "system:open-cluster-management:c1",
        "system:open-cluster-management:managed-clusters",
    )
    addon = AddonIdentity("c1", "hello", "h")
    assert addon.user == "system:open-cluster-management:cluster:c1:addon:hello:agent:h"
    assert addon.groups == (
        "system:open-cluster-management:cluster:c1:addon:hello",
        "system:open-cluster-management:addon:hello",
    )
    assert alternate_cluster_group("c1") == "open-cluster-management:c1"


@given(st.text())
def test_a_text_is_an_identity_only_if_it_is_what_the_identity_writes(user):
    """No trimming, folding or matching by prefix: what parses formats back to itself."""
    for identity in parse_any(user):
        assert identity.user == user


@given(
    labels,
    agents,
    st.integers(0, 80),
    st.sampled_from([":", " ", "\n", "\0", "/", "é", "\u017f", "\u212a", "A", "%", "..", "::"]),
)
def test_a_name_with_something_slipped_in_is_another_name_or_none(cluster, agent, place, extra):
    """One foreign character must never leave the same identity standing."""
    identity = ClusterIdentity(cluster, agent)
    user = identity.user[:place] + extra + identity.user[place:]
    assert identity not in parse_any(user)
    assert all(found.user == user for found in parse_any(user))


@pytest.mark.parametrize(
    "user",
    [
        "",
        ":",
        "system:open-cluster-management",
        "system:open-cluster-management:c1",
        "system:open-cluster-management:c1:",
        "system:open-cluster-management::agent",
        "system:open-cluster-management:c1:agent:",
        "system:open-cluster-management:c1:agent:more",
        "System:open-cluster-management:c1:agent",
        "system:open-cluster-management:C1:agent",
        "system:open-cluster-management:c1 :agent",
        "system:open-cluster-management:c1:agent\n",
        "system:open-cluster-management:c1\n:agent",
        "system:open-cluster-management:c1.example:agent",
        "system:open-cluster-management:-c1:agent",
        "system:open-cluster-management:c1-:agent",
        f"system:open-cluster-management:{'c' * 64}:agent",
        "system:open-cluster-management:c1:../agent",
        "system:open-cluster-management:c1:-agent",
        "system:open-cluster-management:managed-clusters:agent",
        "system:open-cluster-management:cluster:c1:addon:a:agent:",
        "system:open-cluster-management:cluster:c1:addon::agent:g",
        "system:open-cluster-management:cluster:c1:addon:a..b:agent:g",
        "system:open-cluster-management:cluster:c1:addon:A:agent:g",
        f"system:open-cluster-management:cluster:c1:addon:{'a' * 64}:agent:g",
        "system:open-cluster-management:cluster:c1:addon:a:agent:g:h",
        "system:serviceaccount:c1:a-agent",
    ],
)
def test_what_is_not_canonical_is_no_identity(user):
    """Names that are nearly right are how one cluster passes for another."""
    assert parse_any(user) == []


def test_a_cluster_cannot_have_the_group_of_all_clusters():
    """RBAC for that one cluster would be RBAC for every cluster of the hub."""
    assert cluster_group("managed-clusters") == MANAGED_CLUSTERS_GROUP
    with pytest.raises(IdentityError, match="choose another name"):
        ClusterIdentity("managed-clusters", "x")


def test_a_cluster_named_like_a_word_of_the_format_is_still_told_apart():
    """`cluster` is a fine name for a cluster."""
    assert parse_any("system:open-cluster-management:cluster:x") == [
        ClusterIdentity("cluster", "x")
    ]


@given(labels, agents, st.sets(st.sampled_from(["system:masters", "x", addon_group("a")])))
def test_a_subject_needs_exactly_its_groups(cluster, agent, extra):
    """One group too many is a right too many."""
    identity = ClusterIdentity(cluster, agent)
    assume(extra)
    with pytest.raises(IdentityError):
        ClusterIdentity.parse_subject(Subject(identity.user, frozenset({*identity.groups, *extra})))
    for missing in identity.groups:
        groups = frozenset(identity.groups) - {missing}
        with pytest.raises(IdentityError):
            ClusterIdentity.parse_subject(Subject(identity.user, groups))


@pytest.mark.parametrize("identity", [ClusterIdentity("c1", "g"), AddonIdentity("c1", "a", "g")])
def test_an_organizational_unit_is_part_of_no_agent(identity):
    """A subject that says more than the identity is not that identity's."""
    subject = Subject(identity.user, frozenset(identity.groups), frozenset({"unit"}))
    with pytest.raises(IdentityError):
        type(identity).parse_subject(subject)


def test_a_custom_signer_identity_is_bound_to_its_cluster_and_addon():
    """Its subject is free, its owner is not."""
    subject = Subject("anything", frozenset({"team"}), frozenset({"unit"}))
    assert CustomSignerIdentity("c1", "a", "example.com/s", subject).user == "anything"
    with pytest.raises(IdentityError):
        CustomSignerIdentity("C1", "a", "example.com/s", subject)
    with pytest.raises(IdentityError):
        CustomSignerIdentity("c1", "a:b", "example.com/s", subject)


def test_a_subject_is_one_line_for_messages():
    """Operators compare found and expected by eye."""
    subject = Subject("cn", frozenset({"b", "a"}), frozenset({"u"}))
    assert str(subject) == "CN=cn,O=a,O=b,OU=u"
