"""The hub hears what is in force on the managed cluster, and nothing that is not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from towline_agent.configuration.report import (
    ConfigurationOutcome,
    applied_references,
    progress,
    with_outcome,
)
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addons import ConfigKind, ConfigReference, HashedConfig
from towline_api.metadata import ObjectKey
from towline_api.resources import KubeObject

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CODEC = V1Alpha1Codec()
KIND = ConfigKind("addon.open-cluster-management.io", "addondeploymentconfigs")
OLD, NEW = (HashedConfig(ObjectKey("global", "defaults"), digit * 64) for digit in "12")


def mca(*, desired: HashedConfig = NEW, conditions: list[Any] | None = None) -> KubeObject:
    reference = {
        "group": KIND.group,
        "resource": KIND.resource,
        "name": "global",
        "namespace": "defaults",
        "lastObservedGeneration": 3,
        "desiredConfig": {"name": "global", "namespace": "defaults", "specHash": desired.spec_hash},
    }
    status = {"configReferences": [reference], "conditions": conditions or [], "addOnMeta": {}}
    return {"metadata": {"name": "helloworld", "namespace": "c1"}, "status": status}


def reported(obj: KubeObject, outcome: ConfigurationOutcome) -> dict[str, Any]:
    addon = CODEC.decode_addon(obj)
    return with_outcome(obj["status"], outcome, obj=obj, addon=addon, codec=CODEC, now=NOW)


def condition(status: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in status["conditions"] if c["type"] == "Progressing")
    return found


IN_FORCE = ConfigurationOutcome(applied=frozenset({ConfigReference(KIND, NEW)}))


def test_what_is_in_force_is_recorded_with_its_hash() -> None:
    """The hub's roll-out goes on only when it reads back the very hash it asked for."""
    status = reported(mca(), IN_FORCE)
    (reference,) = status["configReferences"]
    assert reference["lastAppliedConfig"] == reference["desiredConfig"]
    assert reference["lastObservedGeneration"] == 3, "the hub's own field stays"
    assert condition(status)["status"] == "False"
    assert condition(status)["reason"] == "Completed"
    assert condition(status)["message"] == "completed with no errors."


def test_reporting_the_same_again_changes_nothing() -> None:
    """At rest the agent writes nothing to the hub."""
    obj = mca()
    obj["status"] = reported(obj, IN_FORCE)
    assert reported(obj, IN_FORCE) == obj["status"]


def test_a_desire_that_changed_meanwhile_is_not_taken_for_applied() -> None:
    """The hub may move on between our read and our report."""
    reference = ConfigReference(KIND, OLD)
    assert applied_references([reference], applied=IN_FORCE.applied) == (reference,)


def test_what_was_applied_before_stays_recorded_while_the_next_fails() -> None:
    """The last good configuration is in force, and the hub goes on knowing which."""
    obj = mca(desired=OLD)
    obj["status"] = reported(obj, ConfigurationOutcome(frozenset({ConfigReference(KIND, OLD)})))
    obj["status"]["configReferences"][0]["desiredConfig"]["specHash"] = NEW.spec_hash
    status = reported(obj, ConfigurationOutcome(troubles=("spec.x should be y",)))
    (reference,) = status["configReferences"]
    assert reference["lastAppliedConfig"]["specHash"] == OLD.spec_hash
    assert condition(status)["reason"] == "Failed"
    assert condition(status)["message"] == "spec.x should be y"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(ConfigurationOutcome(), ("False", "Completed"), id="nothing-to-do"),
        pytest.param(ConfigurationOutcome(awaited=("a",)), ("True", "Progressing"), id="waiting"),
        pytest.param(ConfigurationOutcome(troubles=("a",)), ("False", "Failed"), id="trouble"),
        pytest.param(
            ConfigurationOutcome(troubles=("a",), awaited=("b",)), ("False", "Failed"), id="both"
        ),
    ],
)
def test_progress_sums_an_outcome_up(
    outcome: ConfigurationOutcome, expected: tuple[str, str]
) -> None:
    """Trouble needs a person, so waiting must not hide it."""
    says = progress(outcome)
    assert (says.status, says.reason) == expected


def test_many_troubles_are_shortened() -> None:
    """A condition is for reading; the log has the rest."""
    says = progress(ConfigurationOutcome(troubles=tuple(f"t{n}" for n in range(9))))
    assert says.message == "t0; t1; t2; t3; t4; and 4 more"


@pytest.mark.parametrize("reason", ["WaitingForManifestApplied", "ConfigurationUnsupported"])
def test_a_hub_that_follows_the_roll_out_itself_keeps_the_last_word(reason: str) -> None:
    """Two writers of one condition would answer each other for ever."""
    theirs = {"type": "Progressing", "status": "False", "reason": reason, "message": ""}
    status = reported(mca(conditions=[theirs]), IN_FORCE)
    assert condition(status) == theirs
    assert status["configReferences"][0]["lastAppliedConfig"]["specHash"] == NEW.spec_hash
