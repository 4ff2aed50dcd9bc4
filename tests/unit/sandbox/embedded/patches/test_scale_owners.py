"""Whose the number of replicas is after somebody wrote a Scale."""

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import kinds
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.patches.owners import Operation
from towline_sandbox.embedded.patches.scale_owners import Claim, scaled_by

DEPLOYMENTS = next(kind for kind in kinds() if kind.resource.plural == "deployments")
REPLICAS: KubeObject = {"f:spec": {"f:replicas": {}}}


def owned(*entries: KubeObject) -> KubeObject:
    return {"metadata": {"name": "a", "managedFields": list(entries)}, "spec": {"replicas": 2}}


def entry(manager: str, operation: str = "Update", *, scales: bool = False) -> KubeObject:
    made: KubeObject = {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": REPLICAS,
    }
    return {**made, "subresource": "scale"} if scales else made


def entries(obj: KubeObject, claim: Claim) -> list[KubeObject]:
    scaled = scaled_by(obj, claim, kind=DEPLOYMENTS, path=".spec.replicas")
    found: list[KubeObject] = scaled["metadata"]["managedFields"]
    return found


def test_whoever_changes_the_number_owns_it() -> None:
    """Nobody else does then, and no time is noted."""
    claim = Claim("scaler", Operation.UPDATE, changes=True)
    assert entries(owned(entry("maker")), claim) == [entry("scaler", scales=True)]


def test_an_update_that_changes_nothing_gives_nothing() -> None:
    """The number stays whose it was."""
    claim = Claim("scaler", Operation.UPDATE, changes=False)
    assert entries(owned(entry("maker")), claim) == [entry("maker")]


def test_who_applies_the_same_number_shares_it() -> None:
    """As with every field that is applied."""
    claim = Claim("scaler", Operation.APPLY, changes=False)
    found = entries(owned(entry("maker")), claim)
    assert found == [entry("scaler", "Apply", scales=True), entry("maker")]


def test_who_applies_another_number_has_to_force_it() -> None:
    """The refusal speaks of the Scale."""
    claim = Claim("scaler", Operation.APPLY, changes=True)
    with pytest.raises(ApiFailure, match=r"using autoscaling/v1: \.spec\.replicas") as refused:
        entries(owned(entry("maker")), claim)
    assert refused.value.code == 409
    forced = Claim("scaler", Operation.APPLY, changes=True, force=True)
    assert entries(owned(entry("maker")), forced) == [entry("scaler", "Apply", scales=True)]
