"""Taints whose time somebody else wants to set."""

from typing import Any

import pytest

from towline_hub.clusters.taint_writes import without_new_times

OLD = {"key": "example.com/old", "effect": "NoSelect", "timeAdded": "2026-01-01T00:00:00Z"}
NEW = {"key": "example.com/new", "effect": "NoSelect", "timeAdded": "2026-02-01T00:00:00Z"}


def test_only_new_taints_lose_their_time() -> None:
    """The webhook refuses an update that changes the time of one that is there."""
    spec = {"hubAcceptsClient": True, "taints": [OLD, NEW]}
    patch = {"metadata": {"uid": "u"}, "spec": spec}
    undated = without_new_times(patch, before={"spec": {"taints": [OLD]}})
    assert undated == {
        "metadata": {"uid": "u"},
        "spec": {
            "hubAcceptsClient": True,
            "taints": [OLD, {"key": "example.com/new", "effect": "NoSelect"}],
        },
    }
    assert spec["taints"] == [OLD, NEW]


@pytest.mark.parametrize(
    "patch",
    [{}, {"metadata": {"labels": {}}}, {"spec": {"taints": []}}, {"spec": {"taints": [OLD]}}],
)
def test_a_patch_without_new_taints_stays_as_it_is(patch: dict[str, Any]) -> None:
    """So that a refusal for another reason is not tried again."""
    assert without_new_times(patch, before={"spec": {"taints": [OLD]}}) == patch
