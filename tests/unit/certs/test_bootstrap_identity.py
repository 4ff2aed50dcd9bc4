import pytest

from towline_certs import IdentityError
from towline_certs.bootstrap_identity import bound_cluster, bound_group, is_bound

FLEET = "system:bootstrappers:managedcluster"


@pytest.mark.parametrize(
    ("groups", "cluster"),
    [
        ([], None),
        (["system:bootstrappers", FLEET, "system:authenticated"], None),
        ([f"{FLEET}:c1"], "c1"),
        (["system:authenticated", f"{FLEET}:c1", f"{FLEET}:c1"], "c1"),
        ([f"{FLEET}:c1", FLEET], "c1"),
        ([f"{FLEET}:c1", f"{FLEET}:c2"], None),
        ([f"{FLEET}:c1:"], None),
        ([f"{FLEET}:c1:c1"], None),
        ([f"{FLEET}:"], None),
        ([f"{FLEET}:C1"], None),
        ([f" {FLEET}:c1"], None),
        ([f"{FLEET}: c1"], None),
        ([f"{FLEET}:managed-clusters"], None),
        (["system:bootstrappers:managedclusters:c1"], None),
        (["bootstrappers:managedcluster:c1"], None),
    ],
)
def test_a_group_binds_to_the_one_cluster_it_names_whole(groups, cluster):
    """What is nearly such a group must not open a name, and two names open none."""
    assert bound_cluster(groups) == cluster


@pytest.mark.parametrize(
    ("group", "means_to"),
    [
        (FLEET, False),
        (f"{FLEET}s:c1", False),
        (f"{FLEET}:c1", True),
        (f"{FLEET}:", True),
        (f"{FLEET}:C1", True),
        (f"{FLEET}:c1:c2", True),
    ],
)
def test_a_group_that_binds_badly_still_keeps_its_members_from_the_fleet(group, means_to):
    """A token made for one cluster must not pass for one made for all by a slip in its group."""
    assert is_bound(["system:authenticated", group]) is means_to


def test_the_group_for_a_cluster_binds_to_it():
    """Who makes tokens and who judges them have to agree."""
    assert bound_cluster([bound_group("c1")]) == "c1"


def test_no_group_is_made_for_a_name_no_cluster_may_have():
    """Its tokens could never be used."""
    with pytest.raises(IdentityError, match="managed-clusters"):
        bound_group("managed-clusters")
