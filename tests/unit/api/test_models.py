"""Models read what OCM writes, say what it means, and give back what they do not know."""

import copy
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from towline_api.models import (
    AddOnDeploymentConfig,
    ClusterManagementAddOn,
    ManagedCluster,
    ManagedClusterAddOn,
    ManagedClusterSpec,
)

CLUSTER = {
    "apiVersion": "cluster.open-cluster-management.io/v1",
    "kind": "ManagedCluster",
    "metadata": {"name": "c1", "managedFields": [{"manager": "x"}], "uid": "u"},
    "spec": {
        "hubAcceptsClient": True,
        "managedClusterClientConfigs": [{"url": "https://c1:6443", "caBundle": "cGVt"}],
        "taints": [
            {"key": "a.example/b", "effect": "NoSelect", "timeAdded": "2026-01-31T12:00:00Z"}
        ],
        "future": {"deep": [1, None, {"x": 1.5}]},
    },
    "status": {
        "capacity": {"cpu": 4, "memory": "16Gi"},
        "conditions": [
            {
                "type": "ManagedClusterJoined",
                "status": "True",
                "reason": "ManagedClusterJoined",
                "message": "Managed cluster joined",
                "lastTransitionTime": "2026-01-31T12:00:00Z",
                "future": 1,
            }
        ],
    },
}


def test_an_object_is_read_into_meaning():
    """Times are instants, bytes are bytes, quantities stay what they were."""
    cluster = ManagedCluster.model_validate(CLUSTER)
    assert cluster.metadata.name == "c1"
    assert cluster.spec.hub_accepts_client
    assert cluster.spec.lease_duration_seconds == 60
    (config,) = cluster.spec.managed_cluster_client_configs
    assert config.ca_bundle == b"pem"
    (taint,) = cluster.spec.taints
    assert taint.time_added == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert cluster.status.capacity == {"cpu": 4, "memory": "16Gi"}


def test_what_is_not_known_or_not_set_stays_as_it_was():
    """A newer hub's fields survive; defaults of ours do not creep into objects."""
    before = copy.deepcopy(CLUSTER)
    assert ManagedCluster.model_validate(CLUSTER).to_json() == before


def test_server_defaults_of_model_type_are_models():
    """Readers see the default the server would have filled in."""
    addon = ClusterManagementAddOn.model_validate({"metadata": {"name": "a"}, "spec": {}})
    assert addon.spec.install_strategy.type == "Manual"
    assert addon.to_json() == {"metadata": {"name": "a"}, "spec": {}}


def test_the_odd_spellings_of_the_wire_are_understood():
    """Three names do not follow the rule that turns snake case into camel case."""
    reference = {"resource": "secrets"}
    status = {"defaultconfigReferences": [reference]}
    addon = ClusterManagementAddOn.model_validate({"spec": {}, "status": status})
    assert addon.status.default_config_references[0].resource == "secrets"
    on_cluster = ManagedClusterAddOn.model_validate({"status": {"addOnMeta": {"displayName": "A"}}})
    assert on_cluster.status.add_on_meta.display_name == "A"
    config = AddOnDeploymentConfig.model_validate(
        {"spec": {"resourceRequirements": [{"containerID": "*:*:*", "resources": {}}]}}
    )
    assert config.spec.resource_requirements[0].container_id == "*:*:*"


def test_models_can_be_written_by_their_python_names():
    """Code reads better in one style."""
    spec = ManagedClusterSpec(hub_accepts_client=True)
    assert spec.to_json() == {"hubAcceptsClient": True}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("managedClusterClientConfigs", [{"url": "u", "caBundle": "not base64!"}]),
        ("managedClusterClientConfigs", [{}]),
        ("taints", [{"key": "a", "effect": "Explode"}]),
        ("taints", [{"key": "a/b/c", "effect": "NoSelect"}]),
        ("taints", [{"key": "a", "effect": "NoSelect", "timeAdded": "yesterday"}]),
        ("leaseDurationSeconds", "often"),
    ],
)
def test_what_the_server_would_refuse_is_refused(member: str, value: object):
    """A model built by a program is checked before it is sent."""
    with pytest.raises(ValidationError):
        ManagedClusterSpec.model_validate({member: value})


def test_models_do_not_change():
    """They are values; a change is a new one."""
    spec = ManagedClusterSpec()
    field = "hub_accepts_client"  # by name, since a type checker refuses the plain assignment
    with pytest.raises(ValidationError):
        setattr(spec, field, True)
