"""Objects of ours are known again, and nothing else is taken for one of them."""

from copy import deepcopy
from typing import Any

import pytest

from towline_agent.applying.ownership import Claim, Owner, cluster_selector
from towline_api.resources import KubeObject

OWNER = Owner("c1", "helloworld")
SOURCE = "configmaps c1/settings"
BODY: KubeObject = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "addons"},
    "data": {"colour": "blue"},
}


def marked(**metadata: Any) -> KubeObject:
    live = OWNER.stamp(BODY, source=SOURCE)
    live["metadata"].update(metadata)
    return live


def test_what_we_stamped_is_ours() -> None:
    """The marks must survive the way through an API server: they are plain metadata."""
    live = marked()
    assert OWNER.claim(live) is Claim.OURS
    assert live["metadata"]["labels"]["synced-from-hub"] == ""
    assert live["data"] == BODY["data"]


def test_stamping_changes_nothing_that_was_passed_in() -> None:
    """Objects come from a cache that others read."""
    before = deepcopy(BODY)
    OWNER.stamp(BODY, source=SOURCE)
    assert before == BODY


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"labels": {}}, id="no-labels"),
        pytest.param({"annotations": {}}, id="no-annotations"),
        pytest.param({"name": "settings-copy"}, id="copied-by-hand-to-another-name"),
        pytest.param({"namespace": "default"}, id="copied-by-hand-to-another-namespace"),
    ],
)
def test_one_missing_mark_makes_it_foreign(change: dict[str, Any]) -> None:
    """Somebody's copy of one of our objects carries our labels, yet is not ours to delete."""
    assert OWNER.claim(marked(**change), source=SOURCE) is Claim.FOREIGN


@pytest.mark.parametrize(
    ("owner", "source", "claim"),
    [
        pytest.param(Owner("c2", "helloworld"), SOURCE, Claim.FOREIGN, id="other-cluster"),
        pytest.param(Owner("c1", "other"), None, Claim.FOREIGN, id="other-add-on"),
        pytest.param(Owner("c1", "other"), "configmaps c1/x", Claim.FOREIGN, id="other-source"),
        pytest.param(Owner("c1", "other"), SOURCE, Claim.SHARED, id="other-add-on-same-source"),
    ],
)
def test_objects_of_other_owners(owner: Owner, source: str | None, claim: Claim) -> None:
    """Two add-ons may want the same copy; no add-on may claim what another made for itself."""
    assert owner.claim(marked(), source=source) is claim


def test_the_digest_changes_when_a_key_goes_away() -> None:
    """A server-side apply removes what is no longer applied, but only if it is sent at all."""
    less = {**BODY, "data": {}}
    digests = {
        OWNER.stamp(body, source=SOURCE)["metadata"]["annotations"]["towline/content"]
        for body in (BODY, less)
    }
    assert len(digests) == 2


def test_selectors_name_every_label() -> None:
    """A selector that forgets the cluster would find another agent's objects."""
    assert OWNER.selector == (
        "app.kubernetes.io/managed-by=towline-agent,"
        "open-cluster-management.io/addon-name=helloworld,"
        "open-cluster-management.io/cluster-name=c1"
    )
    assert cluster_selector("c1") == (
        "app.kubernetes.io/managed-by=towline-agent,open-cluster-management.io/cluster-name=c1"
    )
