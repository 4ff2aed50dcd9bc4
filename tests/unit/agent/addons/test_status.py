"""The agent says its own part about an add-on, in one write, and nothing of the hub's."""

from datetime import UTC, datetime
from typing import Any

import pytest

from towline_agent.addons.leftovers import is_credential_secret
from towline_agent.addons.status import AddonFacts, agent_status, worst_rotation
from towline_agent.credentials.status import RotationReport
from towline_agent.station.availability import Availability
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.resources import KubeObject

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UPDATED = RotationReport("True", "ClientCertificateUpdated", "rotated")
FAILED = RotationReport("False", "ClientCertificateUpdateFailed", "denied")
ALIVE = Availability("True", "ManagedClusterAddOnLeaseUpdated", "alive")
HUB_PART = {"type": "RegistrationApplied", "status": "True", "reason": "SetPermissionApplied"}
STOPPED = {"status": "Unknown", "reason": "ManagedClusterLeaseUpdateStopped", "message": "m"}


def mca(**status: Any) -> KubeObject:
    registration = {"signerName": "kubernetes.io/kube-apiserver-client", "subject": {}}
    whole = {"registrations": [registration], "conditions": [HUB_PART], **status}
    return {"metadata": {"name": "helloworld", "namespace": "c1"}, "status": whole}


def said(obj: KubeObject, facts: AddonFacts, cluster: KubeObject | None = None) -> dict[str, Any]:
    status = agent_status(obj, facts, cluster=cluster, codec=V1Alpha1Codec(), now=NOW)
    conditions = {item["type"]: item for item in status["conditions"]}
    return {**status, "by_type": conditions}


def test_everything_is_said_in_one_status() -> None:
    """One write instead of four, none of which could conflict with another."""
    status = said(mca(), AddonFacts(rotation=UPDATED, availability=ALIVE))
    assert status["kubeClientDriver"] == "csr"
    assert status["by_type"]["ClusterCertificateRotated"]["reason"] == "ClientCertificateUpdated"
    assert status["by_type"]["Available"]["status"] == "True"
    assert status["by_type"]["RegistrationApplied"] == HUB_PART


def test_the_driver_of_another_agent_is_replaced() -> None:
    """The hub grants what the driver says; ours is always the certificate."""
    assert said(mca(kubeClientDriver="token"), AddonFacts())["kubeClientDriver"] == "csr"


def test_without_a_registration_with_the_hub_there_is_no_driver() -> None:
    """A field nobody asked for would be a write for every add-on."""
    custom = {"signerName": "example.com/signer", "subject": {}}
    assert "kubeClientDriver" not in said(mca(registrations=[custom]), AddonFacts())


def test_an_add_on_that_looks_after_its_own_health_is_not_contradicted() -> None:
    """Its Lease, if there is one at all, says nothing then."""
    status = said(mca(healthCheck={"mode": "Customized"}), AddonFacts(availability=ALIVE))
    assert "Available" not in status["by_type"]


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        pytest.param(STOPPED, "Unknown", id="cluster-still-unknown"),
        pytest.param({"status": "True", "reason": "x", "message": ""}, "True", id="cluster-back"),
        pytest.param(None, "True", id="cluster-not-seen"),
    ],
)
def test_unknown_with_its_cluster_lasts_until_the_hub_hears_the_cluster(
    cluster: dict[str, Any] | None, expected: str
) -> None:
    """Answering earlier would only make the condition flap."""
    obj = mca(conditions=[{"type": "Available", **STOPPED}])
    whole = cluster and {
        "status": {"conditions": [{"type": "ManagedClusterConditionAvailable", **cluster}]}
    }
    status = said(obj, AddonFacts(availability=ALIVE), whole)
    assert status["by_type"]["Available"]["status"] == expected


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param([None, None], None, id="nothing-yet"),
        pytest.param([None, UPDATED], UPDATED, id="one"),
        pytest.param([UPDATED, FAILED], FAILED, id="a-failure-is-not-hidden"),
    ],
)
def test_several_certificates_share_one_condition(
    reports: list[RotationReport | None], expected: RotationReport | None
) -> None:
    """There is only one condition, and whoever reads it wants to know of trouble."""
    assert worst_rotation(reports) == expected


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("helloworld-hub-kubeconfig", True),
        ("helloworld-hub-kubeconfig-pending", True),
        ("helloworld-example.com-signer-client-cert", True),
        ("helloworld-example.com-signer-client-cert-pending", True),
        ("helloworld-hub-kubeconfig-backup", False),
        ("helloworldx-hub-kubeconfig", False),
        ("xhelloworld-hub-kubeconfig", False),
        ("helloworld", False),
    ],
)
def test_only_names_of_credentials_are_taken_for_credentials(name: str, ours: bool) -> None:
    """A backup somebody made, labels and all, is not ours to delete."""
    assert is_credential_secret(name, addon="helloworld") is ours
