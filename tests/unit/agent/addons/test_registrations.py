"""What the hub registered for an add-on becomes requests and Secrets, as OCM's agent makes them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from towline_agent.addons.registrations import (
    WantedCredential,
    superseded_secrets,
    wanted_credentials,
)
from towline_api.addons import (
    CustomSignerRegistration,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
    SubjectSpec,
)
from towline_api.metadata import ObjectKey

USER = "system:open-cluster-management:cluster:c1:addon:helloworld:agent:helloworld"
CLUSTER_GROUP = "system:open-cluster-management:cluster:c1:addon:helloworld"
ADDON = ManagedClusterAddon("helloworld", "c1", agent_namespace="addons")
SIGNER = "example.com/signer"


def wanted(*registrations: Registration) -> tuple[WantedCredential, ...]:
    credentials, unusable = wanted_credentials(
        replace(ADDON, registrations=registrations), lifetime=timedelta(hours=1)
    )
    assert not unusable
    certificates = tuple(item for item in credentials if isinstance(item, WantedCredential))
    assert certificates == credentials
    return certificates


def test_a_registration_with_the_hub_is_requested_as_registered() -> None:
    """The hub compares the request with what it registered, whole."""
    subject = SubjectSpec(f"{USER}-x", (CLUSTER_GROUP, "system:open-cluster-management:addon:h"))
    (credential,) = wanted(KubeClientRegistration(subject))
    order = credential.order
    assert credential.secret == ObjectKey("helloworld-hub-kubeconfig", "addons")
    assert credential.is_for_hub
    assert order.name_prefix == "addon-c1-helloworld-"
    assert order.signer == "kubernetes.io/kube-apiserver-client"
    assert order.subject.common_name == subject.user
    assert order.subject.organizations == frozenset(subject.groups)
    assert order.dns_names == ("helloworld.addon.open-cluster-management.io",)
    assert order.lifetime == timedelta(hours=1)
    assert order.labels == {
        "open-cluster-management.io/cluster-name": "c1",
        "open-cluster-management.io/addon-name": "helloworld",
    }


def test_what_a_registration_leaves_empty_is_filled_in() -> None:
    """Hubs leave the defaults to the agent; OCM's agent asks for the one per-cluster group."""
    (credential,) = wanted(KubeClientRegistration(SubjectSpec()))
    assert credential.order.subject.common_name == USER
    assert credential.order.subject.organizations == {CLUSTER_GROUP}


def test_a_custom_signer_gets_only_what_was_registered() -> None:
    """Nobody but that signer knows what its groups mean, so none is invented."""
    subject = SubjectSpec("", (), ("unit",))
    (credential,) = wanted(CustomSignerRegistration(SIGNER, subject))
    assert credential.secret.name == "helloworld-example.com-signer-client-cert"
    assert not credential.is_for_hub
    assert credential.order.signer == SIGNER
    assert credential.order.subject.common_name == USER
    assert credential.order.subject.organizations == frozenset()
    assert credential.order.subject.organizational_units == {"unit"}


@pytest.mark.parametrize(
    ("addon", "reason"),
    [
        pytest.param(
            replace(ADDON, registrations=(KubeClientRegistration(SubjectSpec()),) * 2),
            "an earlier registration already uses Secret addons/helloworld-hub-kubeconfig",
            id="two-for-one-secret",
        ),
        pytest.param(
            replace(
                ADDON, registrations=(CustomSignerRegistration("EXAMPLE.com/x", SubjectSpec()),)
            ),
            "its Secret could not be named",
            id="no-secret-name",
        ),
        pytest.param(
            replace(ADDON, name="x" * 64, registrations=(KubeClientRegistration(SubjectSpec()),)),
            "is not an add-on name",
            id="name-no-label-can-hold",
        ),
    ],
)
def test_a_registration_nobody_could_serve_says_why(
    addon: ManagedClusterAddon, reason: str
) -> None:
    """One bad entry must not keep the others, or other add-ons, from their credentials."""
    _, (unusable,) = wanted_credentials(addon, lifetime=None)
    assert reason in unusable.reason


def test_a_changed_subject_stays_with_its_secret() -> None:
    """The same Secret means the same keeper's place: the old certificate serves until the new."""
    before = wanted(KubeClientRegistration(SubjectSpec(f"{USER}-1")))
    after = wanted(KubeClientRegistration(SubjectSpec(f"{USER}-2")))
    assert before[0].secret == after[0].secret
    assert before[0].order != after[0].order


OLD_PLACE = ObjectKey("helloworld-hub-kubeconfig", "old")
NEW_PLACE = ObjectKey("helloworld-hub-kubeconfig", "addons")
PENDING = ObjectKey("helloworld-hub-kubeconfig-pending", "addons")
OLD_PENDING = ObjectKey("helloworld-hub-kubeconfig-pending", "old")
SIGNER_PLACE = ObjectKey("helloworld-example.com-signer-client-cert", "addons")


@pytest.mark.parametrize(
    ("present", "earned", "superseded"),
    [
        pytest.param([NEW_PLACE], [NEW_PLACE], [], id="at-rest"),
        pytest.param([OLD_PLACE], [], [], id="moved-and-not-yet-earned"),
        pytest.param([OLD_PLACE, NEW_PLACE], [NEW_PLACE], [OLD_PLACE], id="moved-and-earned"),
        pytest.param([NEW_PLACE, PENDING], [], [], id="a-request-is-under-way"),
        pytest.param([OLD_PLACE, OLD_PENDING], [], [OLD_PENDING], id="an-abandoned-request"),
        pytest.param([NEW_PLACE, SIGNER_PLACE], [], [SIGNER_PLACE], id="no-longer-registered"),
    ],
)
def test_a_secret_goes_only_when_its_successor_is_earned(
    present: list[ObjectKey], earned: list[ObjectKey], superseded: list[ObjectKey]
) -> None:
    """A change of the install namespace must not leave the add-on without a credential."""
    credentials = wanted(KubeClientRegistration(SubjectSpec()))
    gone = superseded_secrets(present, wanted=credentials, earned=frozenset(earned))
    assert gone == tuple(superseded)
