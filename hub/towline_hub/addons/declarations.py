"""What an add-on is on the hub, declared once for all clusters, as a value. Pure.

A declaration comes from Python (`towline_hub.addons.addon.Addon`) or from the settings file of
`towline hub run` (`towline_hub.addons.declaration_settings`). Everything the hub does for the
add-on on one cluster follows from it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from towline_api.addons import (
    CustomSignerRegistration,
    DisplayMeta,
    HealthMode,
    SubjectSpec,
    SupportedConfig,
)
from towline_api.dns_names import LONGEST_LABEL, is_dns_label, is_dns_subdomain
from towline_api.errors import ConfigError
from towline_certs.errors import IdentityError
from towline_certs.identities import AddonIdentity, check_addon_name
from towline_certs.request_rules import is_kubernetes_signer
from towline_hub.permission import Permission, find_foreign_addons

CLUSTER_PLACEHOLDER = "{cluster}"
"""In the subject of a custom signer's certificate: stands for the name of the agent's cluster."""

_SIGNER = re.compile(r"(?:[a-z0-9][a-z0-9-]*[a-z0-9]\.)+[a-z]+/[a-z0-9.-]+")
"""As the API writes it down for `status.registrations[].signerName`."""
_LONGEST_SIGNER = 571


@dataclass(frozen=True, slots=True)
class CustomSigner:
    """A certificate an add-on's agent gets beside the one for the hub, from a signer of its own.

    `{cluster}` in a part of the subject stands for the name of the agent's cluster. A subject
    without it is the same on all clusters.

    Args:
        signer_name: Which signer, as `example.com/name`.
        user: Common name; empty for the one that names cluster, add-on and agent.
        groups: Organizations.
        organization_units: Organizational units.
        server: Whether the certificate shall be good for servers as well, if the signer allows it.
        dns_names: DNS names that the certificate holds beside the one made from the add-on's. A
            request may name all of them or none; the certificate holds them in any case.

    Raises:
        ConfigError: The signer's name is none, or one of Kubernetes' own; the subject cannot be
            told from text with holes; a DNS name is none, or a wildcard.
    """

    signer_name: str
    user: str = ""
    groups: tuple[str, ...] = ()
    organization_units: tuple[str, ...] = ()
    server: bool = False
    dns_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        name = self.signer_name
        if _SIGNER.fullmatch(name) is None or len(name) > _LONGEST_SIGNER:
            raise ConfigError(
                f"{name!r} is not the name of a signer, expected '<domain>/<path>' in lower case, "
                f"at most {_LONGEST_SIGNER} characters"
            )
        if is_kubernetes_signer(name):
            raise ConfigError(
                f"{name!r} is a signer of Kubernetes; a custom signer is one of the add-on's own"
            )
        for text in (self.user, *self.groups, *self.organization_units, *self.dns_names):
            rest = text.replace(CLUSTER_PLACEHOLDER, "")
            if "{" in rest or "}" in rest:
                raise ConfigError(
                    f"signer {name}: {text!r} holds a brace; only {CLUSTER_PLACEHOLDER} stands for "
                    "something"
                )
        for text in (*self.groups, *self.organization_units):
            if not text:
                raise ConfigError(f"signer {name}: a group or organization unit is empty")
        for text in self.dns_names:
            # A cluster's name may be a whole label long.
            if not is_dns_subdomain(text.replace(CLUSTER_PLACEHOLDER, "c" * LONGEST_LABEL)):
                raise ConfigError(
                    f"signer {name}: {text!r} is not a DNS name, expected labels in lower case "
                    "joined by dots, and no wildcard"
                )

    def dns_names_on(self, cluster: str) -> tuple[str, ...]:
        """Return the DNS names in a certificate for this cluster, beside the add-on's own."""
        return tuple(text.replace(CLUSTER_PLACEHOLDER, cluster) for text in self.dns_names)

    def registration(self, cluster: str) -> CustomSignerRegistration:
        """Return what an agent on this cluster is told to ask for."""

        def filled(text: str) -> str:
            return text.replace(CLUSTER_PLACEHOLDER, cluster)

        subject = SubjectSpec(
            user=filled(self.user),
            groups=tuple(map(filled, self.groups)),
            organization_units=tuple(map(filled, self.organization_units)),
        )
        return CustomSignerRegistration(self.signer_name, subject)


