"""The facts the approval policy is given, read off the hub's objects."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_api.addons import (
    CustomSignerRegistration,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    SubjectSpec,
)
from towline_certs.approval import ExpectedRegistration
from towline_certs.authority import create_authority
from towline_certs.identities import AddonIdentity, ClusterIdentity, Subject
from towline_certs.keys import generate_key
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.approval.facts import addon_facts, cluster_facts

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def _cluster(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c1", "creationTimestamp": "2026-07-01T11:00:00Z"}, "spec": spec}


def _request(
    *,
    conditions: tuple[str, ...] = ("Approved",),
    created: str = "2026-07-01T11:30:00Z",
    labels: dict[str, str] | None = None,
    certificate: bytes | None = None,
) -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": item} for item in conditions]}
    if certificate is not None:
        status["certificate"] = base64.b64encode(certificate).decode()
    return {
        "metadata": {
            "name": "c1-other",
            "creationTimestamp": created,
            "labels": {"open-cluster-management.io/cluster-name": "c1", **(labels or {})},
        },
        "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "username": "x"},
        "status": status,
    }


def _certificate(*, lifetime: timedelta, now: datetime) -> bytes:
    authority = create_authority("test", now=now, lifetime=timedelta(days=1))
    return authority.issue(
        generate_key().public_key(),
        subject=ClusterIdentity("c1", "a").subject,
        lifetime=lifetime,
        now=now,
    )


def test_acceptance_is_read_off_the_spec() -> None:
    """Only the hub's owner writes it."""
    assert cluster_facts(_cluster(hubAcceptsClient=True), other_requests=[], now=NOW).accepted
    assert not cluster_facts(_cluster(), other_requests=[], now=NOW).accepted


def test_a_cluster_named_like_a_system_namespace_is_never_accepted() -> None:
    """Its agent would get rights in that namespace."""
    cluster = _cluster(hubAcceptsClient=True)
    cluster["metadata"]["name"] = "kube-system"
    assert not cluster_facts(cluster, other_requests=[], now=NOW).accepted


@pytest.mark.parametrize(
    ("request_", "taken"),
    [
        pytest.param(_request(), True, id="approved-and-not-issued-yet"),
        pytest.param(_request(conditions=()), False, id="undecided"),
        pytest.param(_request(conditions=("Denied",)), False, id="denied"),
        pytest.param(_request(conditions=("Approved", "Failed")), False, id="failed"),
        pytest.param(_request(created="2026-07-01T10:00:00Z"), False, id="of-a-former-cluster"),
        pytest.param(
            _request(labels={"open-cluster-management.io/addon-name": "a"}), False, id="of-an-addon"
        ),
        pytest.param(
            _request(certificate=_certificate(lifetime=timedelta(hours=1), now=NOW)),
            True,
            id="issued-and-valid",
        ),
        pytest.param(
            _request(
                certificate=_certificate(
                    lifetime=timedelta(minutes=10), now=NOW - timedelta(minutes=30)
                )
            ),
            False,
            id="issued-and-expired",
        ),
        pytest.param(_request(certificate=b"unreadable"), True, id="issued-and-unreadable"),
    ],
)
def test_a_name_is_taken_from_approval_on(request_: dict[str, Any], taken: bool) -> None:
    """Between approval and the agent's first report, nobody else may slip in under the name."""
    facts = cluster_facts(_cluster(), other_requests=[request_], now=NOW)
    assert facts.has_live_identity is taken


def test_registrations_are_filled_in_as_agents_do() -> None:
    """What the hub expects has to be what an agent asks for."""
    identity = AddonIdentity("c1", "helloworld", "helloworld")
    facts = addon_facts(
        ManagedClusterAddon(
            "helloworld",
            "c1",
            registrations=(
                KubeClientRegistration(SubjectSpec()),
                CustomSignerRegistration(
                    "example.com/own", SubjectSpec(user="u", organization_units=("unit",))
                ),
            ),
        )
    )
    assert facts.registrations == (
        ExpectedRegistration(
            "kubernetes.io/kube-apiserver-client",
            Subject(identity.user, frozenset(identity.groups[:1])),
        ),
        ExpectedRegistration("example.com/own", Subject("u", frozenset(), frozenset({"unit"}))),
    )


def test_a_written_registration_is_taken_as_it_is() -> None:
    """Defaults must not widen what was registered."""
    spec = SubjectSpec(user="someone", groups=("one", "two"))
    facts = addon_facts(
        ManagedClusterAddon("helloworld", "c1", registrations=(KubeClientRegistration(spec),))
    )
    assert facts.registrations[0].subject == Subject("someone", frozenset({"one", "two"}))


def test_an_agent_with_tokens_has_no_use_for_a_certificate() -> None:
    """Its registration names a service account; a request beside it is not what it asks for."""
    registration = KubeClientRegistration(SubjectSpec(), KubeClientDriver.TOKEN)
    addon = ManagedClusterAddon("helloworld", "c1", registrations=(registration,))
    assert addon_facts(addon).registrations == ()


