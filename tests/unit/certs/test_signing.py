"""What a custom signer makes of an approval: nothing but what the add-on is registered for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from support.csrs import NOW, csr_object, key_of
from towline_api.names import addon_dns_name
from towline_certs import (
    AddonFacts,
    ApprovalContext,
    BootstrapPolicy,
    ClusterFacts,
    ClusterIdentity,
    CustomSignerIdentity,
    ExpectedRegistration,
    KeyKind,
    Reason,
    SigningRequest,
    Subject,
    build_request,
    format_public_key,
)
from towline_certs.authority import ExtendedUsage
from towline_certs.signing import Issue, Judgement, Postpone, Refuse, judge

SIGNER = "example.com/signer"
AGENT = ClusterIdentity("c1", "agent1")
SUBJECT = Subject("agent of c1", frozenset({"g"}), frozenset({"ou"}))
REGISTRATION = ExpectedRegistration(SIGNER, SUBJECT)
CONTEXT = ApprovalContext(
    now=NOW,
    bootstrap=BootstrapPolicy(groups=frozenset({"bootstrappers"})),
    cluster=ClusterFacts(accepted=True, has_live_identity=True),
    addon=AddonFacts(registrations=(REGISTRATION,)),
)


def approved(
    *,
    subject: Subject = SUBJECT,
    username: str = AGENT.user,
    addon: str | None = "addon1",
    dns_names: tuple[str, ...] = (addon_dns_name("addon1"),),
    conditions: tuple[str, ...] = ("Approved",),
    **changes: Any,
) -> SigningRequest:
    pem = build_request(key_of(), subject=subject, dns_names=dns_names)
    return SigningRequest.from_csr(
        csr_object(
            pem,
            username=username,
            cluster="c1",
            addon=addon,
            conditions=[{"type": each, "status": "True"} for each in conditions],
            **({"signer_name": SIGNER} | changes),
        )
    )


def registered(**changes: Any) -> ApprovalContext:
    return replace(CONTEXT, addon=AddonFacts(registrations=(replace(REGISTRATION, **changes),)))


def test_a_certificate_says_what_the_addon_is_registered_for() -> None:
    """Of the request, it has the public key."""
    found = judge(approved(), CONTEXT)
    assert isinstance(found, Issue)
    assert found.identity == CustomSignerIdentity("c1", "addon1", SIGNER, SUBJECT)
    assert found.dns_names == (addon_dns_name("addon1"),)
    assert found.usages == {ExtendedUsage.CLIENT}
    assert format_public_key(found.public_key) == format_public_key(key_of())


def test_usages_and_names_are_the_registrations_not_the_requests() -> None:
    """An agent asks as for a client; what it gets beyond that, the add-on's developer decided."""
    context = registered(
        extended_usages=frozenset({"client auth", "server auth"}),
        dns_names=frozenset({"b.example.com", "a.example.com"}),
    )
    found = judge(approved(), context)
    assert isinstance(found, Issue)
    assert found.usages == {ExtendedUsage.CLIENT, ExtendedUsage.SERVER}
    assert found.dns_names == (addon_dns_name("addon1"), "a.example.com", "b.example.com")


def test_a_persons_approval_answers_for_whoever_asks() -> None:
    """And for how often, and for what the operator wanted to see first."""
    request = approved(username="system:serviceaccount:somewhere:something")
    assert isinstance(judge(request, CONTEXT), Issue)


@pytest.mark.parametrize(
    ("request_", "context", "expected"),
    [
        pytest.param(
            approved(username=ClusterIdentity("c2", "agent1").user),
            CONTEXT,
            Refuse(Reason.REQUESTER_NOT_ENTITLED, ""),
            id="agent-of-another-cluster",
        ),
        pytest.param(
            approved(dns_names=("evil.example.com",)),
            CONTEXT,
            Refuse(Reason.NAMES_NOT_ALLOWED, ""),
            id="another-name",
        ),
        pytest.param(
            approved(usages=("digital signature", "key encipherment", "server auth")),
            CONTEXT,
            Refuse(Reason.USAGES_NOT_ALLOWED, ""),
            id="for-a-server",
        ),
        pytest.param(
            approved(),
            replace(CONTEXT, key_kinds=frozenset({KeyKind.RSA_4096})),
            Refuse(Reason.KEY_NOT_ALLOWED, ""),
            id="key",
        ),
        pytest.param(
            approved(expiration_seconds=700),
            replace(CONTEXT, max_lifetime=timedelta(minutes=11)),
            Refuse(Reason.LIFETIME_OUT_OF_BOUNDS, ""),
            id="lifetime",
        ),
        pytest.param(
            approved(subject=ClusterIdentity("c2", "agent1").subject),
            CONTEXT,
            Refuse(Reason.SUBJECT_OF_ANOTHER, ""),
            id="identity-of-another-cluster",
        ),
        pytest.param(
            approved(subject=replace(SUBJECT, organizations=frozenset({"g", "admins"}))),
            CONTEXT,
            Postpone(Reason.NOT_REGISTERED, ""),
            id="another-group",
        ),
        pytest.param(
            approved(),
            replace(CONTEXT, addon=AddonFacts()),
            Postpone(Reason.NOT_REGISTERED, ""),
            id="no-registration",
        ),
        pytest.param(
            approved(),
            registered(signer_name="example.com/other"),
            Postpone(Reason.NOT_REGISTERED, ""),
            id="registered-with-another-signer",
        ),
        pytest.param(
            approved(),
            replace(CONTEXT, addon=None),
            Postpone(Reason.ADDON_NOT_FOUND, ""),
            id="addon",
        ),
        pytest.param(
            approved(),
            replace(CONTEXT, cluster=None),
            Postpone(Reason.CLUSTER_NOT_FOUND, ""),
            id="no-cluster",
        ),
        pytest.param(
            approved(),
            replace(CONTEXT, cluster=ClusterFacts(accepted=False)),
            Postpone(Reason.CLUSTER_NOT_ACCEPTED, ""),
            id="not-accepted",
        ),
        pytest.param(
            approved(addon=None),
            CONTEXT,
            Postpone(Reason.NOT_REGISTERED, ""),
            id="no-addon",
        ),
        pytest.param(
            approved(signer_name="kubernetes.io/kube-apiserver-client-kubelet"),
            CONTEXT,
            Postpone(Reason.SIGNER_NOT_SERVED, ""),
            id="signer-of-kubernetes",
        ),
    ],
)
def test_an_approval_is_no_reason_to_sign_what_nobody_registered(
    request_: SigningRequest, context: ApprovalContext, expected: Judgement
) -> None:
    """Given in a hurry, or by another program: what cannot be right is given up."""
    found = judge(request_, context)
    assert type(found) is type(expected)
    assert not isinstance(found, Issue)
    assert not isinstance(expected, Issue)
    assert found.reason == expected.reason
    assert found.message
