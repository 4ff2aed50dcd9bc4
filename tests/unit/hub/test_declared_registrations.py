"""What an add-on's declaration makes of its registrations, and what the agent's status adds."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addons import (
    AddonConfig,
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    CustomSignerRegistration,
    HashedConfig,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    PlacementInstall,
    SubjectSpec,
    SupportedConfig,
)
from towline_api.metadata import ObjectKey
from towline_certs.identities import AddonIdentity
from towline_hub.addons.config_references import DEPLOYMENT_CONFIG, ResolvedConfig
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.addons.plan import hashed_status, registration_status
from towline_hub.addons.registrations import (
    RegistrationProblem,
    expected_registrations,
    find_problem,
)
from towline_hub.addons.scope import AddonScope, addons_lease
from towline_hub.approval.facts import addon_facts

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
CODEC = V1Alpha1Codec()
BARE = AddonDeclaration("hello")
WITH_TOKENS = AddonDeclaration("hello", token_driver=True)
WITH_SIGNER = AddonDeclaration(
    "hello", custom_signers=(CustomSigner("example.com/a", "{cluster}"),)
)
ACCOUNT = SubjectSpec(user="system:serviceaccount:c1:hello-agent")
DEFAULT = AddonIdentity("c1", "hello", "hello")
BY_CERTIFICATE = SubjectSpec(user=DEFAULT.user, groups=DEFAULT.groups)
STRANGER = CustomSignerRegistration("example.com/a", SubjectSpec("somebody-else"))


def addon(*registrations: Any, **facts: Any) -> ManagedClusterAddon:
    """Return the add-on on cluster c1."""
    return ManagedClusterAddon("hello", "c1", registrations=registrations, **facts)


def client(subject: SubjectSpec, driver: KubeClientDriver | None) -> KubeClientRegistration:
    """Return a registration with the hub's API server."""
    return KubeClientRegistration(subject, driver)


@pytest.mark.parametrize(
    ("present", "declaration", "expected"),
    [
        pytest.param((), None, (client(BY_CERTIFICATE, None),), id="new"),
        pytest.param((), BARE, (client(BY_CERTIFICATE, None),), id="new-and-declared"),
        pytest.param(
            (),
            AddonDeclaration("hello", agent="x"),
            (client(SubjectSpec(AddonIdentity("c1", "hello", "x").user, DEFAULT.groups), None),),
            id="another-agent",
        ),
        pytest.param((), AddonDeclaration("hello", hub_client=False), (), id="none"),
        pytest.param(
            (client(SubjectSpec("old"), KubeClientDriver.CSR),),
            BARE,
            (client(BY_CERTIFICATE, KubeClientDriver.CSR),),
            id="the-declared-subject-under-csr",
        ),
        pytest.param(
            (client(ACCOUNT, KubeClientDriver.TOKEN),),
            WITH_TOKENS,
            (client(ACCOUNT, KubeClientDriver.TOKEN),),
            id="the-agents-subject-under-token",
        ),
        pytest.param(
            (client(SubjectSpec(), KubeClientDriver.TOKEN),),
            None,
            (client(SubjectSpec(), KubeClientDriver.TOKEN),),
            id="none-yet-under-token",
        ),
        pytest.param(
            (client(BY_CERTIFICATE, None), STRANGER),
            None,
            (client(BY_CERTIFICATE, None), STRANGER),
            id="somebody-elses-signer-is-left-alone",
        ),
        pytest.param(
            (client(BY_CERTIFICATE, None), STRANGER),
            WITH_SIGNER,
            (
                client(BY_CERTIFICATE, None),
                CustomSignerRegistration("example.com/a", SubjectSpec("c1")),
            ),
            id="a-declared-signers-subject-wins",
        ),
        pytest.param(
            (client(BY_CERTIFICATE, None), STRANGER),
            BARE,
            (client(BY_CERTIFICATE, None),),
            id="an-undeclared-signer-goes",
        ),
    ],
)
def test_registrations_follow_from_declaration_and_driver(
    present: Any, declaration: AddonDeclaration | None, expected: Any
) -> None:
    """The driver is the agent's to say; with certificates the subject is the hub's."""
    assert expected_registrations(addon(*present), declaration) == expected


