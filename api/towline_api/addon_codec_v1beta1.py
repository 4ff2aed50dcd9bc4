"""Add-ons as values and as JSON of `addon.open-cluster-management.io/v1beta1`."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from towline_api.addon_parts import (
    carry_on,
    decode_configs,
    decode_display,
    decode_key,
    decode_kind,
    decode_placements,
    decode_reference,
    encode_default_reference,
    encode_reference,
    encode_subject,
    identify,
    is_self_managed,
    over,
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
from towline_api.dns_names import is_dns_label
from towline_api.metadata import annotations_of, is_being_deleted
from towline_api.names import (
    HOSTING_CLUSTER_ANNOTATION,
    NO_DEFAULT_CONFIG,
    V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION,
)
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS_V1BETA1,
    CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
    MANAGED_CLUSTER_ADDONS_V1BETA1,
    KubeObject,
)
from towline_api.wire_object import WireObject


class RegistrationType(StrEnum):
    """Which member of a registration counts: the one of the same name."""

    KUBE_CLIENT = "kubeClient"
    CUSTOM_SIGNER = "customSigner"


class V1Beta1Codec:
    """`addon.open-cluster-management.io/v1beta1`: what OCM's present components speak.

    A registration says its type and holds its own driver, the install namespace is an annotation,
    and a supported kind of configuration without a default names a reserved word instead.
    """

    managed_cluster_addons = MANAGED_CLUSTER_ADDONS_V1BETA1
    cluster_management_addons = CLUSTER_MANAGEMENT_ADDONS_V1BETA1
    addon_deployment_configs = ADDON_DEPLOYMENT_CONFIGS_V1BETA1

    def decode_addon(self, obj: KubeObject) -> ManagedClusterAddon:
        """Return a ManagedClusterAddOn's meaning; see `AddonCodec`."""
        key, root = identify(obj, "ManagedClusterAddOn")
        cluster = key.namespace or root.child("metadata").required_text("namespace")
        spec, status = root.child("spec"), root.child("status")
        annotations = annotations_of(obj)
        requested = annotations.get(V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION, "")
        return ManagedClusterAddon(
            name=key.name,
            cluster=cluster,
            uid=root.child("metadata").text("uid"),
            is_being_deleted=is_being_deleted(obj),
            configs=decode_configs(spec),
            # Nobody checks what an annotation says; as a field it would not be there.
            requested_namespace=requested if is_dns_label(requested) else None,
            agent_namespace=status.text("namespace") or None,
            hosting_cluster=annotations.get(HOSTING_CLUSTER_ANNOTATION) or None,
            registrations=tuple(map(_decode_registration, status.children("registrations"))),
            health_mode=status.child("healthCheck").choice("mode", HealthMode),
            supported_configs=tuple(map(decode_kind, status.children("supportedConfigs"))),
            config_references=_decode_references(status, "configReferences"),
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
            supported_configs=tuple(map(_decode_supported, spec.children("defaultConfigs"))),
            placements=decode_placements(spec.child("installStrategy")),
            default_config_references=_decode_references(status, "defaultConfigReferences"),
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
            new["registrations"] = _encode_registrations(new.get("registrations"), registrations)
        if driver is not None and isinstance(new.get("registrations"), list):
            new["registrations"] = [_driven_by(driver.value, item) for item in new["registrations"]]
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
                map(encode_reference, config_references),
                identity=_reference_identity,
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
            new["defaultConfigReferences"] = [
                encode_default_reference(item) for item in default_config_references
            ]
        return new


def _decode_registration(item: WireObject) -> Registration:
    item.required_text("type")
    if item.choice("type", RegistrationType) is RegistrationType.KUBE_CLIENT:
        client = item.child(RegistrationType.KUBE_CLIENT)
        subject = client.child("subject")
        return KubeClientRegistration(
            SubjectSpec(subject.text("user"), subject.texts("groups")),
            client.choice("driver", KubeClientDriver),
        )
    custom = item.child(RegistrationType.CUSTOM_SIGNER)
    subject = custom.child("subject")
    return CustomSignerRegistration(
        custom.required_text("signerName"),
        SubjectSpec(
            subject.text("user"), subject.texts("groups"), subject.texts("organizationUnits")
        ),
    )


def _decode_references(status: WireObject, name: str) -> tuple[ConfigReference, ...]:
    return tuple(
        decode_reference(item, desired)
        for item in status.children(name)
        # Without, nobody wants anything of that kind (any more).
        if (desired := item.find_child("desiredConfig")) is not None
    )


def _decode_supported(item: WireObject) -> SupportedConfig:
    key = decode_key(item)
    return SupportedConfig(decode_kind(item), None if key.name == NO_DEFAULT_CONFIG else key)


def _encode_registrations(
    current: object, registrations: Sequence[Registration]
) -> list[dict[str, Any]]:
    present = [old for old in current if isinstance(old, dict)] if isinstance(current, list) else []
    encoded = carry_on(
        present, map(_encode_registration, registrations), identity=_registration_identity
    )
    for item in encoded:
        old = (o for o in present if _registration_identity(o) == _registration_identity(item))
        told = next(old, {}).get(item["type"])
        members = dict(told) if isinstance(told, dict) else {}
        members.pop("subject", None)
        # The driver an agent has declared is among what stays.
        item[item["type"]] = members | item[item["type"]]
    return encoded


def _encode_registration(registration: Registration) -> dict[str, Any]:
    if isinstance(registration, KubeClientRegistration):
        client: dict[str, Any] = {"subject": encode_subject(registration.subject)}
        if registration.driver is not None:
            client["driver"] = registration.driver.value
        return _typed(RegistrationType.KUBE_CLIENT, client)
    subject = encode_subject(registration.subject, units="organizationUnits")
    custom = {"signerName": registration.signer_name, "subject": subject}
    return _typed(RegistrationType.CUSTOM_SIGNER, custom)


def _typed(kind: RegistrationType, members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": kind.value, kind.value: members}


def _registration_identity(item: Mapping[str, Any]) -> object:
    """Return what is the same of a registration before and after: its signer."""
    custom = item.get(RegistrationType.CUSTOM_SIGNER)
    by_custom = item.get("type") == RegistrationType.CUSTOM_SIGNER and isinstance(custom, dict)
    return [item.get("type"), custom.get("signerName") if custom and by_custom else None]


def _driven_by(driver: str, item: Any) -> Any:
    """Return a registration as an agent with this driver declares it; others as they are."""
    client = RegistrationType.KUBE_CLIENT.value
    if not isinstance(item, dict) or item.get("type") != client:
        return item
    return {**item, client: over(item.get(client), {"driver": driver})}


def _reference_identity(item: Mapping[str, Any]) -> object:
    desired = item.get("desiredConfig")
    named = desired if isinstance(desired, dict) else {}
    return [
        *(item.get(key) for key in ("group", "resource")),
        *(named.get(key) for key in ("namespace", "name")),
    ]
