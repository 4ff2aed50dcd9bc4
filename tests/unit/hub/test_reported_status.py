"""What an add-on may write into its own status on the hub, and that it gets nothing by it."""

import dataclasses

import pytest

from support.csrs import NOW, csr_object, key_of
from towline_api import names
from towline_api.addons import (
    CustomSignerRegistration,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
    SubjectSpec,
)
from towline_certs import (
    AddonIdentity,
    Approve,
    ClusterFacts,
    ClusterIdentity,
    SigningRequest,
    Subject,
    build_request,
)
from towline_certs.flood import NO_TRAFFIC
from towline_certs.policy import decide
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.addons.scope import AddonScope
from towline_hub.approval.facts import addon_facts
from towline_hub.approval.rules import ApprovalRules

SIGNER = "example.com/a"
BARE = AddonDeclaration("hello")
WITH_SIGNER = AddonDeclaration("hello", custom_signers=(CustomSigner(SIGNER, "{cluster}"),))
OWN = AddonIdentity("c1", "hello", "hello")
GENUINE = SubjectSpec(user=OWN.user, groups=OWN.groups)


def _client(user: str, groups: tuple[str, ...]) -> KubeClientRegistration:
    return KubeClientRegistration(SubjectSpec(user, groups))


def _identity(cluster: str, addon: str) -> KubeClientRegistration:
    identity = AddonIdentity(cluster, addon, addon)
    return _client(identity.user, identity.groups)


@pytest.mark.parametrize(
    ("declared", "approves_for_others", "may"),
    [
        pytest.param((), False, True, id="nobody-else-signs"),
        pytest.param((), True, False, id="undeclared-and-somebody-else-signs"),
        pytest.param((BARE,), True, True, id="declared"),
    ],
)
def test_who_may_write_its_own_status(
    declared: tuple[AddonDeclaration, ...], approves_for_others: bool, may: bool
) -> None:
    """Only where nothing that stands there can be earned with it."""
    scope = AddonScope.of((), declared, approves_for_others=approves_for_others)
    assert scope.lets_report("hello") is may


def _asked(registration: Registration) -> SigningRequest:
    """Return the request that the cluster's agent posts for a registration."""
    spec = registration.subject
    pem = build_request(
        key_of(),
        subject=Subject(spec.user, frozenset(spec.groups), frozenset(spec.organization_units)),
        dns_names=[names.addon_dns_name("hello")],
    )
    signer = (
        registration.signer_name
        if isinstance(registration, CustomSignerRegistration)
        else names.KUBE_CLIENT_SIGNER
    )
    return SigningRequest.from_csr(
        csr_object(
            pem,
            username=ClusterIdentity("c1", "agent").user,
            cluster="c1",
            addon="hello",
            signer_name=signer,
        )
    )


@pytest.mark.parametrize("declaration", [None, BARE, WITH_SIGNER], ids=["no", "bare", "signer"])
@pytest.mark.parametrize(
    ("forged", "genuine"),
    [
        pytest.param(KubeClientRegistration(GENUINE), True, id="its-own"),
        pytest.param(_client(OWN.user, ("system:masters",)), False, id="masters"),
        pytest.param(_client(OWN.user, (*OWN.groups, "system:masters")), False, id="and-masters"),
        pytest.param(_client("kubernetes-admin", OWN.groups), False, id="a-person"),
        pytest.param(
            _client(ClusterIdentity("c1", "agent").user, OWN.groups), False, id="the-clusters-agent"
        ),
        pytest.param(_identity("c2", "hello"), False, id="another-clusters"),
        pytest.param(_identity("c1", "other"), False, id="another-addons"),
        pytest.param(
            KubeClientRegistration(GENUINE, KubeClientDriver.TOKEN), False, id="by-token-instead"
        ),
        pytest.param(
            CustomSignerRegistration(SIGNER, SubjectSpec("c2")), False, id="anybody-at-a-signer"
        ),
    ],
)
def test_what_an_addon_writes_into_its_status_earns_it_nothing(
    forged: Registration, genuine: bool, declaration: AddonDeclaration | None
) -> None:
    """Its cluster's agent asks for whatever is registered; the policy knows whom it is for."""
    rules = ApprovalRules(signers=frozenset({SIGNER}), own_signers=frozenset({SIGNER}))
    addon = ManagedClusterAddon("hello", "c1", registrations=(forged,))
    facts = addon_facts(addon, declaration=declaration, own_signers=rules.own_signers)
    context = rules.context(
        now=NOW, traffic=NO_TRAFFIC, cluster=ClusterFacts(accepted=True), addon=facts
    )
    decision = decide(_asked(forged), dataclasses.replace(context, may_renew=True))
    assert isinstance(decision, Approve) is genuine, decision
