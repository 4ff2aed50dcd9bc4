"""What a cluster says of itself when it first comes to a hub, and later."""

import base64

import pytest

from towline_agent.clusters.registration import (
    agent_annotations,
    client_configs,
    new_cluster,
    updated_cluster,
)
from towline_api.errors import ConfigError

URL = "https://api.c1.example:6443"
CONFIG = {"url": URL, "caBundle": base64.b64encode(b"pem").decode()}


def test_a_new_cluster_asks_for_nothing_it_may_not_have() -> None:
    """Acceptance and labels are the hub's owner's; asking for them would be refused or worse."""
    assert new_cluster("c1", annotations={}, configs=[]) == {
        "apiVersion": "cluster.open-cluster-management.io/v1",
        "kind": "ManagedCluster",
        "metadata": {"name": "c1"},
        "spec": {"hubAcceptsClient": False},
    }


def test_addresses_come_with_the_authority_to_trust_there() -> None:
    """An address without it could not be used safely."""
    assert client_configs([URL], ca_pem=b"pem") == [CONFIG]
    assert client_configs([URL], ca_pem=None) == [{"url": URL}]


@pytest.mark.parametrize("url", ["http://api.c1.example", "api.c1.example:6443", "https://", ""])
def test_only_https_addresses_are_told(url: str) -> None:
    """The hub's credentials must not travel in the clear."""
    with pytest.raises(ConfigError, match="https URL"):
        client_configs([url], ca_pem=None)


def test_only_annotations_of_agents_pass() -> None:
    """Other annotations decide about clusters on the hub; an agent may not set those."""
    good = {"agent.open-cluster-management.io/x": "y"}
    assert agent_annotations(good) == good
    with pytest.raises(ConfigError, match="must begin with"):
        agent_annotations({"open-cluster-management.io/automatically-accepted-on": "now"})


def test_what_is_up_to_date_is_not_written() -> None:
    """Every start looks; none writes without need."""
    live = new_cluster("c1", annotations={}, configs=[CONFIG])
    assert updated_cluster(live, annotations={}, configs=[CONFIG]) is None
    assert updated_cluster(live, annotations={}, configs=[]) is None


def test_a_changed_authority_is_told_even_if_the_number_of_addresses_stays() -> None:
    """The hub would otherwise distrust the cluster from the day its authority changed."""
    live = new_cluster("c1", annotations={}, configs=[{"url": URL, "caBundle": "b2xk"}])
    update = updated_cluster(live, annotations={}, configs=[CONFIG])
    assert update is not None
    assert update["spec"]["managedClusterClientConfigs"] == [CONFIG]


def test_an_update_keeps_what_others_wrote() -> None:
    """The object belongs to the hub's owner: acceptance, taints, labels and their addresses."""
    live = new_cluster("c1", annotations={}, configs=[{"url": "https://other"}])
    live["metadata"] |= {"labels": {"a": "b"}, "annotations": {"c": "d"}, "resourceVersion": "7"}
    live["spec"] |= {"hubAcceptsClient": True, "taints": [{"key": "k"}]}
    update = updated_cluster(
        live, annotations={"agent.open-cluster-management.io/x": "y"}, configs=[CONFIG]
    )
    assert update is not None
    assert update["spec"] == {
        "hubAcceptsClient": True,
        "taints": [{"key": "k"}],
        "managedClusterClientConfigs": [{"url": "https://other"}, CONFIG],
    }
    assert update["metadata"] == {
        "name": "c1",
        "labels": {"a": "b"},
        "resourceVersion": "7",
        "annotations": {"c": "d", "agent.open-cluster-management.io/x": "y"},
    }
