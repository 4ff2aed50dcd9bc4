"""Until when a certificate of a removed agent may live, and who is let in meanwhile."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from support.csrs import key_of
from towline_api.names import FORMER_CERTIFICATE_ANNOTATION
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_certs import AddonIdentity, ClusterIdentity, Subject, build_request
from towline_certs.authority import create_authority
from towline_hub.clusters.former_certificates import (
    approved_agents,
    former_expiry,
    last_certificate_end,
)

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
DELETED = NOW - timedelta(minutes=1)
REGISTERED = NOW - timedelta(hours=1)
YEAR = timedelta(days=365)
JOINED = {"type": "ManagedClusterJoined", "status": "True", "reason": "Test", "message": ""}


def _rotated(until: datetime) -> dict[str, str]:
    return {
        "type": "ClusterCertificateRotated",
        "status": "True",
        "reason": "ClientCertificateUpdated",
        "message": "client certificate rotated starting from 2026-01-01T00:00:00Z to "
        + format_time(until),
    }


def _object(*conditions: dict[str, str]) -> KubeObject:
    return {
        "metadata": {"name": "c1", "creationTimestamp": format_time(REGISTERED)},
        "status": {"conditions": [*conditions]},
    }


def _request(
    *,
    agent: str = "agent1",
    subject: Subject | None = None,
    decision: str | None = "Approved",
    decided: datetime = NOW,
    addon: str | None = None,
    signer: str = "kubernetes.io/kube-apiserver-client",
    certificate_until: datetime | None = None,
    lifetime: timedelta | None = None,
) -> KubeObject:
    labels = {"open-cluster-management.io/cluster-name": "c1"}
    if addon is not None:
        labels["open-cluster-management.io/addon-name"] = addon
    pem = build_request(key_of(), subject=subject or ClusterIdentity("c1", agent).subject)
    spec: KubeObject = {"signerName": signer, "request": base64.b64encode(pem).decode()}
    if lifetime is not None:
        spec["expirationSeconds"] = int(lifetime.total_seconds())
    status: KubeObject = {}
    if decision is not None:
        status["conditions"] = [
            {
                "type": decision,
                "status": "True",
                "reason": "Test",
                "lastTransitionTime": format_time(decided),
            }
        ]
    if certificate_until is not None:
        authority = create_authority("test", now=NOW - timedelta(days=1), lifetime=10 * YEAR)
        issued = authority.issue(
            key_of().public_key(),
            subject=ClusterIdentity("c1", agent).subject,
            lifetime=certificate_until - NOW,
            now=NOW,
        )
        status["certificate"] = base64.b64encode(issued).decode()
    return {
        "metadata": {
            "name": f"c1-{agent}",
            "creationTimestamp": format_time(decided - timedelta(minutes=2)),
            "labels": labels,
        },
        "spec": spec,
        "status": status,
    }


def _end(
    cluster: KubeObject,
    *,
    addons: Sequence[KubeObject] = (),
    requests: Sequence[KubeObject] = (),
) -> datetime | None:
    return last_certificate_end(
        cluster, addons=addons, requests=requests, deleted=DELETED, max_lifetime=YEAR
    )


def test_the_end_is_that_of_the_longest_certificate_that_may_exist() -> None:
    """Each source alone may be behind: a report, an add-on's, a request not reported yet."""
    reported, addons, issued = (NOW + timedelta(hours=hours) for hours in (1, 2, 3))
    cluster = _object(JOINED, _rotated(reported))
    assert _end(cluster) == reported
    assert _end(cluster, addons=(_object(_rotated(addons)),)) == addons
    request = _request(certificate_until=issued)
    assert _end(cluster, requests=[request]) == issued


def test_what_nobody_reported_is_taken_for_the_longest_there_can_be() -> None:
    """Every look has to come to the same, or each pass would write again."""
    assert _end(_object(JOINED)) == DELETED + YEAR
    waiting = _request(lifetime=timedelta(hours=2))
    assert _end(_object(), requests=[waiting]) == DELETED + timedelta(hours=3)
    assert _end(_object(), requests=[_request()]) == DELETED + timedelta(hours=1) + YEAR


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(_request(decision=None), id="undecided"),
        pytest.param(_request(decision="Denied"), id="denied"),
        pytest.param(_request(signer="example.com/other"), id="no-client-of-this-hub"),
    ],
)
def test_a_cluster_that_never_got_a_certificate_leaves_none(request_: KubeObject) -> None:
    """Its name is free at once."""
    assert _end(_object(), requests=[request_]) is None


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        pytest.param({}, None, id="no-mark"),
        pytest.param({FORMER_CERTIFICATE_ANNOTATION: "2026-07-01T11:59:59Z"}, None, id="past"),
        pytest.param(
            {FORMER_CERTIFICATE_ANNOTATION: "2026-07-02T00:00:00Z"},
            datetime(2026, 7, 2, tzinfo=UTC),
            id="ahead",
        ),
    ],
)
def test_a_mark_holds_until_its_time(annotations: dict[str, str], found: datetime | None) -> None:
    """Afterwards the name is free again, whether or not somebody removed the mark."""
    namespace = {"metadata": {"name": "c1", "annotations": annotations}}
    assert former_expiry(namespace, now=NOW) == found


def test_a_mark_that_cannot_be_read_holds() -> None:
    """It proves no end; an operator can remove it."""
    namespace = {"metadata": {"name": "c1", "annotations": {FORMER_CERTIFICATE_ANNOTATION: "?"}}}
    expiry = former_expiry(namespace, now=NOW)
    assert expiry is not None
    assert expiry.year == 9999
    assert former_expiry(None, now=NOW) is None


def _agents(*requests: KubeObject, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    return approved_agents(_object(), requests=requests, known=known)


def test_agents_approved_since_the_cluster_registered_are_let_in() -> None:
    """Also one whose request came a moment before it registered, as OCM's agents' may."""
    assert _agents(_request(agent="new", decided=REGISTERED)) == (
        "system:open-cluster-management:c1:new",
    )


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(_request(decided=REGISTERED - timedelta(seconds=1)), id="of-the-former"),
        pytest.param(_request(decision=None), id="undecided"),
        pytest.param(_request(decision="Denied"), id="denied"),
        pytest.param(_request(signer="example.com/other"), id="another-signer"),
        pytest.param(_request(addon="logs"), id="labelled-as-an-addons"),
        pytest.param(
            _request(subject=ClusterIdentity("c2", "agent1").subject), id="another-cluster"
        ),
        pytest.param(
            _request(subject=AddonIdentity("c1", "logs", "logs").subject), id="an-addons-name"
        ),
        pytest.param(
            _request(subject=Subject("system:admin", frozenset({"system:masters"}))), id="hostile"
        ),
    ],
)
def test_nobody_else_is_let_in(request_: KubeObject) -> None:
    """Whoever approved it, it is no agent of this registration of this cluster."""
    assert _agents(request_) == ()


def test_agents_let_in_before_stay_when_their_requests_are_collected() -> None:
    """Kubernetes keeps a request for an hour; but no other subject is kept for that."""
    kept = "system:open-cluster-management:c1:kept"
    known = (kept, "system:open-cluster-management:c2:other", "admin")
    assert _agents(known=known) == (kept,)
    assert len(_agents(_request(agent="new"), known=known)) == 2