@pytest.mark.parametrize("server", [False, True])
def test_a_declaration_says_whether_a_certificate_is_good_for_servers(server: bool) -> None:
    """What stands in the status cannot say so, and is not only the hub's to write."""
    signer = CustomSigner("example.com/own", user="u", server=server)
    addon = ManagedClusterAddon("helloworld", "c1", registrations=(signer.registration("c1"),))
    declaration = AddonDeclaration("helloworld", custom_signers=(signer,))
    (found,) = addon_facts(addon, declaration=declaration).registrations
    assert ("server auth" in found.extended_usages) is server


def test_a_declaration_says_which_names_a_certificate_holds() -> None:
    """And says it for each cluster; what a request names beyond that is not signed."""
    signer = CustomSigner("example.com/own", user="u", dns_names=("{cluster}.example.com", "all"))
    registrations = (KubeClientRegistration(SubjectSpec()), signer.registration("c1"))
    addon = ManagedClusterAddon("helloworld", "c1", registrations=registrations)
    declaration = AddonDeclaration("helloworld", custom_signers=(signer,))
    client, own = addon_facts(addon, declaration=declaration).registrations
    assert client.dns_names == frozenset()
    assert own.dns_names == {"c1.example.com", "all"}
    assert addon_facts(addon).registrations[1].dns_names == frozenset()


def test_what_the_hub_signs_itself_has_to_be_declared() -> None:
    """A cluster's agent could write any subject into its add-ons' status, and be given it."""
    registration = CustomSignerRegistration("example.com/own", SubjectSpec(user="anybody"))
    addon = ManagedClusterAddon("helloworld", "c1", registrations=(registration,))
    assert addon_facts(addon, own_signers={"example.com/own"}).registrations == ()
    assert len(addon_facts(addon, own_signers={"example.com/other"}).registrations) == 1


LATER = datetime(2026, 7, 1, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ends", "former", "on_its_way", "live", "until"),
    [
        pytest.param(None, None, False, False, None, id="new"),
        pytest.param("2026-07-01T13:00:00Z", None, False, True, LATER, id="joined"),
        pytest.param("2026-07-01T11:00:00Z", None, False, False, None, id="expired"),
        pytest.param("", None, False, True, None, id="joined-and-silent"),
        pytest.param(None, LATER, False, True, LATER, id="former"),
        pytest.param(None, NOW - timedelta(seconds=1), False, False, None, id="former-ended"),
        pytest.param("2026-07-01T12:30:00Z", LATER, False, True, LATER, id="the-later-of-both"),
        pytest.param("2026-07-01T13:00:00Z", None, True, True, None, id="another-on-its-way"),
    ],
)
def test_until_when_a_name_is_taken_is_told_where_it_is_known(
    ends: str | None, former: datetime | None, on_its_way: bool, live: bool, until: datetime | None
) -> None:
    """A request that waits for it is looked at again then."""
    cluster = _cluster()
    if ends is not None:
        cluster["status"] = {
            "conditions": [
                {"type": "ManagedClusterJoined", "status": "True", "reason": "x", "message": ""},
                {
                    "type": "ClusterCertificateRotated",
                    "status": "True",
                    "reason": "x",
                    "message": f"client certificate rotated starting from x to {ends}",
                },
            ]
        }
    facts = cluster_facts(
        cluster,
        other_requests=[_request()] if on_its_way else [],
        former_until=former,
        now=NOW,
    )
    assert facts.has_live_identity is live
    assert facts.live_until == until


def test_a_request_from_before_the_cluster_counts_if_it_was_approved_after() -> None:
    """Agents may post their request a moment before they register."""
    request = _request(created="2026-07-01T10:59:59Z")
    request["status"]["conditions"][0]["lastUpdateTime"] = "2026-07-01T11:00:01Z"
    assert cluster_facts(_cluster(), other_requests=[request], now=NOW).has_live_identity


@pytest.mark.parametrize(
    ("status", "reason", "spec", "removed"),
    [
        pytest.param("False", "HubClusterAdminDenied", {}, True, id="denied"),
        pytest.param("True", "HubClusterAdminAccepted", {}, False, id="denied-just-now"),
        pytest.param(
            "False", "HubClusterAdminDenied", {"hubAcceptsClient": True}, False, id="back"
        ),
    ],
)
def test_when_a_cluster_was_denied_is_read_off_its_condition(
    status: str, reason: str, spec: dict[str, Any], removed: bool
) -> None:
    """As long as it is denied; requests from before are void."""
    cluster = _cluster(**spec)
    cluster["status"] = {
        "conditions": [
            {
                "type": "HubAcceptedManagedCluster",
                "status": status,
                "reason": reason,
                "message": "",
                "lastTransitionTime": "2026-07-01T11:50:00Z",
            }
        ]
    }
    facts = cluster_facts(cluster, other_requests=[], now=NOW)
    assert facts.removed_at == (NOW - timedelta(minutes=10) if removed else None)


def test_when_a_cluster_was_deleted_is_told_by_the_api_server() -> None:
    """By the clock that also tells when a request was made."""
    cluster = _cluster(hubAcceptsClient=True)
    cluster["metadata"]["deletionTimestamp"] = "2026-07-01T11:55:00Z"
    facts = cluster_facts(cluster, other_requests=[], now=NOW)
    assert facts.removed_at == NOW - timedelta(minutes=5)
