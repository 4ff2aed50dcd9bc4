"""Which identities an add-on's agent gets on one cluster, and why one gets no rights. Pure."""

from dataclasses import dataclass

from towline_api.addons import (
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
    SubjectSpec,
)
from towline_api.condition_types import (
    PERMISSION_PENDING_MESSAGE,
    REASON_PERMISSION_FAILED,
    REASON_PERMISSION_PENDING,
)
from towline_certs.identities import AddonIdentity
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.token_driver import kube_client_of, service_account_user, uses_tokens


@dataclass(frozen=True, slots=True)
class RegistrationProblem:
    """Why an add-on's rights cannot be granted as things stand.

    Args:
        reason: One word, as the condition `RegistrationApplied` has it.
        message: What is wrong and what would put it right.
    """

    reason: str
    message: str


def expected_registrations(
    addon: ManagedClusterAddon, declaration: AddonDeclaration | None = None
) -> tuple[Registration, ...]:
    """Return the registrations an add-on shall have: one for the hub's API server, and others'.

    A driver the agent has declared stays. With the token driver the subject is the agent's to
    write, so it stays too, empty or not.

    Args:
        addon: The add-on on one cluster.
        declaration: What it is declared to be. Without one, registrations with custom signers are
            somebody else's and left alone.
    """
    if declaration is not None:
        others: tuple[Registration, ...] = declaration.custom_registrations(addon.cluster)
        if not declaration.hub_client:
            return others
    else:
        others = tuple(
            item for item in addon.registrations if not isinstance(item, KubeClientRegistration)
        )
    ours = kube_client_of(addon)
    driver = ours.driver if ours is not None else None
    if driver is KubeClientDriver.TOKEN:
        subject = ours.subject if ours is not None else SubjectSpec()
        return (KubeClientRegistration(subject, driver), *others)
    agent = declaration.agent_name if declaration is not None else addon.name
    identity = AddonIdentity(addon.cluster, addon.name, agent)
    subject = SubjectSpec(user=identity.user, groups=identity.groups)
    return (KubeClientRegistration(subject, driver), *others)


def find_problem(
    addon: ManagedClusterAddon, declaration: AddonDeclaration | None = None
) -> RegistrationProblem | None:
    """Return why the identity that an add-on's agent claims cannot be given rights, or None.

    Args:
        addon: The add-on on one cluster.
        declaration: What it is declared to be; None if it is not.
    """
    if not uses_tokens(addon) or (declaration is not None and not declaration.hub_client):
        return None
    if declaration is not None and not declaration.token_driver:
        return RegistrationProblem(
            REASON_PERMISSION_FAILED,
            f"the agent of cluster {addon.cluster} wants to come in with tokens, and add-on "
            f"{addon.name} is declared without; declare it with token-driver, or set the agent's "
            "addon-kubeclient-registration-auth to csr",
        )
    registration = kube_client_of(addon)
    user = registration.subject.user if registration is not None else ""
    expected = service_account_user(addon.cluster, addon.name)
    # Until the agent has written its own, there may still be the subject of a certificate.
    if registration is None or not _is_agents(registration.subject):
        return RegistrationProblem(REASON_PERMISSION_PENDING, PERMISSION_PENDING_MESSAGE)
    if user != expected:
        return RegistrationProblem(
            REASON_PERMISSION_FAILED,
            f"the registration names user {user!r}; with tokens the agent is {expected!r}",
        )
    return None


def _is_agents(subject: SubjectSpec) -> bool:
    """Return whether an agent with tokens wrote a subject; certificates' subjects have groups."""
    return bool(subject.user) and not subject.groups
