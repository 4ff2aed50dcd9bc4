"""Add-ons declared in the settings file of a hub, so that operators need no program for them."""

from collections.abc import Callable, Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from towline_api.addons import ConfigKind, HealthMode, SupportedConfig
from towline_api.errors import ConfigError
from towline_api.metadata import ObjectKey
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner, by_name
from towline_hub.permission import Permission, role


class _Entry(BaseModel):
    """A mapping in the settings file, keyed like the settings themselves."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda field: field.replace("_", "-"),
        use_attribute_docstrings=True,
    )


class PermissionSettings(_Entry):
    """One thing an add-on's agents may do on the hub."""

    resources: tuple[str, ...]
    """Plurals, with `/subresource` where one is meant."""
    verbs: tuple[str, ...]
    """get, list, watch, create, update, patch, delete, deletecollection."""
    group: str = ""
    """API group; empty for the core group."""
    names: tuple[str, ...] = ()
    """Names of the objects it is limited to; by default all."""
    namespace: str | None = None
    """One namespace that the agents of all clusters share; by default each cluster's own."""

    @model_validator(mode="after")
    def _can_be_granted(self) -> Self:
        _as_value_error(self.permission)
        return self

    def permission(self) -> Permission:
        """Return what is meant.

        Raises:
            ConfigError: It cannot be granted.
        """
        return role(
            self.resources,
            verbs=self.verbs,
            group=self.group,
            names=self.names,
            namespace=self.namespace,
        )


class CustomSignerSettings(_Entry):
    """One certificate an add-on's agents get from a signer of its own."""

    signer_name: str
    """Which signer, as `example.com/name`."""
    user: str = ""
    """Common name; by default the one that names cluster, add-on and agent. `{cluster}` stands for
    the cluster's name."""
    groups: tuple[str, ...] = ()
    """Organizations."""
    organization_units: tuple[str, ...] = ()
    """Organizational units."""
    server: bool = False
    """Whether the certificate shall be good for servers as well, if the signer allows it."""
    dns_names: tuple[str, ...] = ()
    """DNS names that the certificate holds beside the one made from the add-on's; `{cluster}`
    stands for the cluster's name."""

    @model_validator(mode="after")
    def _is_a_signer(self) -> Self:
        _as_value_error(self.custom_signer)
        return self

    def custom_signer(self) -> CustomSigner:
        """Return what is meant.

        Raises:
            ConfigError: It is no custom signer.
        """
        return CustomSigner(
            self.signer_name,
            self.user,
            self.groups,
            self.organization_units,
            server=self.server,
            dns_names=self.dns_names,
        )


class SupportedConfigSettings(_Entry):
    """One kind of objects that configure an add-on."""

    resource: str
    """Plural, for example `addondeploymentconfigs`."""
    group: str = ""
    """API group; empty for the core group."""
    default_name: str | None = None
    """Object that configures the add-on wherever no other is named."""
    default_namespace: str | None = None
    """Namespace of that object."""

    def supported_config(self) -> SupportedConfig:
        """Return what is meant."""
        default = None
        if self.default_name is not None:
            default = ObjectKey(self.default_name, self.default_namespace)
        return SupportedConfig(ConfigKind(self.group, self.resource), default)


class DeclarationSettings(_Entry):
    """One add-on."""

    name: str
    """Its name: that of its ClusterManagementAddOn and its ManagedClusterAddOns."""
    display_name: str = ""
    """What people call it."""
    description: str = ""
    """What it is for, in a sentence."""
    permissions: tuple[PermissionSettings, ...] = ()
    """What its agents may do on the hub, beside following their configuration."""
    hub_client: bool = True
    """Whether its agents get a credential for the hub's API server."""
    agent: str = ""
    """Last part of its agents' user name; by default the add-on's name."""
    custom_signers: tuple[CustomSignerSettings, ...] = ()
    """Certificates its agents get from other signers."""
    token_driver: bool = False
    """Whether an agent may come in with tokens of a service account instead of a certificate."""
    supported_configs: tuple[SupportedConfigSettings, ...] = ()
    """Kinds of objects that configure it."""
    install_namespace: str | None = None
    """Where its agents are installed when nothing on the cluster says otherwise."""
    health_mode: HealthMode | None = None
    """`Lease` or `Customized`; by default what the API has."""

    @model_validator(mode="after")
    def _can_be_declared(self) -> Self:
        _as_value_error(self.declaration)
        return self

    @classmethod
    def of(cls, declaration: AddonDeclaration) -> Self:
        """Return the entry that declares this."""
        return cls(
            name=declaration.name,
            display_name=declaration.display_name,
            description=declaration.description,
            permissions=tuple(
                PermissionSettings(
                    resources=item.resources,
                    verbs=item.verbs,
                    group=item.group,
                    names=item.names,
                    namespace=item.namespace,
                )
                for item in declaration.permissions
            ),
            hub_client=declaration.hub_client,
            agent=declaration.agent,
            custom_signers=tuple(
                CustomSignerSettings(
                    signer_name=item.signer_name,
                    user=item.user,
                    groups=item.groups,
                    organization_units=item.organization_units,
                    server=item.server,
                    dns_names=item.dns_names,
                )
                for item in declaration.custom_signers
            ),
            token_driver=declaration.token_driver,
            supported_configs=tuple(
                SupportedConfigSettings(
                    resource=item.kind.resource,
                    group=item.kind.group,
                    default_name=item.default.name if item.default else None,
                    default_namespace=item.default.namespace if item.default else None,
                )
                for item in declaration.supported_configs
            ),
            install_namespace=declaration.install_namespace,
            health_mode=declaration.health_mode,
        )

    def declaration(self) -> AddonDeclaration:
        """Return what is meant.

        Raises:
            ConfigError: A part of it cannot be used.
        """
        return AddonDeclaration(
            name=self.name,
            display_name=self.display_name,
            description=self.description,
            permissions=tuple(item.permission() for item in self.permissions),
            hub_client=self.hub_client,
            agent=self.agent,
            custom_signers=tuple(item.custom_signer() for item in self.custom_signers),
            token_driver=self.token_driver,
            supported_configs=tuple(item.supported_config() for item in self.supported_configs),
            install_namespace=self.install_namespace,
            health_mode=self.health_mode,
        )


def check_declarations(
    declarations: tuple[DeclarationSettings, ...],
) -> tuple[DeclarationSettings, ...]:
    """Return the declarations if they go together.

    Raises:
        ValueError: Two declare the same add-on.
    """
    _as_value_error(lambda: by_name(declarations_of(declarations)))
    return declarations


def declarations_of(settings: Iterable[DeclarationSettings]) -> tuple[AddonDeclaration, ...]:
    """Return what the entries of a settings file declare."""
    return tuple(item.declaration() for item in settings)


def _as_value_error(check: Callable[[], object]) -> None:
    """Run a check; its complaint becomes one that pydantic puts beside the entry it is about."""
    try:
        check()
    except ConfigError as error:
        raise ValueError(str(error)) from error
