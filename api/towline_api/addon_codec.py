"""Between add-ons as values and add-ons as JSON, one codec class per API version.

What versions share stands in `towline_api.addon_parts`; a codec holds what they do not. Encoding
takes the status as it is and returns it with some parts set: members that nobody here knows stay.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from towline_api.addon_parts import (
    carry_on,
    decode_configs,
    decode_display,
    decode_key,
    decode_kind,
    decode_placements,
    decode_reference,
    encode_default_reference,
    encode_key,
    encode_reference,
    encode_subject,
    identify,
    is_self_managed,
    set_common_status,
)
from towline_api.addons import (
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    CustomSignerRegistration,
    DisplayMeta,
    HealthMode,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
    SubjectSpec,
    SupportedConfig,
)
from towline_api.metadata import (
    annotations_of,
    is_being_deleted,
)
from towline_api.names import (
    HOSTING_CLUSTER_ANNOTATION,
    KUBE_CLIENT_SIGNER,
)
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_MANAGEMENT_ADDONS,
    MANAGED_CLUSTER_ADDONS,
    KubeObject,
    Resource,
)
from towline_api.wire_object import WireObject

_REFERENCE_IDENTITY = ("group", "resource", "namespace", "name")


class AddonCodec(Protocol):
    """What the hub and the agent need of one API version of the add-on kinds."""

    @property
    def managed_cluster_addons(self) -> Resource:
        """Where this version serves ManagedClusterAddOns."""

    @property
    def cluster_management_addons(self) -> Resource:
        """Where this version serves ClusterManagementAddOns."""

    @property
    def addon_deployment_configs(self) -> Resource:
        """Where this version serves AddOnDeploymentConfigs."""

    def decode_addon(self, obj: KubeObject) -> ManagedClusterAddon:
        """Return a ManagedClusterAddOn's meaning.

        Raises:
            WireError: A field is missing or of the wrong type.
        """

    def decode_cluster_management_addon(self, obj: KubeObject) -> ClusterManagementAddon:
        """Return a ClusterManagementAddOn's meaning.

        Raises:
            WireError: A field is missing or of the wrong type.
        """

    def encode_addon_status(
        self,
        status: Mapping[str, Any] | None,
        *,
        registrations: Sequence[Registration] | None = None,
        driver: KubeClientDriver | None = None,
        agent_namespace: str | None = None,
        health_mode: HealthMode | None = None,
        supported_configs: Sequence[ConfigKind] | None = None,
        config_references: Sequence[ConfigReference] | None = None,
        display: DisplayMeta | None = None,
    ) -> dict[str, Any]:
        """Return a ManagedClusterAddOn's status with some parts set.

        Args:
            status: The status as it is; not changed.
            registrations: Credentials the agent shall get. A driver the agent has declared stays
                unless a registration names another.
            driver: How the agent authenticates, declared by the agent for every registration
                with the hub's API server.
            agent_namespace: Install namespace, decided by the hub.
            health_mode: Who says whether the add-on is healthy.
            supported_configs: Kinds of configuration the add-on understands.
            config_references: What it should be and is configured with.
            display: How it presents itself.

        None leaves a part as it is; an empty sequence empties it.
        """

    def encode_cluster_management_addon_status(
        self,
        status: Mapping[str, Any] | None,
        *,
        default_config_references: Sequence[ConfigReference] | None = None,
    ) -> dict[str, Any]:
        """Return a ClusterManagementAddOn's status with some parts set; None leaves a part."""


