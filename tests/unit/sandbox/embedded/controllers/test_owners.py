"""Who owns an object decides what becomes of it; the cases were tried on a real plane."""

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.controllers.owners import (
    Collect,
    Keep,
    OwnerState,
    Propagation,
    blocks,
    verdict,
    waits_for,
    without_owner,
)

THERE, ABSENT = OwnerState.THERE, OwnerState.ABSENT
WAITING, UNKNOWN = OwnerState.WAITING, OwnerState.UNKNOWN
BACKGROUND = Collect(Propagation.BACKGROUND)


def owned(owners: int, **metadata: object) -> KubeObject:
    """Return an object with this many owners."""
    references = [{"kind": "ConfigMap", "name": f"o{n}", "uid": f"u{n}"} for n in range(owners)]
    return {"metadata": {"name": "x", "ownerReferences": references, **metadata}}


@pytest.mark.parametrize(
    ("states", "has_dependents", "expected"),
    [
        pytest.param([], False, Keep(), id="nobody's"),
        pytest.param([THERE], False, Keep(), id="owner-there"),
        pytest.param([ABSENT], False, BACKGROUND, id="owner-gone"),
        pytest.param([ABSENT, ABSENT], True, BACKGROUND, id="owners-gone"),
        pytest.param([UNKNOWN], False, Keep(), id="owner-of-unknown-kind"),
        pytest.param([ABSENT, UNKNOWN], False, Keep(), id="one-unknown"),
        pytest.param([WAITING], False, BACKGROUND, id="owner-waits"),
        pytest.param([WAITING], True, Collect(Propagation.FOREGROUND), id="owner-waits-for-all"),
        pytest.param([THERE, WAITING], True, Keep([owned(1)["metadata"]["ownerReferences"][0]])),
    ],
)
def test_owners_decide(
    states: list[OwnerState], has_dependents: bool, expected: Keep | Collect
) -> None:
    """As long as one is there the object stays, and forgets those that are not."""
    assert verdict(owned(len(states)), states, has_dependents=has_dependents) == expected


def test_an_object_that_is_being_deleted_is_left_to_it() -> None:
    """Its finalizers are somebody else's business."""
    going = owned(1, deletionTimestamp="2026-01-01T00:00:00Z")
    assert verdict(going, [ABSENT], has_dependents=False) == Keep()


@pytest.mark.parametrize(
    ("finalizer", "propagation"),
    [
        ("orphan", Propagation.ORPHAN),
        ("foregroundDeletion", Propagation.FOREGROUND),
        ("example.com/x", Propagation.BACKGROUND),
    ],
)
def test_an_object_says_itself_how_it_goes(finalizer: str, propagation: Propagation) -> None:
    """By the finalizers that an earlier deletion, or its author, left on it."""
    found = verdict(owned(1, finalizers=[finalizer]), [ABSENT], has_dependents=True)
    assert found == Collect(propagation)


def test_only_a_deleted_owner_waits() -> None:
    """The finalizer alone says nothing."""
    finalizers = ["example.com/x", "foregroundDeletion"]
    assert waits_for(owned(0, finalizers=finalizers)) is None
    going = owned(0, finalizers=finalizers, deletionTimestamp="2026-01-01T00:00:00Z")
    assert waits_for(going) == "foregroundDeletion"


def test_an_owner_waits_only_for_those_who_say_so() -> None:
    """`blockOwnerDeletion` is the dependent's choice."""
    dependent = owned(2)
    dependent["metadata"]["ownerReferences"][1]["blockOwnerDeletion"] = True
    assert not blocks(dependent, owner_uid="u0")
    assert blocks(dependent, owner_uid="u1")


def test_an_orphan_keeps_its_other_owners() -> None:
    """Only the one that lets it go is forgotten."""
    assert [each["uid"] for each in without_owner(owned(2), owner_uid="u0")] == ["u1"]