@pytest.mark.parametrize(
    ("registration", "declaration", "reason"),
    [
        pytest.param(client(BY_CERTIFICATE, None), BARE, None, id="no-driver-yet"),
        pytest.param(client(BY_CERTIFICATE, KubeClientDriver.CSR), None, None, id="csr"),
        pytest.param(client(ACCOUNT, KubeClientDriver.TOKEN), WITH_TOKENS, None, id="token"),
        pytest.param(client(ACCOUNT, KubeClientDriver.TOKEN), None, None, id="undeclared-token"),
        pytest.param(
            client(SubjectSpec(), KubeClientDriver.TOKEN),
            WITH_TOKENS,
            "PermissionConfigPending",
            id="no-subject-yet",
        ),
        pytest.param(
            client(BY_CERTIFICATE, KubeClientDriver.TOKEN),
            WITH_TOKENS,
            "PermissionConfigPending",
            id="still-the-certificates-subject",
        ),
        pytest.param(
            client(SubjectSpec("system:serviceaccount:c2:hello-agent"), KubeClientDriver.TOKEN),
            WITH_TOKENS,
            "SetPermissionFailed",
            id="another-clusters-account",
        ),
        pytest.param(
            client(SubjectSpec("system:serviceaccount:c1:other-agent"), KubeClientDriver.TOKEN),
            None,
            "SetPermissionFailed",
            id="another-addons-account",
        ),
        pytest.param(
            client(ACCOUNT, KubeClientDriver.TOKEN), BARE, "SetPermissionFailed", id="not-declared"
        ),
    ],
)
def test_only_the_one_identity_gets_rights(
    registration: KubeClientRegistration, declaration: AddonDeclaration | None, reason: str | None
) -> None:
    """What an agent writes into its status is a claim, not a fact."""
    problem = find_problem(addon(registration), declaration)
    assert (problem.reason if problem else None) == reason


def test_registrations_are_written_while_the_subject_is_awaited() -> None:
    """As in OCM: the condition says Pending, and the rest of the status is there already."""
    pending = addon(client(SubjectSpec(), KubeClientDriver.TOKEN))
    problem = find_problem(pending, WITH_TOKENS)
    assert problem == RegistrationProblem(
        "PermissionConfigPending", "registration subject not ready"
    )
    status = registration_status(
        {"kubeClientDriver": "token"},
        codec=CODEC,
        addon=pending,
        definition=ClusterManagementAddon("hello"),
        configs=[],
        now=NOW,
        declaration=WITH_TOKENS,
        problem=problem,
    )
    assert status["registrations"]
    assert status["namespace"] == "open-cluster-management-agent-addon"
    (condition,) = status["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "PermissionConfigPending")


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        pytest.param(None, "speakers", id="nobody-asked"),
        pytest.param("open-cluster-management-agent-addon", "speakers", id="the-apis-default"),
        pytest.param("elsewhere", "elsewhere", id="somebody-asked"),
    ],
)
def test_a_declared_namespace_holds_unless_somebody_asks_for_another(
    requested: str | None, expected: str
) -> None:
    """The API fills the field in, so its default is no wish."""
    status = registration_status(
        None,
        codec=CODEC,
        addon=addon(requested_namespace=requested),
        definition=ClusterManagementAddon("hello"),
        configs=[],
        now=NOW,
        declaration=AddonDeclaration("hello", install_namespace="speakers"),
    )
    assert status["namespace"] == expected


def test_a_registration_the_agent_wrote_itself_opens_nothing() -> None:
    """Its cluster's agent may write to the status; the declaration says which subjects count."""
    genuine = WITH_SIGNER.custom_registrations("c1")[0]
    facts = addon_facts(addon(client(BY_CERTIFICATE, None), genuine), declaration=WITH_SIGNER)
    assert [item.signer_name for item in facts.registrations][1:] == ["example.com/a"]
    for forged in (
        STRANGER,
        dataclasses.replace(genuine, subject=SubjectSpec("c2")),
        CustomSignerRegistration("example.com/b", SubjectSpec("c1")),
    ):
        facts = addon_facts(addon(client(BY_CERTIFICATE, None), forged), declaration=WITH_SIGNER)
        assert len(facts.registrations) == 1


