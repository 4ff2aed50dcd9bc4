"""What a person decides about clusters and requests, where no hub is needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.clock import FakeClock
from towline_api.names import CLIENT_CERTIFICATE_USAGES, CLUSTER_NAME_LABEL, KUBE_CLIENT_SIGNER
from towline_certs import ClusterIdentity, Subject, build_request, generate_key
from towline_certs.approval import Approve, ClusterFacts, Deny, Ignore, Reason
from towline_certs.signing_requests import SigningRequest
from towline_hub.decisions.accept import AcceptReport, ConsideredRequest
from towline_hub.decisions.approve_request import ApproveError, judge
from towline_hub.decisions.cluster_commands import accept_json, deny_json, deny_lines, has_joined
from towline_hub.decisions.deny import DenyReport
from towline_hub.decisions.own_rights import Right
from towline_hub.decisions.removal import waiting_for

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = generate_key()
ACCEPTED = ClusterFacts(accepted=True)


def _request(**changes: Any) -> SigningRequest:
    identity = ClusterIdentity("c1", "agent1")
    subject = changes.pop("subject", identity.subject)
    labels = {CLUSTER_NAME_LABEL: changes.pop("cluster")} if "cluster" in changes else None
    request = SigningRequest(
        name="r1",
        signer_name=KUBE_CLIENT_SIGNER,
        username="somebody",
        labels={CLUSTER_NAME_LABEL: "c1"} if labels is None else labels,
        usages=tuple(CLIENT_CERTIFICATE_USAGES),
        request_pem=build_request(KEY, subject=subject),
        created=NOW,
    )
    return replace(request, **changes)


def test_a_person_answers_for_who_asks() -> None:
    """A stranger's right request for an accepted cluster is approved on a person's word."""
    decision = judge(_request(), cluster=ACCEPTED, addon=None, clock=FakeClock(NOW))
    assert isinstance(decision, Approve)
    assert decision.reason is Reason.OPERATOR_ACCEPTED


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        pytest.param({"subject": Subject("root", frozenset({"admins"}))}, Deny, id="a-person"),
        pytest.param({"cluster": "c2"}, Deny, id="labelled-for-another"),
        pytest.param({"usages": ("server auth",)}, Deny, id="another-usage"),
        pytest.param({"request_pem": b"x"}, Deny, id="no-request"),
        pytest.param({"labels": {}}, Ignore, id="no-label"),
        pytest.param({"expiration_seconds": 10**9}, Deny, id="for-ever"),
    ],
)
def test_a_person_does_not_answer_for_what_is_asked(
    change: dict[str, Any], outcome: type[object]
) -> None:
    """The request itself has to be right, whoever is sure about it."""
    decision = judge(_request(**change), cluster=ACCEPTED, addon=None, clock=FakeClock(NOW))
    assert isinstance(decision, outcome), decision


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        pytest.param(ClusterFacts(), "is not accepted; `towline accept c1 --request r1`", id="new"),
        pytest.param(ClusterFacts(denied=True), "is denied; `towline accept c1", id="denied"),
        pytest.param(None, "there is no ManagedCluster 'c1'", id="none"),
    ],
)
def test_a_request_is_not_the_acceptance_of_its_cluster(
    cluster: ClusterFacts | None, said: str
) -> None:
    """Accepting takes a right of its own."""
    with pytest.raises(ApproveError, match="cannot be approved") as refusal:
        judge(_request(), cluster=cluster, addon=None, clock=FakeClock(NOW))
    assert said in str(refusal.value)


def test_nothing_is_approved_for_a_cluster_that_is_leaving() -> None:
    """It would outlive the cluster."""
    leaving = ClusterFacts(accepted=True, deleting=True, removed_at=NOW - timedelta(minutes=1))
    decision = judge(_request(), cluster=leaving, addon=None, clock=FakeClock(NOW))
    assert isinstance(decision, Ignore)
    assert decision.reason is Reason.CLUSTER_DELETING


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        pytest.param(None, "the hub", id="unknown"),
        pytest.param({"metadata": {}}, "the hub", id="nothing-said"),
        pytest.param(
            {"metadata": {"finalizers": ["a", "b"]}}, "the finalizers a, b", id="finalizers"
        ),
        pytest.param(
            {
                "metadata": {"finalizers": ["a"]},
                "status": {
                    "conditions": [
                        {"type": "Deleting", "status": "False", "message": "2 add-ons remain"}
                    ]
                },
            },
            "2 add-ons remain",
            id="condition",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a"]}, "status": {"conditions": ["?"]}},
            "the finalizers a",
            id="unreadable",
        ),
    ],
)
def test_a_deletion_says_what_it_waits_for(cluster: dict[str, Any] | None, said: str) -> None:
    """In the hub's words if it has any, else by who holds it."""
    assert said in waiting_for(cluster)


def test_denying_says_what_was_denied_and_how_to_undo_it() -> None:
    """For people in lines, for programs in fields."""
    report = DenyReport("c1", was_accepted=True, denied=("r1",), message="stolen")
    assert deny_lines(report) == [
        "cluster c1: denied; the hub takes its agents' rights back",
        "request r1: denied",
        "`towline accept c1` undoes it; an agent whose request was denied asks anew",
    ]
    assert deny_json(report) == {
        "cluster": "c1",
        "wasAccepted": True,
        "deniedRequests": ["r1"],
        "leftRequests": [],
        "reason": "stolen",
    }
    unregistered = DenyReport("c1", was_accepted=None, denied=("r1",), message="x")
    assert deny_lines(unregistered)[0] == "request r1: denied"
    left = DenyReport("c1", was_accepted=False, denied=(), message="x", left=("r2",))
    assert deny_lines(left)[1].startswith("request r2: left undecided")
    assert deny_json(left)["leftRequests"] == ["r2"]


def test_accepting_is_told_to_programs() -> None:
    """The requests that were left are as interesting as those that were approved."""
    request = ConsideredRequest("r1", "somebody", approved=False, message="because")
    report = AcceptReport("c1", newly_accepted=True, requests=(request,))
    assert accept_json(report, joined=None) == {
        "cluster": "c1",
        "newlyAccepted": True,
        "requests": [
            {"name": "r1", "requester": "somebody", "approved": False, "message": "because"}
        ],
        "joined": None,
    }


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (None, False),
        ({"metadata": {}}, False),
        ({"status": {"conditions": [{"type": "ManagedClusterJoined", "status": "True"}]}}, True),
        ({"status": {"conditions": [{"type": "ManagedClusterJoined", "status": "False"}]}}, False),
    ],
)
def test_joined_is_what_the_agent_says(cluster: dict[str, Any] | None, expected: bool) -> None:
    """Accepted alone is only half of it."""
    assert has_joined(cluster) is expected


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (Right("list", "secrets", namespace="kube-system"),
         'list resource "secrets" in API group "" in the namespace \'kube-system\''),
        (Right("update", "managedclusters", group="g", subresource="accept", name="c1"),
         'update resource "managedclusters/accept" \'c1\' in API group "g"'),
    ],
)  # fmt: skip
def test_a_right_is_named_as_kubernetes_names_it(right: Right, said: str) -> None:
    """An administrator can make a rule of it."""
    assert str(right) == said