@dataclass(frozen=True, slots=True)
class AddonDeclaration:
    """One add-on as its developer or operator declares it, the same for all clusters.

    Args:
        name: Its name: that of its ClusterManagementAddOn and its ManagedClusterAddOns.
        display_name: What people call it; its name by default.
        description: What it is for, in a sentence.
        permissions: What its agents may do on the hub, beside following their configuration.
        hub_client: Whether its agents get a credential for the hub's API server.
        agent: Last part of its agents' user name; the add-on's name by default.
        custom_signers: Certificates its agents get from other signers.
        token_driver: Whether an agent may come in with tokens of a service account instead of a
            certificate, if its cluster's agent is set up so. The hub then needs the right to hand
            out tokens of accounts of that name.
        supported_configs: Kinds of configuration it understands, with defaults for all clusters.
        install_namespace: Where agents are installed when nothing on the cluster's side says
            otherwise; OCM's own namespace for add-ons by default.
        health_mode: Who says whether an agent is healthy; None leaves it to the API's default.

    Raises:
        ConfigError: A part cannot be used; says which.
    """

    name: str
    display_name: str = ""
    description: str = ""
    permissions: tuple[Permission, ...] = ()
    hub_client: bool = True
    agent: str = ""
    custom_signers: tuple[CustomSigner, ...] = ()
    token_driver: bool = False
    supported_configs: tuple[SupportedConfig, ...] = ()
    install_namespace: str | None = None
    health_mode: HealthMode | None = None

    def __post_init__(self) -> None:
        try:
            check_addon_name(self.name)
            AddonIdentity("cluster", self.name, self.agent_name)
        except IdentityError as error:
            raise ConfigError(str(error)) from error
        problem = self._find_problem()
        if problem is not None:
            raise ConfigError(f"add-on {self.name}: {problem}")

    def _find_problem(self) -> str | None:
        for permission in self.permissions:
            if problem := find_foreign_addons(permission, addon=self.name):
                return problem
        if not self.hub_client:
            for given, what in (
                (self.permissions, "permissions"),
                (self.token_driver, "tokens"),
                (self.agent, "an agent's name"),
            ):
                if given:
                    return f"it has {what}, and no client of the hub that could use them"
        signers = [signer.signer_name for signer in self.custom_signers]
        if len(set(signers)) < len(signers):
            return "it names a custom signer twice; there is one certificate from each"
        if self.install_namespace is not None and not is_dns_label(self.install_namespace):
            return f"{self.install_namespace!r} is not the name of a namespace"
        kinds = [supported.kind for supported in self.supported_configs]
        if len(set(kinds)) < len(kinds):
            return "it names a kind of configuration twice; there is one default for each"
        return None

    @property
    def agent_name(self) -> str:
        """Last part of the user name of its agents."""
        return self.agent or self.name

    @property
    def display(self) -> DisplayMeta:
        """How it presents itself to people."""
        return DisplayMeta(self.display_name or self.name, self.description)

    @property
    def shared_namespaces(self) -> frozenset[str]:
        """The namespaces that its agents of all clusters share."""
        return frozenset(item.namespace for item in self.permissions if item.namespace is not None)

    def custom_registrations(self, cluster: str) -> tuple[CustomSignerRegistration, ...]:
        """Return the registrations with custom signers that an agent on this cluster has."""
        return tuple(signer.registration(cluster) for signer in self.custom_signers)


def by_name(declarations: Iterable[AddonDeclaration]) -> Mapping[str, AddonDeclaration]:
    """Return declarations by the name of their add-on.

    Raises:
        ConfigError: Two declare the same add-on.
    """
    found: dict[str, AddonDeclaration] = {}
    for declaration in declarations:
        if declaration.name in found:
            raise ConfigError(f"add-on {declaration.name} is declared twice; make it one")
        found[declaration.name] = declaration
    return found
