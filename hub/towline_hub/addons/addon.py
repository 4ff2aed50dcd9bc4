"""Declaring an add-on in Python, piece by piece."""

from collections.abc import Iterable
from dataclasses import replace

from towline_api.addons import ConfigKind, HealthMode, SupportedConfig
from towline_api.metadata import ObjectKey
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.permission import Permission


class Addon:
    """An add-on as its hub program declares it; `AddonManager` makes it real.

    ```python
    addon = Addon("helloworld", display_name="Hello World")
    addon.grants(permission.role("configmaps", verbs=["get", "list", "watch"]))
    ```

    Args:
        name: Its name: that of its ClusterManagementAddOn and its ManagedClusterAddOns.
        display_name: What people call it; its name by default.
        description: What it is for, in a sentence.
        hub_client: Whether its agents get a credential for the hub's API server.
        agent: Last part of its agents' user name; the add-on's name by default.
        token_driver: Whether an agent may come in with tokens of a service account instead of a
            certificate, if its cluster's agent is set up so.
        install_namespace: Where agents are installed when nothing says otherwise.
        health_mode: Who says whether an agent is healthy; by default its Lease.

    Raises:
        ConfigError: A part cannot be used; says which.
    """

    def __init__(
        self,
        name: str,
        *,
        display_name: str = "",
        description: str = "",
        hub_client: bool = True,
        agent: str = "",
        token_driver: bool = False,
        install_namespace: str | None = None,
        health_mode: HealthMode | None = None,
    ) -> None:
        self._declaration = AddonDeclaration(
            name=name,
            display_name=display_name,
            description=description,
            hub_client=hub_client,
            agent=agent,
            token_driver=token_driver,
            install_namespace=install_namespace,
            health_mode=health_mode,
        )

    @property
    def name(self) -> str:
        """Its name."""
        return self._declaration.name

    @property
    def declaration(self) -> AddonDeclaration:
        """Everything declared so far."""
        return self._declaration

    def grants(self, *permissions: Permission) -> None:
        """Let its agents do this on the hub, beside following their configuration.

        Args:
            permissions: Made with `towline_hub.permission.role`.

        Raises:
            ConfigError: It would give the add-on power over others.
        """
        granted = (*self._declaration.permissions, *permissions)
        self._declaration = replace(self._declaration, permissions=granted)

    def custom_signer(
        self,
        signer_name: str,
        *,
        user: str = "",
        groups: Iterable[str] = (),
        organization_units: Iterable[str] = (),
        server: bool = False,
        dns_names: Iterable[str] = (),
    ) -> None:
        """Give its agents a certificate from a signer other than the hub's API server.

        `{cluster}` in a part of the subject, or in a DNS name, stands for the name of the agent's
        cluster.

        Args:
            signer_name: Which signer, as `example.com/name`.
            user: Common name; by default the one that names cluster, add-on and agent.
            groups: Organizations.
            organization_units: Organizational units.
            server: Whether the certificate shall be good for servers as well.
            dns_names: DNS names that it holds beside the one made from the add-on's.

        Raises:
            ConfigError: The name is no signer's, or taken already; a DNS name is none.
        """
        signer = CustomSigner(
            signer_name,
            user,
            tuple(groups),
            tuple(organization_units),
            server=server,
            dns_names=tuple(dns_names),
        )
        signers = (*self._declaration.custom_signers, signer)
        self._declaration = replace(self._declaration, custom_signers=signers)

    def supports_config(
        self,
        resource: str,
        *,
        group: str = "",
        default_name: str | None = None,
        default_namespace: str | None = None,
    ) -> None:
        """Have it configured by objects of a kind.

        Args:
            resource: Plural, for example `configmaps` or `addondeploymentconfigs`.
            group: API group; empty for the core group.
            default_name: Object that configures it on every cluster that names no other.
            default_namespace: Namespace of that object.

        Raises:
            ConfigError: The kind is supported already.
        """
        default = ObjectKey(default_name, default_namespace) if default_name is not None else None
        supported = SupportedConfig(ConfigKind(group, resource), default)
        configs = (*self._declaration.supported_configs, supported)
        self._declaration = replace(self._declaration, supported_configs=configs)
