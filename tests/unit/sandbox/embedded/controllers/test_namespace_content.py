"""A namespace's status tells what keeps it; the sentences are a real plane's."""

from datetime import UTC, datetime

from towline_sandbox.embedded.built_in import kinds
from towline_sandbox.embedded.controllers.namespace_content import (
    Content,
    conditions,
    namespaced_kinds,
)
from towline_sandbox.embedded.model.kinds import Catalog, StorageKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
CONTENT = Content(
    {StorageKey("", "configmaps"): 2, StorageKey("bb.example.com", "zebras"): 1},
    {"x.y/z": 1, "a.b/c": 3},
)


def test_what_is_left_is_counted() -> None:
    """People find out by it which controller is missing."""
    told = {each["type"]: each for each in conditions(CONTENT, known=[], now=NOW)}
    assert told["NamespaceContentRemaining"] == {
        "type": "NamespaceContentRemaining",
        "status": "True",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "reason": "SomeResourcesRemain",
        "message": "Some resources are remaining: configmaps. has 2 resource instances, "
        "zebras.bb.example.com has 1 resource instances",
    }
    assert told["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: a.b/c in 3 resource instances, "
        "x.y/z in 1 resource instances"
    )
    assert told["NamespaceDeletionContentFailure"]["status"] == "False"


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    """Also when its message does."""
    before = conditions(CONTENT, known=[], now=NOW)
    after = conditions(Content({}, {}), known=before, now=LATER)
    times = {each["type"]: each["lastTransitionTime"] for each in after}
    assert times["NamespaceContentRemaining"] == "2026-01-02T00:00:00Z"
    assert times["NamespaceDeletionDiscoveryFailure"] == "2026-01-01T00:00:00Z"
    fewer = Content({StorageKey("", "configmaps"): 1}, {"a.b/c": 1})
    same = conditions(fewer, known=before, now=LATER)
    assert {each["lastTransitionTime"] for each in same} == {"2026-01-01T00:00:00Z"}


def test_pods_go_first_and_nothing_goes_twice() -> None:
    """They may use what else there is; Events are served in two groups but stored once."""
    catalog = Catalog()
    catalog.put("built-in", kinds())
    found = namespaced_kinds(catalog)
    assert found[0].resource.plural == "pods"
    keys = [kind.storage_key for kind in found]
    assert len(keys) == len(set(keys))
    assert all(kind.resource.namespaced and "delete" in kind.verbs for kind in found)
