"""Which credentials an add-on's registrations ask for, and where each belongs. Pure.

A registration is what the hub wrote on the ManagedClusterAddOn; what it left empty is filled in
here as OCM's agent does. The place of a credential, a Secret, is its identity: when a registration
changes its subject, the Secret stays and its keeper earns the new certificate before the old one is
replaced.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import assert_never

from towline_agent.credentials.enrollment import CertificateOrder
from towline_agent.credentials.secret_store import pending_secret
from towline_agent.credentials.service_account_tokens import TokenOrder
from towline_api.addons import (
    CustomSignerRegistration,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
)
from towline_api.dns_names import is_dns_subdomain
from towline_api.metadata import ObjectKey
from towline_api.names import (
    ADDON_NAME_LABEL,
    CLUSTER_NAME_LABEL,
    KUBE_CLIENT_SIGNER,
    addon_client_certificate_secret,
    addon_dns_name,
    addon_hub_kubeconfig_secret,
    addon_service_account,
)
from towline_certs.errors import IdentityError
from towline_certs.identities import (
    AddonIdentity,
    Subject,
    addon_cluster_group,
    check_addon_name,
)


@dataclass(frozen=True, slots=True)
class WantedCredential:
    """One credential an add-on shall have.

    Args:
        addon: Name of the add-on.
        secret: Where it rests on the managed cluster.
        order: What its certificate is asked for.
    """

    addon: str
    secret: ObjectKey
    order: CertificateOrder

    @property
    def is_for_hub(self) -> bool:
        """Whether it is good for calling the hub, and so comes with a kubeconfig."""
        return self.order.signer == KUBE_CLIENT_SIGNER


@dataclass(frozen=True, slots=True)
class WantedToken:
    """A token an add-on shall have for the hub, instead of a certificate.

    Args:
        addon: Name of the add-on.
        secret: Where it rests on the managed cluster.
        order: Which token is asked for.
    """

    addon: str
    secret: ObjectKey
    order: TokenOrder


@dataclass(frozen=True, slots=True)
class UnusableRegistration:
    """A registration that asks for something nobody could be given; says what and why."""

    signer: str
    reason: str


def is_settled(addon: ManagedClusterAddon, *, driver: KubeClientDriver) -> bool:
    """Return whether hub and agent agree on how an add-on comes in, so that it can be acted on.

    After a change of the driver, the hub's side follows a moment later: until then the registration
    names the identity that the other driver had.

    Args:
        addon: The add-on as the hub describes it.
        driver: What this agent is set up for.
    """
    registration = next(
        (item for item in addon.registrations if isinstance(item, KubeClientRegistration)), None
    )
    if registration is None or driver is KubeClientDriver.TOKEN:
        return True
    account = service_account_user(addon.cluster, addon.name)
    return (
        registration.driver is not KubeClientDriver.TOKEN and registration.subject.user != account
    )


def wanted_credentials(
    addon: ManagedClusterAddon,
    *,
    lifetime: timedelta | None,
    tokens: timedelta | None = None,
) -> tuple[tuple[WantedCredential | WantedToken, ...], tuple[UnusableRegistration, ...]]:
    """Return the credentials an add-on shall have, and the registrations that cannot be served.

    Args:
        addon: The add-on as the hub describes it.
        lifetime: Lifetime to ask for in certificates; None leaves it to the signer.
        tokens: Lifetime of the tokens with which add-ons come in; None for certificates.
    """
    wanted: dict[ObjectKey, WantedCredential | WantedToken] = {}
    unusable: list[UnusableRegistration] = []
    for registration in addon.registrations:
        signer = _signer_of(registration)
        try:
            credential = (
                _wanted_token(addon, lifetime=tokens)
                if tokens is not None and isinstance(registration, KubeClientRegistration)
                else _wanted(addon, registration, signer=signer, lifetime=lifetime)
            )
        except IdentityError as error:
            unusable.append(UnusableRegistration(signer, str(error)))
            continue
        if not is_dns_subdomain(credential.secret.name):
            reason = f"its Secret could not be named {credential.secret.name!r}"
            unusable.append(UnusableRegistration(signer, reason))
        elif credential.secret in wanted:
            reason = f"an earlier registration already uses Secret {credential.secret}"
            unusable.append(UnusableRegistration(signer, reason))
        else:
            wanted[credential.secret] = credential
    return tuple(wanted.values()), tuple(unusable)


def superseded_secrets(
    present: Iterable[ObjectKey],
    *,
    wanted: tuple[WantedCredential | WantedToken, ...],
    earned: frozenset[ObjectKey],
) -> tuple[ObjectKey, ...]:
    """Return which of an add-on's Secrets can go.

    A Secret that is wanted in another namespace now stays until its successor there is earned: the
    add-on is never without a credential.

    Args:
        present: The Secrets of this add-on that we made, wherever they are.
        wanted: The credentials it shall have.
        earned: The Secrets of those that hold a usable credential.
    """
    places = {credential.secret for credential in wanted}
    awaited = {place.name for place in places - earned}
    places |= {replace(place, name=pending_secret(place.name)) for place in places}
    return tuple(key for key in present if key not in places and key.name not in awaited)


def service_account_user(cluster: str, addon: str) -> str:
    """Return the user name that a token of an add-on's service account stands for."""
    return f"system:serviceaccount:{cluster}:{addon_service_account(addon)}"


def _wanted_token(addon: ManagedClusterAddon, *, lifetime: timedelta) -> WantedToken:
    check_addon_name(addon.name)
    return WantedToken(
        addon.name,
        ObjectKey(addon_hub_kubeconfig_secret(addon.name), addon.install_namespace),
        TokenOrder(ObjectKey(addon_service_account(addon.name), addon.cluster), lifetime),
    )


def _wanted(
    addon: ManagedClusterAddon,
    registration: Registration,
    *,
    signer: str,
    lifetime: timedelta | None,
) -> WantedCredential:
    # Checks both names as well, whoever is named by the subject.
    default = AddonIdentity(addon.cluster, addon.name, addon.name)
    given = registration.subject
    groups = given.groups
    match registration:
        case KubeClientRegistration():
            name = addon_hub_kubeconfig_secret(addon.name)
            groups = groups or (addon_cluster_group(addon.cluster, addon.name),)
        case CustomSignerRegistration():
            name = addon_client_certificate_secret(addon.name, signer=signer)
        case _:
            assert_never(registration)
    order = CertificateOrder(
        name_prefix=f"addon-{addon.cluster}-{addon.name}-",
        signer=signer,
        subject=Subject(
            given.user or default.user, frozenset(groups), frozenset(given.organization_units)
        ),
        labels={CLUSTER_NAME_LABEL: addon.cluster, ADDON_NAME_LABEL: addon.name},
        dns_names=(addon_dns_name(addon.name),),
        lifetime=lifetime,
    )
    return WantedCredential(addon.name, ObjectKey(name, addon.install_namespace), order)


def _signer_of(registration: Registration) -> str:
    match registration:
        case KubeClientRegistration():
            return KUBE_CLIENT_SIGNER
        case CustomSignerRegistration(signer_name=signer):
            return signer
        case _:
            assert_never(registration)
