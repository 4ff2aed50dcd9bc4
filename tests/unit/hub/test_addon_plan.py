"""What the hub writes into an add-on's status, and what it leaves alone."""

from datetime import UTC, datetime
from typing import Any

from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addons import AddonConfig
from towline_api.metadata import ObjectKey
from towline_hub.addons.config_references import DEPLOYMENT_CONFIG, ResolvedConfig
from towline_hub.addons.plan import failed_status, planned_status

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
CODEC = V1Alpha1Codec()
CONFIG = AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("default", "hub"))


def _plan(
    status: dict[str, Any] | None = None,
    *,
    configs: list[ResolvedConfig] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    addon = {
        "metadata": {"name": "helloworld", "namespace": "c1", "uid": "u"},
        "spec": {"installNamespace": "asked"},
        "status": status or {},
    }
    definition = {
        "metadata": {"name": "helloworld", "annotations": annotations or {}},
        "spec": {
            "supportedConfigs": [
                {"group": DEPLOYMENT_CONFIG.group, "resource": DEPLOYMENT_CONFIG.resource}
            ]
        },
    }
    return planned_status(
        status,
        codec=CODEC,
        addon=CODEC.decode_addon(addon),
        definition=CODEC.decode_cluster_management_addon(definition),
        configs=configs or [],
        now=NOW,
    )


def _condition(status: dict[str, Any], kind: str) -> tuple[str, str, str]:
    condition = next(item for item in status["conditions"] if item["type"] == kind)
    return condition["status"], condition["reason"], condition["message"]


def test_a_fresh_addon_gets_everything_the_agent_waits_for() -> None:
    """Registration, place and health mode, as OCM's agents read them."""
    status = _plan()
    identity = "system:open-cluster-management:cluster:c1:addon:helloworld"
    assert status["registrations"] == [
        {
            "signerName": "kubernetes.io/kube-apiserver-client",
            "subject": {
                "user": f"{identity}:agent:helloworld",
                "groups": [identity, "system:open-cluster-management:addon:helloworld"],
            },
        }
    ]
    assert status["namespace"] == "asked"
    assert status["healthCheck"] == {"mode": "Lease"}
    assert status["supportedConfigs"] == [
        {"group": DEPLOYMENT_CONFIG.group, "resource": DEPLOYMENT_CONFIG.resource}
    ]
    assert _condition(status, "RegistrationApplied") == (
        "True",
        "SetPermissionApplied",
        "Registration of the addon agent is configured",
    )
    assert _condition(status, "Configured") == (
        "True",
        "ConfigurationsConfigured",
        "Configurations configured",
    )


def test_a_second_pass_changes_nothing() -> None:
    """At rest the hub writes nothing."""
    once = _plan(configs=[ResolvedConfig(CONFIG, spec_hash="h", generation=1)])
    assert _plan(once, configs=[ResolvedConfig(CONFIG, spec_hash="h", generation=1)]) == once


def test_what_the_agent_reports_stays() -> None:
    """Two writers share this status; neither may undo the other."""
    reported = {
        "kubeClientDriver": "csr",
        "healthCheck": {"mode": "Customized"},
        "conditions": [{"type": "Available", "status": "True", "reason": "X", "message": ""}],
        "configReferences": [
            {
                "group": DEPLOYMENT_CONFIG.group,
                "resource": DEPLOYMENT_CONFIG.resource,
                "name": "default",
                "namespace": "hub",
                "desiredConfig": {"name": "default", "namespace": "hub", "specHash": "old"},
                "lastAppliedConfig": {"name": "default", "namespace": "hub", "specHash": "old"},
            }
        ],
        "addedByANewerHub": 1,
    }
    status = _plan(reported, configs=[ResolvedConfig(CONFIG, spec_hash="new", generation=2)])
    assert status["kubeClientDriver"] == "csr"
    assert status["healthCheck"] == {"mode": "Customized"}
    assert status["addedByANewerHub"] == 1
    assert status["conditions"][0] == reported["conditions"][0]  # type: ignore[index]
    reference = status["configReferences"][0]
    assert reference["desiredConfig"]["specHash"] == "new"
    assert reference["lastAppliedConfig"]["specHash"] == "old"
    assert reference["lastObservedGeneration"] == 2


def test_the_token_drivers_subject_belongs_to_the_agent() -> None:
    """Writing ours over it would have both sides write for ever."""
    theirs = {
        "kubeClientDriver": "token",
        "registrations": [
            {
                "signerName": "kubernetes.io/kube-apiserver-client",
                "subject": {"user": "system:serviceaccount:c1:helloworld-agent"},
            },
            {"signerName": "example.com/own", "subject": {"user": "x"}},
        ],
    }
    assert _plan(theirs)["registrations"] == theirs["registrations"]


def test_a_missing_configuration_is_said_and_recorded_without_a_hash() -> None:
    """The agent must not take a reference without a hash for applied."""
    status = _plan(configs=[ResolvedConfig(CONFIG, problem="hub/default does not exist")])
    assert _condition(status, "Configured") == (
        "False",
        "ConfigurationsNotConfigured",
        "hub/default does not exist",
    )
    assert status["configReferences"][0]["desiredConfig"] == {"name": "default", "namespace": "hub"}


def test_an_addon_that_looks_after_its_configuration_is_left_to_it() -> None:
    """Two authorities over the same references would fight."""
    annotations = {"addon.open-cluster-management.io/lifecycle": "self"}
    status = _plan(annotations=annotations)
    assert "configReferences" not in status
    assert [item["type"] for item in status["conditions"]] == ["RegistrationApplied"]


def test_failing_to_grant_rights_is_said() -> None:
    """The agent waits for this condition; silence would look like slowness."""
    status = failed_status({"namespace": "kept"}, message="forbidden", now=NOW)
    assert status["namespace"] == "kept"
    assert _condition(status, "RegistrationApplied") == (
        "False",
        "SetPermissionFailed",
        "forbidden",
    )
