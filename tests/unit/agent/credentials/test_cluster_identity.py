"""Which cluster an agent is, on its first start and on every later one."""

import re
from datetime import UTC, datetime

import pytest

from towline_agent.credentials.cluster_identity import (
    choose_identity,
    cluster_order,
    stored_identity,
)
from towline_agent.credentials.enrollment import Paused
from towline_agent.credentials.signing_requests import new_pending
from towline_agent.credentials.stored import Stored, StoredCredential
from towline_api.errors import ConfigError
from towline_certs.identities import ClusterIdentity

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEPT = ClusterIdentity("kept", "agent")
BY_CREDENTIAL = Stored(
    credential=StoredCredential(files={"cluster-name": b"kept", "agent-name": b"agent"})
)
BY_KEY = Stored(progress=new_pending(cluster_order(KEPT, lifetime=None), now=NOW))
BY_PAUSE = Stored(progress=Paused(until=NOW, failures=1, reason="x", subject=KEPT.subject))


@pytest.mark.parametrize("stored", [BY_CREDENTIAL, BY_KEY, BY_PAUSE])
def test_a_restart_is_the_same_agent(stored: Stored) -> None:
    """Even one killed before its first certificate: else each crash would make another cluster."""
    chosen = choose_identity(stored, cluster=None, agent=None)
    assert chosen.identity == KEPT
    assert chosen.origin == "store"


def test_settings_come_first() -> None:
    """Whoever names the cluster wants that name."""
    chosen = choose_identity(BY_CREDENTIAL, cluster="wanted", agent="me")
    assert chosen.identity == ClusterIdentity("wanted", "me")


def test_a_renamed_cluster_keeps_its_agent() -> None:
    """Only what is set changes."""
    chosen = choose_identity(BY_CREDENTIAL, cluster="wanted", agent=None)
    assert chosen.identity == ClusterIdentity("wanted", "agent")


def test_names_are_made_up_as_ocm_does() -> None:
    """A UUID for the cluster, five characters that make no words for the agent."""
    one, other = (choose_identity(Stored(), cluster=None, agent=None) for _ in range(2))
    assert one.identity != other.identity
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one.identity.cluster)
    assert re.fullmatch("[bcdfghjklmnpqrstvwxz2456789]{5}", one.identity.agent)


@pytest.mark.parametrize("name", ["", "Upper", "a.b", "a" * 64, "-a", "a:b", "ä"])
def test_a_cluster_name_that_is_no_label_is_refused(name: str) -> None:
    """It becomes a namespace and part of a user name on the hub."""
    with pytest.raises(ConfigError, match="cluster_name"):
        choose_identity(Stored(), cluster=name, agent=None)


@pytest.mark.parametrize(
    "files",
    [
        {"cluster-name": b"Not A Label", "agent-name": b"agent"},
        {"cluster-name": b"\xff", "agent-name": b"agent"},
        {"cluster-name": b"c1"},
    ],
)
def test_an_edited_name_is_not_believed(files: dict[str, bytes]) -> None:
    """The key under way still knows who we are."""
    edited = Stored(credential=StoredCredential(files=files), progress=BY_KEY.progress)
    assert stored_identity(edited) == KEPT
    assert stored_identity(Stored(credential=StoredCredential(files=files))) is None


def test_the_order_names_one_and_the_same_cluster_everywhere() -> None:
    """Name, label and subject that disagree are denied by hubs."""
    order = cluster_order(KEPT, lifetime=None)
    assert order.name_prefix == "kept-"
    assert order.labels == {"open-cluster-management.io/cluster-name": "kept"}
    assert order.subject == KEPT.subject
    assert order.dns_names == ()
