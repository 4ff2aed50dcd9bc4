"""Wrong settings are refused at the start, by name."""

from datetime import timedelta
from typing import Any

import pytest

from towline_agent.permissions import agent_permissions
from towline_agent.settings import AgentSettings
from towline_api.errors import ConfigError
from towline_api.names import AGENT_NAMESPACE
from towline_api.rbac_subjects import service_account_subject
from towline_kube.settings import load


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--cluster-name", "Not_A_Label"], ["--cluster-name", "Not_A_Label"]),
        (["--cluster-name", "a.b"], ["--cluster-name"]),
        (["--namespace", "UPPER"], ["--namespace"]),
        (["--client-cert-expiration", "5m"], ["--client-cert-expiration", "10m"]),
        (["--client-cert-expiration", "3600"], ["--client-cert-expiration", "unit"]),
        (["--cluster-healthcheck-period", "0s"], ["--cluster-healthcheck-period"]),
        (["--spoke-external-server-urls", "http://x"], ["spoke_external_server_urls", "https"]),
        (["--cluster-annotations", "x=y"], ["cluster_annotations", "agent.open-cluster"]),
    ],
)
def test_a_wrong_setting_is_named(flags: list[str], words: list[str]) -> None:
    """Whoever starts the agent gets the flag, what was found and what to write."""
    with pytest.raises(ConfigError) as failure:
        load(AgentSettings, flags, environment={})
    for word in words:
        assert word in str(failure.value)


def test_defaults_are_those_of_ocm() -> None:
    """An agent that is told nothing behaves as people know it."""
    settings = load(AgentSettings, [], environment={})
    assert settings.namespace == "open-cluster-management-agent"
    assert settings.hub_kubeconfig_secret == "hub-kubeconfig-secret"
    assert settings.cluster_healthcheck_period == timedelta(minutes=1)
    assert settings.max_custom_cluster_claims == 20
    assert settings.client_cert_expiration is None


def rules(*, cluster_wide: bool) -> list[dict[str, Any]]:
    objects = agent_permissions(service_account_subject("agent", namespace=AGENT_NAMESPACE))
    return [
        rule
        for thing in objects
        for rule in thing.get("rules", ())
        if (thing["kind"] == "ClusterRole") == cluster_wide
    ]


def test_no_rule_has_a_wildcard_or_reaches_secrets_cluster_wide() -> None:
    """The agent's token is on the managed cluster: whoever steals it gets this and no more."""
    for rule in rules(cluster_wide=True) + rules(cluster_wide=False):
        assert "*" not in str(rule)
        for verb in ("bind", "escalate", "impersonate"):
            assert verb not in rule["verbs"]
    assert not any("secrets" in rule.get("resources", ()) for rule in rules(cluster_wide=True))


def test_in_its_own_namespace_only_its_own_secrets_are_open() -> None:
    """Creating cannot be limited to names in Kubernetes; everything else is."""
    objects = agent_permissions(
        service_account_subject("agent", namespace=AGENT_NAMESPACE), addon_namespaces=()
    )
    (role,) = [thing for thing in objects if thing["kind"] == "Role"]
    for rule in role["rules"]:
        if rule["verbs"] == ["create"]:
            continue
        assert set(rule["resourceNames"]) <= {
            "hub-kubeconfig-secret",
            "hub-kubeconfig-secret-pending",
            "hub-kubeconfig-secret-next",
            "hub-kubeconfig-secret-next-pending",
        }