def _reference(name: str, *, spec_hash: str = "", generation: int = 0) -> ConfigReference:
    return ConfigReference(
        DEPLOYMENT_CONFIG,
        HashedConfig(ObjectKey(name, "ns"), spec_hash),
        last_observed_generation=generation,
    )


def test_hashes_are_filled_into_references_that_others_wrote() -> None:
    """The generation counts for what the ManagedClusterAddOn itself names, as in OCM."""
    own, default, gone = (AddonConfig(DEPLOYMENT_CONFIG, ObjectKey(n, "ns")) for n in "abc")
    described = addon(
        configs=(own,), config_references=(_reference("a"), _reference("b"), _reference("c"))
    )
    status = hashed_status(
        {"other": 1},
        codec=CODEC,
        addon=described,
        configs=[
            ResolvedConfig(own, spec_hash="1", generation=4),
            ResolvedConfig(default, spec_hash="2", generation=5),
            ResolvedConfig(gone, problem="it does not exist"),
        ],
    )
    found = [
        (item["desiredConfig"].get("specHash"), item.get("lastObservedGeneration"))
        for item in status["configReferences"]
    ]
    assert found == [("1", 4), ("2", None), (None, None)]
    assert status["other"] == 1
    assert hashed_status({"x": 1}, codec=CODEC, addon=addon(), configs=[]) == {"x": 1}


def test_only_configuration_that_an_operator_named_is_read() -> None:
    """A reference in the status alone would let an agent have any object of the hub read."""
    default, placed, own, forged = (
        AddonConfig(DEPLOYMENT_CONFIG, ObjectKey(name, "ns")) for name in ("d", "p", "o", "f")
    )
    definition = ClusterManagementAddon(
        "hello",
        supported_configs=(
            SupportedConfig(DEPLOYMENT_CONFIG, default.key),
            SupportedConfig(ConfigKind("", "configmaps")),
        ),
        placements=(PlacementInstall(ObjectKey("all", "ns"), (placed,)),),
    )
    described = addon(
        configs=(own,), config_references=tuple(_reference(name) for name in ("d", "p", "o", "f"))
    )
    scope = AddonScope.of((), [BARE], is_whole_hub=False)
    wanted = scope.references(described, definition)
    assert [(item.config, item.overrides) for item in wanted] == [
        (default, False),
        (placed, False),
        (own, True),
    ]
    assert forged not in {item.config for item in wanted}


@pytest.mark.parametrize(
    ("addons", "declared", "is_whole_hub", "serves"),
    [
        pytest.param((), (), True, {"hello": True, "other": True}, id="all"),
        pytest.param((), (BARE,), True, {"hello": True, "other": True}, id="all-and-declared"),
        pytest.param(("x",), (BARE,), True, {"hello": True, "x": True, "other": False}, id="some"),
        pytest.param((), (BARE,), False, {"hello": True, "other": False}, id="only-declared"),
    ],
)
def test_which_addons_are_looked_after(
    addons: tuple[str, ...],
    declared: tuple[AddonDeclaration, ...],
    is_whole_hub: bool,
    serves: dict[str, bool],
) -> None:
    """Declaring one add-on takes the others from no hub; a part of a hub never has more."""
    scope = AddonScope.of(addons, declared, is_whole_hub=is_whole_hub)
    assert {name: scope.serves(name) for name in serves} == serves


def test_a_whole_hub_leaves_marked_addons_to_their_program() -> None:
    """Two programs that write the same Role would fight over it for ever."""
    mark = {"towline.open-cluster-management.io/served-by": "towline-addons"}
    marked = {"metadata": {"name": "hello", "annotations": mark}}
    plain = {"metadata": {"name": "hello"}}
    assert AddonScope.of((), ()).registers(plain)
    assert not AddonScope.of((), ()).registers(marked)
    assert AddonScope.of((), (BARE,)).registers(marked)
    assert AddonScope.of(("hello",), (), is_whole_hub=False).registers(marked)


def test_programs_for_different_addons_elect_by_different_leases() -> None:
    """In one namespace, the one would else keep the other from working."""
    assert addons_lease(["b", "a"]) == "towline-addons.a.b" == addons_lease(["a", "b"])
    long = [f"{letter * 60}" for letter in "abcdef"]
    assert len(addons_lease(long)) <= 253
    assert addons_lease(long) != addons_lease(long[:-1])