class V1Alpha1Codec:
    """`addon.open-cluster-management.io/v1alpha1`: what OCM stores.

    A registration is told apart by its signer, one driver counts for all of them, the install
    namespace is a field of the spec, a configuration reference repeats its name, and the
    ClusterManagementAddOn's references are spelled with a lower-case c.
    """

    managed_cluster_addons = MANAGED_CLUSTER_ADDONS
    cluster_management_addons = CLUSTER_MANAGEMENT_ADDONS
    addon_deployment_configs = ADDON_DEPLOYMENT_CONFIGS

    def decode_addon(self, obj: KubeObject) -> ManagedClusterAddon:
        """Return a ManagedClusterAddOn's meaning; see `AddonCodec`."""
        key, root = identify(obj, "ManagedClusterAddOn")
        cluster = key.namespace or root.child("metadata").required_text("namespace")
        spec, status = root.child("spec"), root.child("status")
        driver = status.choice("kubeClientDriver", KubeClientDriver)
        return ManagedClusterAddon(
            name=key.name,
            cluster=cluster,
            uid=root.child("metadata").text("uid"),
            is_being_deleted=is_being_deleted(obj),
            configs=decode_configs(spec),
            requested_namespace=spec.text("installNamespace") or None,
            agent_namespace=status.text("namespace") or None,
            hosting_cluster=annotations_of(obj).get(HOSTING_CLUSTER_ANNOTATION) or None,
            registrations=tuple(
                self._decode_registration(item, driver) for item in status.children("registrations")
            ),
            health_mode=status.child("healthCheck").choice("mode", HealthMode),
            supported_configs=tuple(map(decode_kind, status.children("supportedConfigs"))),
            config_references=tuple(
                self._decode_reference(item)
                for item in status.children("configReferences")
                if not _names_nothing(item)
            ),
            display=decode_display(status),
        )

    def decode_cluster_management_addon(self, obj: KubeObject) -> ClusterManagementAddon:
        """Return a ClusterManagementAddOn's meaning; see `AddonCodec`."""
        key, root = identify(obj, "ClusterManagementAddOn")
        spec, status = root.child("spec"), root.child("status")
        return ClusterManagementAddon(
            name=key.name,
            uid=root.child("metadata").text("uid"),
            is_being_deleted=is_being_deleted(obj),
            display=decode_display(spec),
            is_self_managed=is_self_managed(obj),
            supported_configs=tuple(
                SupportedConfig(
                    decode_kind(item),
                    decode_key(default) if (default := item.find_child("defaultConfig")) else None,
                )
                for item in spec.children("supportedConfigs")
            ),
            placements=decode_placements(spec.child("installStrategy")),
            default_config_references=tuple(
                self._decode_reference(item) for item in status.children("defaultconfigReferences")
            ),
        )

    def encode_addon_status(
        self,
        status: Mapping[str, Any] | None,
        *,
        registrations: Sequence[Registration] | None = None,
        driver: KubeClientDriver | None = None,
        agent_namespace: str | None = None,
        health_mode: HealthMode | None = None,
        supported_configs: Sequence[ConfigKind] | None = None,
        config_references: Sequence[ConfigReference] | None = None,
        display: DisplayMeta | None = None,
    ) -> dict[str, Any]:
        """Return a ManagedClusterAddOn's status with some parts set; see `AddonCodec`."""
        new = dict(status or {})
        if registrations is not None:
            new["registrations"] = carry_on(
                new.get("registrations"),
                map(self._encode_registration, registrations),
                identity=lambda item: item.get("signerName"),
            )
            declared = (
                item.driver for item in registrations if isinstance(item, KubeClientRegistration)
            )
            driver = driver or next(filter(None, declared), None)
        if driver is not None:
            new["kubeClientDriver"] = driver.value
        set_common_status(
            new,
            agent_namespace=agent_namespace,
            health_mode=health_mode,
            supported_configs=supported_configs,
            display=display,
        )
        if config_references is not None:
            new["configReferences"] = carry_on(
                new.get("configReferences"),
                (
                    encode_reference(reference) | encode_key(reference.desired.key)
                    for reference in config_references
                ),
                identity=lambda item: [item.get(key) for key in _REFERENCE_IDENTITY],
            )
        return new

    def encode_cluster_management_addon_status(
        self,
        status: Mapping[str, Any] | None,
        *,
        default_config_references: Sequence[ConfigReference] | None = None,
    ) -> dict[str, Any]:
        """Return a ClusterManagementAddOn's status with some parts set; see `AddonCodec`."""
        new = dict(status or {})
        if default_config_references is not None:
            new["defaultconfigReferences"] = [
                encode_default_reference(item) for item in default_config_references
            ]
        return new

    def _decode_registration(
        self, item: WireObject, driver: KubeClientDriver | None
    ) -> Registration:
        signer = item.required_text("signerName")
        subject = item.child("subject")
        user, groups = subject.text("user"), subject.texts("groups")
        if signer == KUBE_CLIENT_SIGNER:
            # The API server's signer takes no organizational units, and v1beta1 has none here.
            return KubeClientRegistration(SubjectSpec(user, groups), driver)
        units = subject.texts("organizationUnit")
        return CustomSignerRegistration(signer, SubjectSpec(user, groups, units))

    def _encode_registration(self, registration: Registration) -> dict[str, Any]:
        if isinstance(registration, KubeClientRegistration):
            return {
                "signerName": KUBE_CLIENT_SIGNER,
                "subject": encode_subject(registration.subject),
            }
        subject = encode_subject(registration.subject, units="organizationUnit")
        return {"signerName": registration.signer_name, "subject": subject}

    def _decode_reference(self, item: WireObject) -> ConfigReference:
        # Writers from before desiredConfig existed leave only the name beside it.
        return decode_reference(item, item.find_child("desiredConfig") or item)


def _names_nothing(item: WireObject) -> bool:
    """Return whether an entry is what becomes of one that desires nothing in v1beta1."""
    return "name" in item.value and not item.value["name"] and "desiredConfig" not in item.value
