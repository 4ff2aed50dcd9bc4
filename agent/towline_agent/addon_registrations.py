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

from towline_agent.enrollment import CertificateOrder
from towline_agent.secret_store import pending_secret
from towline_api.addons import (
    CustomSignerRegistration,
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
)
from towline_certs.errors import IdentityError
from towline_certs.identities import AddonIdentity, Subject, addon_cluster_group


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
class UnusableRegistration:
    """A registration that asks for something nobody could be given; says what and why."""

    signer: str
    reason: str


def wanted_credentials(
    addon: ManagedClusterAddon, *, lifetime: timedelta | None
) -> tuple[tuple[WantedCredential, ...], tuple[UnusableRegistration, ...]]:
    """Return the credentials an add-on shall have, and the registrations that cannot be served.

    Args:
        addon: The add-on as the hub describes it.
        lifetime: Lifetime to ask for; None leaves it to the signer.
    """
    wanted: dict[ObjectKey, WantedCredential] = {}
    unusable: list[UnusableRegistration] = []
    for registration in addon.registrations:
        signer = _signer_of(registration)
        try:
            credential = _wanted(addon, registration, signer=signer, lifetime=lifetime)
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
    wanted: tuple[WantedCredential, ...],
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
