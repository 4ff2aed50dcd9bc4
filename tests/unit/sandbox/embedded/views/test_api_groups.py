"""Groups and versions are told in the order of a real plane: the first one is preferred."""

import random

from towline_sandbox.embedded.model.kinds import GroupVersion
from towline_sandbox.embedded.views.api_groups import in_order, version_order


def test_versions_go_from_stable_to_new() -> None:
    """Kubectl speaks the first one."""
    ordered = ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "bar", "foo"]
    shuffled = random.Random(7).sample(ordered, len(ordered))
    assert sorted(shuffled, key=version_order) == ordered


def test_built_in_groups_come_first_in_their_own_order() -> None:
    """Where two groups have a kind of the same name, kubectl takes the earlier one."""
    served = [
        GroupVersion("coordination.k8s.io", "v1"),
        GroupVersion("apps", "v1"),
        GroupVersion("aa.example.com", "v1"),
        GroupVersion("", "v1"),
    ]
    assert list(in_order(served)) == ["apps", "coordination.k8s.io", "aa.example.com"]


def test_custom_groups_are_ordered_by_version_and_name_or_by_name_alone() -> None:
    """Odd, but so it is: the two forms of discovery differ."""
    served = [
        GroupVersion("aa.example.com", "v2"),
        GroupVersion("bb.example.com", "v2"),
        GroupVersion("bb.example.com", "v1"),
    ]
    assert list(in_order(served)) == ["bb.example.com", "aa.example.com"]
    assert list(in_order(served, by_name=True)) == ["aa.example.com", "bb.example.com"]
    versions = in_order(served)["bb.example.com"]
    assert [version.version for version in versions] == ["v2", "v1"]
